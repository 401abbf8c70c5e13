"""Experiment on images of several sources, or from images to maps, for the training loop: data, network, losses and
validation scores."""

import numpy as np
from keras import ops
from keras.losses import MeanSquaredError

from photoz_morph.blend import dataset
from photoz_morph.blend.deblended import HEAD, galaxy_of
from photoz_morph.blend.finding.finder import SourceFinder, compiled
from photoz_morph.blend.maps.networks import ensemble_answers
from photoz_morph.blend.maps.targets import HEAD as MAPS
from photoz_morph.blend.maps.truth import FEATURES, read_truth
from photoz_morph.blend.samples.batches import BlendBatches, read_images, training_counts, validation_batches
from photoz_morph.datasets import reading
from photoz_morph.metrics.completeness import completeness_at_purity
from photoz_morph.metrics.deblending import flux_errors
from photoz_morph.metrics.detection import average_precision, match_images
from photoz_morph.models.detection.losses import HeatMapLoss, KnownPixelsLoss
from photoz_morph.models.detection.yolo_loss import YoloLoss
from photoz_morph.models.fields.gaussian_parameters import GaussianLikelihood
from photoz_morph.models.layers.image_scaling import fit_scaling, scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.pixel_losses import ArcsinhError, PixelCrossEntropy
from photoz_morph.models.registry import build_field_network, layer_precision
from photoz_morph.shards.blends import CLASS_NAMES
from photoz_morph.training.schedules import learning_rate_schedule
from photoz_morph.transfer.rates import adam

BATCH_SIZE = 16  # whole images, without gradients
PURITY, RADIUS = 0.95, 4.0  # of the completeness, as `blend evaluate` has them by default; the radius in pixels
OF_FIELDS = ("field", "parameters")  # answers of networks for fields of matter
ANSWER_LOSSES = {"maps": KnownPixelsLoss, "field": MeanSquaredError, "parameters": GaussianLikelihood}
SOURCE_HEADS = {
    "semantic": (len(CLASS_NAMES), "logits"), "heat": (1, "heat"), "distances": (4, "distances"),
    "offsets": (2, "logits"),
}  # fmt: skip


class BlendExperiment:
    """A config and its dataset.

    Parameters
    ----------
    config : BlendConfig
    data_dir : path-like
        Prepared dataset.

    Raises
    ------
    ValueError
        If the images are too small for the config, or cannot be halved by the network.
    """

    n_folds = 1  # one split into training, validation and test
    columns = None  # the images of a training are cached by tf.data

    def __init__(self, config, data_dir):
        self.config = config
        self.builder = dataset.open_dataset(data_dir, config.dataset_name)
        size = self.builder.info.features["image"].shape[0]
        if config.data.crop is not None and config.data.crop > size:
            raise ValueError(
                f"{self.builder.data_dir}: images have {size} pixels, 'data.crop' is {config.data.crop}; lower it, or "
                "set it to null"
            )
        if size % 2**config.model.depth:
            raise ValueError(
                f"{self.builder.data_dir}: images have {size} pixels, which 'model.depth' {config.model.depth} cannot "
                "halve; lower it"
            )

    def dataset_description(self):
        """Description of the dataset for the run folder."""
        return dataset.describe(self.builder)

    def n_training(self, fold):
        """Number of training images."""
        return reading.n_galaxies(self.builder, "train")

    def fold(self, fold):
        """Data, network and scores of the one split."""
        return BlendFold(self.config, self.builder)

    def member_name(self, fold, member):
        """Name of a network in messages."""
        return f"seed {member + 1}"


