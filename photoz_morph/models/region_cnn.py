"""Two-stage detectors: Faster R-CNN (Ren et al. 2015, arXiv 1506.01497), Mask R-CNN (He et al. 2017, arXiv 1703.06870).

The first stage looks at anchors, boxes of a few sizes and shapes about every pixel of the maps, and proposes those that
hold a source of any class. The second cuts each proposal from the maps by RoIAlign, and says its class, a better box
and, in Mask R-CNN, which of its pixels belong to the source. Maps are those of a U-Net whose decoder ends at `stride`,
since galaxies of a few pixels are lost on the 16-pixel maps of the papers.

Losses are means over images of means over the samples of an image, so that several replicas take the step of one.
"""

import keras
from keras import layers, ops

from photoz_morph.models.detection.anchors import anchor_boxes, anchor_shapes
from photoz_morph.models.detection.boxes import clipped, decoded, encoded, iou
from photoz_morph.models.detection.losses import smooth_l1
from photoz_morph.models.detection.masks import mask_targets
from photoz_morph.models.detection.matching import match, sample
from photoz_morph.models.detection.suppression import suppress
from photoz_morph.models.layers.blocks import convolution, image_input, layer_seeds
from photoz_morph.models.layers.roi_align import RoIAlign
from photoz_morph.models.loss_terms import mean_loss
from photoz_morph.models.unet import feature_maps

BOX_SCALES = (0.1, 0.2)  # units of the offsets of the second stage (Detectron), whose proposals are good
PROPOSAL_BETA = 1 / 9  # smooth L1 of the first stage (py-faster-rcnn, sigma = 3)
PROPOSAL_IOU = 0.7  # of the suppression of proposals, and of positive anchors (Ren et al., Sec. 3.1.2 and 3.3)
NEGATIVE_IOU = 0.3  # of negative anchors, same place
SOURCE_IOU = 0.5  # of proposals that hold a source (Girshick 2015, Sec. 2.3)
SOURCE_FRACTION = 0.25  # of a sample of proposals, at most, same place
SETTINGS = ("n_candidates", "n_proposals", "anchor_sample", "proposal_sample", "max_detections", "max_iou", "min_score",
            "term_weights")  # fmt: skip
TERMS = ("objectness", "proposal_offsets", "class", "box_offsets", "mask")


def faster_rcnn(
    image_shape=(128, 128, 3), n_classes=4, width=16, depth=4, stride=4, upsampling="transposed",
    sizes=(6, 12, 24, 48), ratios=(0.5, 1.0, 2.0), n_hidden=128, box_size=7, seed=0, scaling=None, **settings,
):  # fmt: skip
    """Faster R-CNN.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands; rows and columns may be None.
    n_classes : int
        Without the background.
    width, depth, upsampling
        Of the maps, as of `models.unet.unet`.
    stride : int
        Pixels of the image in a pixel of the maps.
    sizes, ratios : sequence of float
        Square roots of the areas [pixel], and heights over widths, of the anchors.
    n_hidden : int
        Units of the dense layer of the second stage.
    box_size : int
        Bins of RoIAlign along a side of a box.
    seed : int
        Of the weights.
    scaling : ArcsinhScaling, optional
        First layer of the network.
    **settings
        Of `RegionCNN`.

    Returns
    -------
    RegionCNN
    """
    networks = _networks(
        image_shape, n_classes, width, depth, stride, upsampling, sizes, ratios, n_hidden, box_size, seed, scaling
    )
    return RegionCNN(*networks, stride=stride, sizes=sizes, ratios=ratios, name="faster_rcnn", **settings)


