"""The choices of a run of `blend`."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from photoz_morph.simulation.seeds import MAX_SEED

SIZES = {"scenes": 128, "pairs": 48, "maps": 64, "fields": 64}  # [pixel] of the images of `blend simulate`


@dataclass(frozen=True)
class BlendSimulationConfig:
    """The images that a network is trained on, and that `blend train` simulates where no dataset was built.

    Attributes
    ----------
    kind : str
        Scenes of many sources; pairs of galaxies of which the one in the middle is asked for; single galaxies with maps
        of their stars and dust; or fields of matter.
    n_images : int, optional
        Images to simulate; null where a dataset must be given [images].
    seed : int
        Seed of the simulation.
    """

    kind: str = "scenes"
    n_images: int | None = None
    seed: int = 1


@dataclass(frozen=True)
class BlendDataConfig:
    """Reading of the prepared dataset.

    Attributes
    ----------
    batch_size : int
        Images in one step [images].
    crop : int, optional
        Side of the random square of each image that is shown in training; null for whole images [pixel].
    augment : bool
        Whether each image is shown under a random flip or rotation of the square.
    n_validation : int
        Validation images on which networks are scored after each epoch, at most [images].
    """

    batch_size: int = 16
    crop: int | None = 64
    augment: bool = True
    n_validation: int = 100


@dataclass(frozen=True)
class BlendScalingConfig:
    """Pixels as the network sees them: arcsinh(softness x / q), q the 99.9th percentile of the training images.

    Fields of matter are seen in units of their standard deviation instead.

    Attributes
    ----------
    softness : float
        Factor inside the arcsinh; pixels are logarithms above q / softness, which should be a few times the noise
        [dimensionless].
    """

    softness: float = 30.0


@dataclass(frozen=True)
class FieldNetworkConfig:
    """A network for images of several sources; null takes its default.

    Attributes
    ----------
    name : str
        Network, a key of the registry of field networks.
    output : str
        What a U-Net gives for each pixel: classes and sources, the image of the galaxy in the middle, or maps of stars
        and dust. Others have one output.
    width : int
        Maps of the first level [filters].
    depth : int
        Number of times that maps are halved [levels].
    upsampling : str
        Transposed convolutions, or max-unpooling.
    stride : int, optional
        Side of a cell, or of a pixel of the maps that boxes are cut from: 1, 2 or 4 [pixel].
    n_boxes : int, optional
        Boxes that a cell of a grid detector predicts [boxes].
    sizes : list of float, optional
        Square roots of the areas of the anchors [pixel].
    ratios : list of float, optional
        Heights of the anchors over their widths [dimensionless].
    n_hidden : int, optional
        Units of the dense layers for each proposal, or before the parameters of a field [units].
    box_size : int, optional
        Bins along a side of a proposal [bins].
    n_proposals : int, optional
        Proposals that reach the second stage [boxes].
    anchor_sample : int, optional
        Anchors of an image on which the loss of the first stage is measured [boxes].
    proposal_sample : int, optional
        Proposals of an image on which the losses of the second stage are measured [boxes].
    mask_size : int, optional
        Bins along a side of a box before the mask head; masks have twice as many [bins].
    n_mask_maps : int, optional
        Maps of the mask head [filters].
    n_latent : int, optional
        Latents of an image [units].
    n_combining : int, optional
        Convolutions that combine maps and latents [layers].
    sigma : float, optional
        Standard deviation of the pixels of a probabilistic U-Net, in the scale of its input; null to learn it
        [dimensionless].
    """

    name: str = "unet"
    output: str = "sources"
    width: int = 16
    depth: int = 4
    upsampling: str = "transposed"
    stride: int | None = None
    n_boxes: int | None = None
    sizes: tuple[float, ...] | None = None
    ratios: tuple[float, ...] | None = None
    n_hidden: int | None = None
    box_size: int | None = None
    n_proposals: int | None = None
    anchor_sample: int | None = None
    proposal_sample: int | None = None
    mask_size: int | None = None
    n_mask_maps: int | None = None
    n_latent: int | None = None
    n_combining: int | None = None
    sigma: float | None = None


@dataclass(frozen=True)
class BlendLossConfig:
    """Terms of the loss; null takes the default of the network, and must stay where it has no such term.

    Attributes
    ----------
    semantic : float, optional
        Weight of the cross-entropy of the classes of pixels, of a U-Net [dimensionless].
    heat : float, optional
        Weight of the loss of its heat map of centres [dimensionless].
    distances : float, optional
        Weight of the absolute error of the edges of boxes [1 / pixel].
    offsets : float, optional
        Weight of the absolute error of the way from each pixel of a source to its centre [1 / pixel].
    class_balance : float, optional
        Power of the frequency of a class of sources by which its pixels count less in the cross-entropy: 0 for equal
        weights of all pixels, 1 for equal weights of all classes [dimensionless].
    coord : float, optional
        Weight of the places and sizes of boxes of a grid detector, lambda_coord of YOLO [dimensionless].
    noobj : float, optional
        Weight of the confidence where no source is, lambda_noobj of YOLO [dimensionless].
    flux_unit : float, optional
        Flux per pixel above which the error of the image of a galaxy is relative, in units of the noise of the sky
        [dimensionless].
    kl : float, optional
        Weight of the divergence of posterior from prior of a probabilistic U-Net [dimensionless].
    """

    semantic: float | None = None
    heat: float | None = None
    distances: float | None = None
    offsets: float | None = None
    class_balance: float | None = None
    coord: float | None = None
    noobj: float | None = None
    flux_unit: float | None = None
    kl: float | None = None


@dataclass(frozen=True)
class DetectionConfig:
    """What is made of the output of a network that finds sources; null takes the default of the network.

    Attributes
    ----------
    max_detections : int, optional
        Sources that are found in an image, at most [sources].
    min_score : float, optional
        Least score of a source [dimensionless].
    map_score : float, optional
        Least score of a source to which pixels can belong [dimensionless].
    max_iou : float, optional
        Boxes that overlap a better one more than this are dropped [dimensionless].
    """

    max_detections: int | None = None
    min_score: float | None = None
    map_score: float | None = None
    max_iou: float | None = None


@dataclass(frozen=True)
class BlendTrainConfig:
    """Fit of one network: a fixed number of epochs, and the weights at their end.

    Attributes
    ----------
    epochs : int
        Passes through the training images [epochs].
    learning_rate : float
        Learning rate of Adam after the warm-up [dimensionless].
    warmup_iterations : int
        Steps over which the learning rate rises linearly from zero [iterations].
    schedule : str
        Learning rate after the warm-up: constant, or cosine to zero.
    weight_decay : float
        Decoupled weight decay (AdamW) [dimensionless].
    precision : str
        Keras dtype policy of the network.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    warmup_iterations: int = 0
    schedule: str = "cosine"
    weight_decay: float = 0.0
    precision: str = "float32"