class BlendFold:
    """Training and validation images, with the network and its scores."""

    def __init__(self, config, builder):
        self.config, self.builder = config, builder
        self.sigma = dataset.sky_sigma_of(builder) if "sky_sigma" in builder.info.metadata else None
        self._n_sources, self._n_pixels = 1, None
        if config.answer == "sources":
            self._n_sources, self._n_pixels = training_counts(builder)
        self._n_latent = None
        if config.network == "probabilistic_unet":
            self._n_latent = new_network(config, self.n_bands).n_latent
        self.train = BlendBatches(builder, config, self._n_sources, self._n_latent)
        n = min(config.data.n_validation, reading.n_galaxies(builder, "validation"))
        split = f"validation[:{n}]"
        n_sources = self._n_sources
        if config.answer == "sources":
            n_sources = max(n_sources, training_counts(builder, split)[0])
        self._validation = validation_batches(builder, config, split, n_sources, self._n_latent).cache()
        self._validation_split, self._validation_scenes = split, None
        self._quantiles = self._of_fields = self._scored = None

    @property
    def n_bands(self):
        """Bands of an image, or maps of a field."""
        return self.builder.info.features[FEATURES.get(self.config.answer, ("image",))[0]].shape[-1]

    def new_network(self, n_iterations, seed):
        """Build and compile a network, its scaling fitted on all training images."""
        if self.config.answer not in OF_FIELDS and self._quantiles is None:
            images = reading.read_galaxies(self.builder, "train", {"image": True}).batch(BATCH_SIZE)
            self._quantiles = fit_scaling(images.map(lambda galaxy: galaxy["image"]).prefetch(2))
        network = new_network(self.config, self.n_bands, seed, self._quantiles, self._field_options())
        train = self.config.train
        optimizer = adam(learning_rate_schedule(train, n_iterations), weight_decay=train.weight_decay or None)
        # XLA is slower on CPUs and fails on several replicas.
        network.compile(optimizer, jit_compile=False, **self._losses())
        return network

    def load_checkpoint(self, path):
        """Load a network with its losses and optimizer."""
        return load_network(path, compile=True)

    def trained_network(self, model):
        """The network without losses and optimizer."""
        network = new_network(self.config, self.n_bands, of_fields=self._field_options())
        network.set_weights(model.get_weights())
        return network

    def validate(self, model):
        """Loss on validation images, and a score.

        Of networks that find sources it is the completeness of targets at a purity of 0.95, and the average precision
        of boxes at an IoU of 0.5; of deblenders the median absolute error of the flux in a band; of others the
        explained variance, the mean over maps or parameters.
        """
        finds_sources = self.config.answer == "sources"
        if self._scored is None or self._scored[0] is not model:
            self._scored = model, SourceFinder([model], self.config, self.sigma) if finds_sources else compiled(model)
        loss = model.evaluate(self._validation, verbose=0, return_dict=True)["loss"]
        score = {"sources": self._detection_scores, "galaxy": self._flux_error}
        score = score.get(self.config.answer, self._explained_variance)
        return {"validation_loss": float(loss)} | score(self._scored[1])

    def class_weights(self):
        """Factor of the pixels of each class: 1 for the sky; f^-b for a class with the part f of the pixels of sources,
        b `loss.class_balance`, over the mean of that over these pixels."""
        of_sources = self._n_pixels[1:] / max(self._n_pixels[1:].sum(), 1)
        power = np.where(of_sources > 0, of_sources, np.inf) ** -self.config.option("loss.class_balance")
        mean = np.sum(of_sources * power)
        return (1.0, *(float(value / mean) if mean else 1.0 for value in power))

    def _losses(self):
        """Arguments of `compile`."""
        config = self.config
        if config.network == "unet":
            terms = ("semantic", "heat", "distances", "offsets")
            losses = (PixelCrossEntropy(self.class_weights()), HeatMapLoss(), KnownPixelsLoss(), KnownPixelsLoss())
            weights = {term: config.option(f"loss.{term}") for term in terms}
            return {"loss": dict(zip(terms, losses)), "loss_weights": weights}
        if config.network == "grid_detector":
            return {"loss": YoloLoss(
                config.option("model.stride"), config.option("model.n_boxes"),
                coord_weight=config.option("loss.coord"), noobj_weight=config.option("loss.noobj"),
            )}  # fmt: skip
        if config.network == "unet_image":
            unit = config.option("loss.flux_unit") * float(np.mean(self.sigma))
            return {"loss": {HEAD: ArcsinhError(unit)}}
        if config.answer in ANSWER_LOSSES:
            return {"loss": {config.answer: ANSWER_LOSSES[config.answer]()}}
        return {}  # the others have losses of their own

    def _detection_scores(self, find):
        """Completeness and average precision of a finder."""
        if self._validation_scenes is None:
            self._validation_scenes = list(dataset.read_scenes(self.builder, self._validation_split))
        tables = []
        for low in range(0, len(self._validation_scenes), BATCH_SIZE):
            images = [scene.image for scene in self._validation_scenes[low : low + BATCH_SIZE]]
            tables += [table for table, _ in find(np.stack(images))]
        truths = [scene.truth for scene in self._validation_scenes]
        positions, boxes = match_images(tables, truths, [RADIUS], by="position"), match_images(tables, truths, [0.5])
        return {
            "validation_completeness": completeness_at_purity(positions, PURITY),
            "validation_ap50": float(average_precision(boxes)[0]),
        }

    def _flux_error(self, function):
        """Median absolute error of fluxes by a deblender."""
        errors = []
        images = read_images(self.builder, self._validation_split, self.config).batch(BATCH_SIZE)
        for batch in images.as_numpy_iterator():
            found = ops.convert_to_numpy(galaxy_of(function({"image": ops.convert_to_tensor(batch["image"])})))
            fluxes = [images.sum(axis=(1, 2), dtype=float) for images in (batch["truth"], found)]
            errors.append(np.abs(flux_errors(*fluxes)))
        return {"validation_flux_error": float(np.nanmedian(np.concatenate(errors)))}

    def _explained_variance(self, function):
        """1 minus the mean square error of maps, fields or parameters over the variance of the truth."""
        answer = self.config.answer
        if self._validation_scenes is None:
            self._validation_scenes = read_truth(self.builder, answer, self._validation_split)
        truth = self._validation_scenes
        low = range(0, len(truth.images), BATCH_SIZE)
        found = np.concatenate([ensemble_answers([function], truth.images[k : k + BATCH_SIZE], answer) for k in low])
        values, found = (truth.values, found[..., 0]) if answer == "parameters" else (
            truth.values[truth.inside], found[truth.inside])  # fmt: skip
        squares = np.mean(np.square(found - values, dtype=float), axis=0)
        return {"validation_r2": float(np.mean(1 - squares / np.var(values, axis=0, dtype=float)))}

    def _field_options(self):
        """Of `field_options`, measured once; None for other images."""
        if self.config.answer not in OF_FIELDS:
            return None
        if self._of_fields is None:
            self._of_fields = field_options(self.builder, self.config.answer)
        return self._of_fields