def mask_rcnn(
    image_shape=(128, 128, 3), n_classes=4, width=16, depth=4, stride=4, upsampling="transposed",
    sizes=(6, 12, 24, 48), ratios=(0.5, 1.0, 2.0), n_hidden=128, box_size=7, mask_size=7, n_mask_maps=32, seed=0,
    scaling=None, **settings,
):  # fmt: skip
    """Mask R-CNN: Faster R-CNN with a mask head.

    Parameters
    ----------
    mask_size : int
        Bins of RoIAlign along a side of a box before the mask head; masks have twice as many.
    n_mask_maps : int
        Filters of the mask head.
    **settings
        Those of `RegionCNN`; all others are as of `faster_rcnn`.

    Returns
    -------
    RegionCNN
    """
    networks = _networks(
        image_shape, n_classes, width, depth, stride, upsampling, sizes, ratios, n_hidden, box_size, seed, scaling
    )
    mask_head = _mask_head(width * stride, n_classes, mask_size, n_mask_maps, layer_seeds([seed, 1]))
    return RegionCNN(*networks, mask_head, stride=stride, sizes=sizes, ratios=ratios, name="mask_rcnn", **settings)


@keras.saving.register_keras_serializable("photoz_morph")
class RegionCNN(keras.Model):
    """A two-stage detector, from `faster_rcnn` or `mask_rcnn`.

    `fit` takes {"image": (n, rows, columns, n_bands)} and {"boxes": (n, n_sources, 4), "classes": (n, n_sources)},
    class 0 for rows that fill the arrays, with a mask head also "sources": (n, rows, columns), the number of the source
    of each pixel from 1 in the order of the boxes, 0 for the sky. Logs: `loss` and its terms. `predict` gives
    detections: `boxes`, `scores`, `classes`, `is_valid`, `probabilities` (n, max_detections, n_classes + 1),
    background first, and `masks` (n, max_detections, size, size), probabilities in the frame of the box (see
    `detection.masks.pasted_masks`).

    Parameters
    ----------
    backbone : keras.Model
        {"image"} to {"maps", "objectness", "offsets"}.
    box_head : keras.Model
        Bins of a box to {"logits", "offsets"}.
    mask_head : keras.Model, optional
        Bins of a box to the logits of the masks of all classes.
    stride, sizes, ratios
        Of the maps and anchors, as of `faster_rcnn`.
    n_candidates : int
        Best anchors that are refined and compared with each other.
    n_proposals : int
        Boxes that reach the second stage.
    anchor_sample, proposal_sample : int
        Anchors and proposals of an image on which losses are measured.
    max_detections : int
        Rows of the output.
    max_iou : float
        Detections that overlap a better one more than this are dropped, of whatever class: a source has one.
    min_score : float
        Detections have a higher probability of their class.
    term_weights : dict of str to float, optional
        Factors of `TERMS`, 1 by default.

    Notes
    -----
    What the papers draw at random, anchors and proposals of a sample, follows here from the number of the training
    step, see `detection.matching.sample`. Anchors that reach beyond the image are used like others.
    """

    def __init__(
        self, backbone, box_head, mask_head=None, stride=4, sizes=(6, 12, 24, 48), ratios=(0.5, 1.0, 2.0),
        n_candidates=400, n_proposals=100, anchor_sample=128, proposal_sample=64, max_detections=100, max_iou=0.5,
        min_score=0.05, term_weights=None, name="region_cnn", **kwargs,
    ):  # fmt: skip
        super().__init__(name=name, dtype="float32", **kwargs)
        self.backbone, self.box_head, self.mask_head = backbone, box_head, mask_head
        self.stride, self.sizes, self.ratios = stride, tuple(sizes), tuple(ratios)
        self.n_candidates, self.n_proposals = n_candidates, n_proposals
        self.anchor_sample, self.proposal_sample = anchor_sample, proposal_sample
        self.max_detections, self.max_iou, self.min_score = max_detections, max_iou, min_score
        self.term_weights = dict.fromkeys(TERMS, 1.0) | dict(term_weights or {})
        self.box_pool = RoIAlign(box_head.input.shape[1], stride, dtype="float32", name="box_pool")
        self.mask_pool = mask_head and RoIAlign(mask_head.input.shape[1], stride, dtype="float32", name="mask_pool")
        self.means = [keras.metrics.Mean(name=term) for term in TERMS if mask_head or term != "mask"]
        # Replicas count the same steps; the seed of what a step samples must survive an interruption.
        self.step = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, aggregation="only_first_replica",
            name="step",
        )  # fmt: skip
        self.supports_jit = keras.backend.backend() == "jax"  # XLA is slower on CPUs and fails on several replicas
        self.built = True

    def call(self, inputs, training=None):
        """Detections, and in training the outputs of the backbone, from which `compute_loss` goes on."""
        regions = self.backbone(inputs, training=training)
        return regions if training else self._detections(inputs["image"], regions)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        regions = y_pred if training else self.backbone(x, training=False)
        terms = self.loss_terms(x["image"], y, regions, training)
        if training:
            self.step.assign(self.step + 1)
        return mean_loss(terms, self.term_weights, self.means, sample_weight)

    def loss_terms(self, images, truth, regions, training=True):
        """Terms of the loss of each image.

        Parameters
        ----------
        images : tensor, shape (n, rows, columns, n_bands)
        truth : dict of str to tensor
            `boxes`, `classes` and, with a mask head, `sources`.
        regions : dict of str to tensor
            Outputs of the backbone.
        training : bool

        Returns
        -------
        dict of str to tensor, shape (n,)
            By the names of `TERMS`.
        """
        shape, boxes = ops.shape(images)[1:3], ops.cast(truth["boxes"], "float32")
        classes = ops.cast(truth["classes"], "int32")
        proposals, is_proposal = self._proposals(regions, shape)
        terms = self._proposal_terms(regions, boxes, classes > 0)
        # True boxes are proposals too: at first the others are useless (as in py-faster-rcnn).
        proposals = ops.concatenate([boxes, proposals], axis=1)
        is_proposal = ops.concatenate([classes > 0, is_proposal], axis=1)
        return terms | self._source_terms(regions["maps"], proposals, is_proposal, boxes, classes, truth, training)

    def _proposal_terms(self, regions, boxes, is_true):
        """Losses of the first stage (Ren et al. 2015, Eq. 1), both over the number of anchors of the sample."""
        anchors = self._anchors(regions)[None]
        source, is_positive, is_negative = match(iou(anchors, boxes), is_true, PROPOSAL_IOU, NEGATIVE_IOU, True)
        index, is_positive, is_used = sample(is_positive, is_negative, self.anchor_sample, 0.5, self.step)
        is_positive, is_used = (ops.cast(values, "float32") for values in (is_positive, is_used))
        n_used = ops.maximum(ops.sum(is_used, axis=1), 1.0)
        logits = ops.take_along_axis(regions["objectness"], index, axis=1)
        objectness = ops.binary_crossentropy(is_positive, logits, from_logits=True)
        wanted = encoded(_rows(boxes, ops.take_along_axis(source, index, axis=1)), ops.take(anchors[0], index, axis=0))
        error = ops.sum(smooth_l1(_rows(regions["offsets"], index) - wanted, PROPOSAL_BETA), axis=-1)
        return {
            "objectness": ops.sum(is_used * objectness, axis=1) / n_used,
            "proposal_offsets": ops.sum(is_positive * error, axis=1) / n_used,
        }

    def _source_terms(self, maps, proposals, is_proposal, boxes, classes, truth, training):
        """Losses of the second stage (He et al. 2017, Sec. 3): L_cls + L_box + L_mask of a sample of proposals."""
        source, is_positive, is_negative = match(iou(proposals, boxes), classes > 0, SOURCE_IOU, SOURCE_IOU)
        is_positive, is_negative = (ops.logical_and(values, is_proposal) for values in (is_positive, is_negative))
        index, is_positive, is_used = sample(
            is_positive, is_negative, self.proposal_sample, SOURCE_FRACTION, self.step
        )
        proposals, source = _rows(proposals, index), ops.take_along_axis(source, index, axis=1)
        number = ops.where(is_positive, ops.take_along_axis(classes, source, axis=1), 0)
        is_positive, is_used = (ops.cast(values, "float32") for values in (is_positive, is_used))
        n_used = ops.maximum(ops.sum(is_used, axis=1), 1.0)
        outputs = self._head(self.box_head, self.box_pool, maps, proposals, training)
        cross_entropy = keras.losses.sparse_categorical_crossentropy(number, outputs["logits"], from_logits=True)
        offsets = _of_class(outputs["offsets"], number, 4)
        error = smooth_l1(offsets - encoded(_rows(boxes, source), proposals, BOX_SCALES))
        terms = {
            "class": ops.sum(is_used * cross_entropy, axis=1) / n_used,
            "box_offsets": ops.sum(is_positive * ops.sum(error, axis=-1), axis=1) / n_used,
        }
        if self.mask_head is None:
            return terms
        n = max(int(self.proposal_sample * SOURCE_FRACTION), 1)  # positive ones come first
        proposals, source, number, is_positive = (
            values[:, :n] for values in (proposals, source, number, is_positive)
        )
        logits = _mask_of_class(self._head(self.mask_head, self.mask_pool, maps, proposals, training), number)
        wanted = mask_targets(truth["sources"], source + 1, proposals, logits.shape[2])
        each = ops.mean(ops.binary_crossentropy(wanted, logits, from_logits=True), axis=(2, 3))
        terms["mask"] = ops.sum(is_positive * each, axis=1) / ops.maximum(ops.sum(is_positive, axis=1), 1.0)
        return terms

    def _anchors(self, regions):
        """Anchors of all pixels of the maps, shape (n_anchors, 4)."""
        return anchor_boxes(ops.shape(regions["maps"])[1:3], self.stride, self.sizes, self.ratios)

    def _proposals(self, regions, shape):
        """Boxes for the second stage, shape (n, n_proposals, 4), without a gradient, and which of them are any."""
        scores, offsets = (ops.stop_gradient(regions[name]) for name in ("objectness", "offsets"))
        n = min(self.n_candidates, scores.shape[1] or self.n_candidates)
        scores, best = ops.top_k(ops.sigmoid(scores), n)
        boxes = clipped(decoded(_rows(offsets, best), ops.take(self._anchors(regions), best, axis=0)), shape)
        found = suppress(boxes, scores, self.n_proposals, PROPOSAL_IOU)
        return found["boxes"], found["is_valid"]

    def _head(self, head, pool, maps, boxes, training=False):
        """Outputs of a head for each box, shape (n, n_boxes, ...)."""
        n, n_boxes = ops.shape(boxes)[0], boxes.shape[1]
        bins = pool(maps, boxes)
        outputs = head(ops.reshape(bins, (n * n_boxes, *bins.shape[2:])), training=training)
        return keras.tree.map_structure(lambda out: ops.reshape(out, (n, n_boxes, *out.shape[1:])), outputs)

    def _detections(self, images, regions):
        """Detections of the second stage, one class for each proposal."""
        shape = ops.shape(images)[1:3]
        proposals, is_proposal = self._proposals(regions, shape)
        outputs = self._head(self.box_head, self.box_pool, regions["maps"], proposals)
        probabilities = ops.softmax(outputs["logits"])
        # Keras's argmax tells zeros of either sign apart, bit by bit, which ONNX cannot.
        classes = ops.top_k(probabilities[..., 1:], 1)[1][..., 0] + 1
        boxes = clipped(decoded(_of_class(outputs["offsets"], classes, 4), proposals, BOX_SCALES), shape)
        scores = ops.where(is_proposal, ops.max(probabilities[..., 1:], axis=-1), 0.0)
        found = suppress(boxes, scores, self.max_detections, self.max_iou, min_score=self.min_score)
        index, is_valid = found.pop("index"), found["is_valid"]
        found["classes"] = ops.where(is_valid, ops.take_along_axis(classes, index, axis=1), 0)
        found["probabilities"] = ops.where(is_valid[..., None], _rows(probabilities, index), 0.0)
        if self.mask_head is not None:
            logits = self._head(self.mask_head, self.mask_pool, regions["maps"], found["boxes"])
            masks = ops.sigmoid(_mask_of_class(logits, found["classes"]))
            found["masks"] = ops.where(is_valid[..., None, None], masks, 0.0)
        return found

    def get_config(self):
        names = ("stride", "sizes", "ratios", *SETTINGS, "name")
        networks = {
            name: part and keras.saving.serialize_keras_object(part)
            for name, part in (("backbone", self.backbone), ("box_head", self.box_head), ("mask_head", self.mask_head))
        }
        return networks | {name: getattr(self, name) for name in names} | {"term_weights": dict(self.term_weights)}

    @classmethod
    def from_config(cls, config):
        parts = {
            name: config[name] and keras.saving.deserialize_keras_object(config[name])
            for name in ("backbone", "box_head", "mask_head")
        }
        return cls(**{**config, **parts})