REGION_OPTIONS = (
    "stride", "sizes", "ratios", "n_hidden", "box_size", "n_proposals", "anchor_sample", "proposal_sample",
)  # fmt: skip
WEIGHTS = ("semantic", "heat", "distances", "offsets", "coord", "noobj", "kl")  # of terms of losses
DETECTION = {"max_detections": 100, "min_score": 0.05, "map_score": 0.3, "max_iou": 0.5}
# What a network gives, of those that do not find sources.
ANSWERS = {
    "unet_image": "galaxy", "probabilistic_unet": "galaxy", "unet_maps": "maps", "field_regressor": "parameters",
    "field_unet": "field",
}  # fmt: skip
KINDS = {"galaxy": "pairs", "maps": "maps", "parameters": "fields", "field": "fields"}  # images that they need
GIVEN = {
    "galaxy": "the galaxy in the middle of a pair", "maps": "maps of stars and dust",
    "parameters": "the parameters of a field", "field": "the field behind an observation",
}  # fmt: skip


@dataclass(frozen=True)
class BlendConfig:
    """One experiment on images of several sources.

    Attributes
    ----------
    task : str
        Chain that the config is for.
    survey : str
        Survey of the images.
    seed : int
        Seed of weights, order and augmentation; each network derives its own from it.
    """

    task: str = "blend"
    survey: str = "lsst"
    seed: int = 1
    simulation: BlendSimulationConfig = field(default_factory=BlendSimulationConfig)
    data: BlendDataConfig = field(default_factory=BlendDataConfig)
    scaling: BlendScalingConfig = field(default_factory=BlendScalingConfig)
    model: FieldNetworkConfig = field(default_factory=FieldNetworkConfig)
    loss: BlendLossConfig = field(default_factory=BlendLossConfig)
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    train: BlendTrainConfig = field(default_factory=BlendTrainConfig)

    DATASET_SIZES: ClassVar = "images_per_split"  # key of a run's dataset.json
    CHOICES: ClassVar = {
        "task": ("blend",),
        "survey": ("lsst", "sdss"),
        "simulation.kind": ("scenes", "pairs", "maps", "fields"),
        "model.name": (
            "unet", "grid_detector", "faster_rcnn", "mask_rcnn", "probabilistic_unet", "field_regressor", "field_unet",
        ),
        "model.output": ("sources", "image", "maps"),
        "model.upsampling": ("transposed", "unpooling"),
        "train.schedule": ("constant", "cosine"),
        "train.precision": ("float32", "mixed_bfloat16"),
    }
    POSITIVE: ClassVar = (
        "simulation.n_images", "data.batch_size", "data.crop", "data.n_validation", "scaling.softness", "model.width",
        "model.n_boxes", "model.n_hidden", "model.box_size", "model.n_proposals", "model.anchor_sample",
        "model.proposal_sample", "model.mask_size", "model.n_mask_maps", "model.n_latent", "model.n_combining",
        "model.sigma", "loss.flux_unit", "detection.max_detections", "train.epochs", "train.learning_rate",
    )  # fmt: skip
    RANGES: ClassVar = {
        "seed": (0, math.inf),
        "simulation.seed": (0, MAX_SEED),
        "model.depth": (1, 6),
        "model.stride": (1, 4),
        "loss.class_balance": (0, 1),
        "detection.min_score": (0, 1),
        "detection.map_score": (0, 1),
        "detection.max_iou": (0, 1),
        "train.learning_rate": (0, 1),
        "train.weight_decay": (0, math.inf),
        "train.warmup_iterations": (0, math.inf),
        **{f"loss.{key}": (0, math.inf) for key in WEIGHTS},
    }
    # Network -> keys that it has beside those of all, with their defaults; None is that of the network's function.
    # Weights of a U-Net: those of CenterNet (Zhou et al. 2019, Sec. 3) for the heat and 0.1 for sizes, and ours.
    OPTIONS: ClassVar = {
        "unet": {
            **{f"detection.{key}": value for key, value in DETECTION.items()}, "detection.max_iou": 1.0,
            "loss.semantic": 1.0, "loss.heat": 1.0, "loss.distances": 0.1, "loss.offsets": 0.1,
            "loss.class_balance": 0.5,
        },
        "unet_image": {"loss.flux_unit": 3.0},
        "unet_maps": {},
        "field_regressor": {"model.n_hidden": None},
        "field_unet": {},
        "grid_detector": {
            **{f"detection.{key}": value for key, value in DETECTION.items()},
            "model.stride": 4, "model.n_boxes": 2, "loss.coord": 5.0, "loss.noobj": 0.5,
        },
        "faster_rcnn": {
            **{f"detection.{key}": value for key, value in DETECTION.items()},
            **{f"model.{key}": None for key in REGION_OPTIONS},
        },
        "mask_rcnn": {
            **{f"detection.{key}": value for key, value in DETECTION.items()},
            **{f"model.{key}": None for key in (*REGION_OPTIONS, "mask_size", "n_mask_maps")},
        },
        "probabilistic_unet": {
            **{f"model.{key}": None for key in ("n_latent", "n_combining", "sigma")}, "loss.kl": 1.0,
        },
    }  # fmt: skip

    @property
    def network(self):
        """Key of `OPTIONS`: the name of the network, of a U-Net also by its output."""
        return self.model.name if self.model.output == "sources" else f"unet_{self.model.output}"

    @property
    def deblends(self):
        """True if the network gives the image of the galaxy in the middle."""
        return self.answer == "galaxy"

    @property
    def answer(self):
        """What the network gives: sources, or a value of `ANSWERS`."""
        return ANSWERS.get(self.network, "sources")

    @property
    def dataset_name(self):
        """Name of the dataset of `blend build` that the network is trained on."""
        if self.simulation.kind == "fields":
            return "cosmology_fields"
        return f"{self.survey}_{'blends' if self.simulation.kind == 'scenes' else self.simulation.kind}"

    def option(self, key):
        """Value of a key of `OPTIONS` of the network, its default where it is null."""
        section, name = key.split(".")
        value = getattr(getattr(self, section), name)
        return self.OPTIONS[self.network][key] if value is None else value

    def check(self):
        """Raise a ValueError where two choices contradict each other."""
        if self.model.output != "sources" and self.model.name != "unet":
            raise ValueError(
                f"'model.output' is {self.model.output}, but {self.model.name} has one output; choose sources, or the "
                "network unet"
            )
        own = self.OPTIONS[self.network]
        for key in dict.fromkeys(key for options in self.OPTIONS.values() for key in options):
            section, name = key.split(".")
            value = getattr(getattr(self, section), name)
            if value is not None and key not in own:
                known = ", ".join(sorted(other for other in own if other.startswith(f"{section}.")))
                raise ValueError(
                    f"'{key}' is {value!r}, but {self.network} has no such option; set it to null"
                    + f", it has {known}" * bool(known)
                )
        for name in ("sizes", "ratios"):
            values = getattr(self.model, name)
            if values is not None and not (values and min(values) > 0):
                raise ValueError(f"'model.{name}' is {list(values)}; give one positive number or more")
        size = SIZES[self.simulation.kind] if self.data.crop is None else self.data.crop
        if size % 2**self.model.depth:
            raise ValueError(
                f"'data.crop' is {self.data.crop}, squares of {size} pixels, which 'model.depth' {self.model.depth} "
                f"cannot halve; give a multiple of {2**self.model.depth}"
            )
        stride = self.option("model.stride") if "model.stride" in own else None
        if stride == 3 or stride and stride > 2**self.model.depth:
            raise ValueError(f"'model.stride' is {stride}; give 1, 2 or 4, and no more than 2 to the 'model.depth'")
        self._check_images()
        if self.answer == "sources" and self.option("detection.map_score") < self.option("detection.min_score"):
            raise ValueError(
                f"'detection.map_score' is {self.option('detection.map_score')}, below 'detection.min_score' "
                f"{self.option('detection.min_score')}, of which there is no source; give at least as much"
            )

    def _check_images(self):
        """Raise a ValueError where the network and the images that it is trained on do not go together."""
        kind, needed = self.simulation.kind, KINDS.get(self.answer)
        if self.answer == "sources" and kind not in ("scenes", "pairs"):
            raise ValueError(
                f"'simulation.kind' is {kind}, but {self.network} finds sources; choose scenes or pairs, or another "
                "'model.name' or 'model.output'"
            )
        if needed is None:
            return
        if kind != needed:
            given = GIVEN[self.answer]
            raise ValueError(f"'simulation.kind' is {kind}, but {self.network} gives {given}; choose {needed}")
        if self.data.crop is not None:
            of = GIVEN[self.answer].replace("a pair", "an image")
            raise ValueError(f"'data.crop' is {self.data.crop}, but {self.network} gives {of}; set it to null")
        if needed in ("maps", "fields") and self.survey != "lsst":
            raise ValueError(f"'survey' is {self.survey}, but {needed} are simulated for lsst; choose lsst")
        if needed == "fields" and self.scaling != BlendScalingConfig():
            raise ValueError(
                f"'scaling.softness' is {self.scaling.softness:g}, but fields are seen in units of their standard "
                f"deviation; leave it at {BlendScalingConfig.softness:g}"
            )
        if self.network == "field_regressor" and self.model.upsampling != FieldNetworkConfig.upsampling:
            raise ValueError(
                f"'model.upsampling' is {self.model.upsampling}, but field_regressor has none; leave it at "
                f"{FieldNetworkConfig.upsampling}"
            )