def field_options(builder, answer):
    """Options of a network for the fields of a dataset, measured on its training fields.

    Parameters
    ----------
    builder : tfds builder
    answer : {"field", "parameters"}

    Returns
    -------
    dict
        `offset` and `deviation`; for parameters also `centre` and `scale`.

    Raises
    ------
    ValueError
        If a parameter is the same for all fields.
    """
    sums, parameters = np.zeros(3), []
    for batch in reading.read_galaxies(builder, "train", {"field": True, "parameters": True}).batch(256):
        field = np.asarray(batch["field"], float)
        sums += field.size, field.sum(), np.sum(field**2)
        parameters.append(np.asarray(batch["parameters"], float))
    mean = sums[1] / sums[0]
    options = {"offset": float(mean), "deviation": float(np.sqrt(sums[2] / sums[0] - mean**2))}
    if answer == "field":
        return options
    parameters = np.concatenate(parameters)
    centre, scale = parameters.mean(axis=0), parameters.std(axis=0)
    for name, same in zip(builder.info.metadata["parameters"].split(","), scale < 1e-6 * np.abs(centre)):
        if same:  # in single precision
            raise ValueError(f"{builder.data_dir}: {name} is the same for all training fields; leave it out")
    return options | {"centre": tuple(centre.tolist()), "scale": tuple(scale.tolist())}


def new_network(config, n_bands=None, seed=0, quantiles=None, of_fields=None):
    """Build the network of a config, for images of any size.

    Parameters
    ----------
    config : BlendConfig
    n_bands : int, optional
        By default 3, of a field 1, and 2 with where it is seen.
    seed : int
        Of the weights.
    quantiles : tuple of float, optional
        Of the scaling, from `fit_scaling`; without them it is not fitted.
    of_fields : dict, optional
        From `field_options`, of networks for fields.

    Returns
    -------
    keras.Model
    """
    n_bands = n_bands or {"parameters": 1, "field": 2}.get(config.answer, 3)
    scaling = None if config.answer in OF_FIELDS else scaling_preset("default", config.scaling.softness)
    if quantiles is not None:
        scaling.set_quantiles(quantiles)
    model = config.model
    options = {name: getattr(model, name) for name in ("width", "depth", "upsampling")}
    options |= {key.partition(".")[2]: config.option(key) for key in config.OPTIONS[config.network]
                if key.startswith("model.")}  # fmt: skip
    if config.answer in OF_FIELDS:
        options |= of_fields or {}
        if config.answer == "parameters":
            options.pop("upsampling")
    if model.name == "unet":
        options["heads"] = {"sources": SOURCE_HEADS, "image": {HEAD: (n_bands, "image")}, "maps": MAPS}[model.output]
    if model.name == "probabilistic_unet":
        options["kl_weight"] = config.option("loss.kl")
    if model.name in ("grid_detector", "faster_rcnn", "mask_rcnn"):
        options["n_classes"] = len(CLASS_NAMES) - 1
    if model.name in ("faster_rcnn", "mask_rcnn"):
        options |= {name: config.option(f"detection.{name}") for name in ("max_detections", "min_score", "max_iou")}
    with layer_precision(config.train.precision):
        return build_field_network(model.name, (None, None, n_bands), seed, scaling=scaling, **options)