def _networks(
    image_shape, n_classes, width, depth, stride, upsampling, sizes, ratios, n_hidden, box_size, seed, scaling
):
    """Backbone with the head of the first stage, and box head."""
    seeds = layer_seeds(seed)
    n_anchors = len(anchor_shapes(sizes, ratios))
    inputs, pixels = image_input(image_shape, scaling)
    maps = feature_maps(pixels, width, depth, upsampling, seeds, stride)
    hidden = convolution(maps, maps.shape[-1], 3, next(seeds), "proposal_conv", bias=True)
    hidden = layers.ReLU(name="proposal_relu")(hidden)
    objectness = _small(layers.Conv2D, n_anchors, next(seeds), "objectness", kernel_size=1)(hidden)
    offsets = _small(layers.Conv2D, 4 * n_anchors, next(seeds), "proposal_offsets", kernel_size=1)(hidden)
    outputs = {
        "maps": maps,
        "objectness": layers.Reshape((-1,), dtype="float32", name="objectness_rows")(objectness),
        "offsets": layers.Reshape((-1, 4), dtype="float32", name="offset_rows")(offsets),
    }
    bins = keras.Input((box_size, box_size, maps.shape[-1]), name="bins")
    hidden = layers.Flatten(name="box_flatten")(bins)
    for number in (1, 2):
        weights = keras.initializers.HeNormal(seed=next(seeds))
        hidden = layers.Dense(n_hidden, "relu", kernel_initializer=weights, name=f"box_hidden{number}")(hidden)
    head = {
        "logits": _small(layers.Dense, n_classes + 1, next(seeds), "box_logits")(hidden),
        "offsets": _small(layers.Dense, 4 * n_classes, next(seeds), "box_offsets")(hidden),
    }
    return keras.Model(inputs, outputs, name="backbone"), keras.Model(bins, head, name="box_head")


def _mask_head(n_maps, n_classes, mask_size, filters, seeds):
    """Two convolutions, a transposed one that doubles the size, and the logits of each class (He et al., Fig. 4)."""
    bins = maps = keras.Input((mask_size, mask_size, n_maps), name="bins")
    for number in (1, 2):
        maps = layers.ReLU(name=f"mask_relu{number}")(
            convolution(maps, filters, 3, next(seeds), f"mask_conv{number}", bias=True)
        )
    weights = keras.initializers.HeNormal(seed=next(seeds))
    maps = layers.Conv2DTranspose(filters, 2, 2, activation="relu", kernel_initializer=weights, name="mask_up")(maps)
    logits = _small(layers.Conv2D, n_classes, next(seeds), "mask_logits", kernel_size=1)(maps)
    return keras.Model(bins, logits, name="mask_head")


def _small(layer, n, seed, name, **options):
    """Output layer with weights N(0, 0.01), in float32 (Ren et al. 2015, Sec. 3.1.3)."""
    weights = keras.initializers.RandomNormal(0.0, 0.01, seed=seed)
    return layer(n, kernel_initializer=weights, dtype="float32", name=name, **options)


def _rows(values, index):
    """Rows of values (n, m, k) by numbers (n, l)."""
    return ops.take_along_axis(values, index[..., None], axis=1)


def _of_class(values, classes, n):
    """The n values of the class of each box, from (..., n_classes * n); those of class 1 for the background."""
    values = ops.reshape(values, (*ops.shape(values)[:-1], values.shape[-1] // n, n))
    return ops.take_along_axis(values, ops.maximum(classes - 1, 0)[..., None, None], axis=-2)[..., 0, :]


def _mask_of_class(logits, classes):
    """Logits (n, n_boxes, size, size) of the class of each box; those of class 1 for the background."""
    return ops.take_along_axis(logits, ops.maximum(classes - 1, 0)[..., None, None, None], axis=-1)[..., 0]
