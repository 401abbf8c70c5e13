"""The choices of a morphology run."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from photoz_morph.simulation.seeds import MAX_SEED
from photoz_morph.transfer.settings import MODES, STARTS, TransferConfig, check_transfer


@dataclass(frozen=True)
class MorphSimulationConfig:
    """The simulated dataset that `morph train` makes where no dataset was built.

    Attributes
    ----------
    n_galaxies : int, optional
        Galaxies to simulate; null where a dataset must be given [galaxies].
    seed : int
        Seed of the simulation and of the noise.
    """

    n_galaxies: int | None = None
    seed: int = 1


@dataclass(frozen=True)
class MorphDataConfig:
    """Reading of the prepared dataset.

    Attributes
    ----------
    batch_size : int
        Labelled Y10 images in one step; as many unlabelled Y1 images go with them [images].
    classes : str
        Spirals, ellipticals and mergers; spirals and ellipticals, of a dataset without mergers; or mergers against the
        rest.
    augment : bool
        Whether each image is shown under a random flip or rotation of the square.
    shift : int
        Largest shift of an image in training, along rows and along columns, by whole pixels [pixel].
    noise_augmentation : bool
        Defence: whether each labelled Y10 image is shown with the noise of a random number of years.
    pixel_augmentation : float
        Defence: probability that one random pixel of a labelled Y10 image takes a random corner of the range of the
        data [dimensionless].
    labels_of : str
        Domain whose labels are learnt: the source, Y10 or simulated images, or the target, Y1 or real ones. The other
        one is then what an adaptation compares with it.
    n_labels : int, optional
        Labelled galaxies that train each network, chosen by the hash of `group_id`, those of a small number among
        those of a larger one; null for all [galaxies].
    labels_part : int
        Which galaxies these are: another number chooses others [dimensionless].
    """

    batch_size: int = 32
    classes: str = "spiral_elliptical_merger"
    augment: bool = True
    shift: int = 0
    noise_augmentation: bool = False
    pixel_augmentation: float = 0.0
    labels_of: str = "source"
    n_labels: int | None = None
    labels_part: int = 0


@dataclass(frozen=True)
class ScalingConfig:
    """Pixels as the network sees them: arcsinh(softness x / q), q the 99.9th percentile of the Y10 training images.

    Attributes
    ----------
    preset : str
        With "paper", pixels are clipped at the 0.1th and 99.9th percentile of their own domain first and mapped to
        (arcsinh(...) + 1) / 2, as in the code of Ciprijanovic et al. (2021).
    softness : float
        Factor inside the arcsinh [dimensionless].
    """

    preset: str = "default"
    softness: float = 0.85


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier with a latent layer; null takes the published value.

    Attributes
    ----------
    name : str
        Network, a key of the registry of classifiers.
    width : int, optional
        Maps of the first convolution [filters].
    n_latent : int, optional
        Size of the latent layer; DeepMerge has none and takes its flattened maps [units].
    dropout : float, optional
        Dropped fraction of the last maps; DeepMerge has no dropout [dimensionless].
    """

    name: str = "resnet18"
    width: int | None = None
    n_latent: int | None = None
    dropout: float | None = None


@dataclass(frozen=True)
class AdaptationConfig:
    """The one thing in which the arms of a comparison differ.

    Attributes
    ----------
    name : str
        Loss between the two depths, one of `photoz_morph.adaptation.losses`: none, Maximum Mean Discrepancy of the
        latents, consistency of the class probabilities of a galaxy at both depths, and so on.
    weight : float
        Weight of that loss against the cross-entropy [dimensionless].
    estimator : str
        Estimator of the MMD, class by class or not: unbiased with bandwidths about the median distance, or that of the
        paper, biased with 19 fixed bandwidths.
    warmup_epochs : float
        Epochs in which the weight is zero [epochs].
    ramp_epochs : float
        Epochs after these over which the weight rises linearly [epochs].
    weighting : str
        Whether the weights of cross-entropy and adaptation loss are fixed, or learned as in SIDDA.
    discriminator_width : int
        Units of each of the two hidden layers of the discriminator of DANN and CDAN, and of the second head of MDD
        [units].
    discriminator_dropout : float
        Dropped fraction of these [dimensionless].
    entropy_conditioning : bool
        Whether CDAN counts galaxies by the certainty of their class (CDAN+E).
    margin : float
        Factor of the source in MDD [dimensionless].
    temperature : float
        Divides the logits in MCC [dimensionless].
    jdot_distance : float
        Weight of the squared distance of latents against the cross-entropy in DeepJDOT [dimensionless].
    threshold : float
        Lowest probability of a class that FixMatch takes as sure [dimensionless].
    view_shift : int
        Largest shift of an image that FixMatch augments [pixel].
    """

    name: str = "none"
    weight: float = 0.05
    estimator: str = "median"
    warmup_epochs: float = 0.0
    ramp_epochs: float = 0.0
    weighting: str = "fixed"
    discriminator_width: int = 1024
    discriminator_dropout: float = 0.5
    entropy_conditioning: bool = False
    margin: float = 4.0
    temperature: float = 2.5
    jdot_distance: float = 1e-3
    threshold: float = 0.95
    view_shift: int = 4


@dataclass(frozen=True)
class MorphTrainConfig:
    """Fit of one network: a fixed number of epochs for every arm, and the weights at their end.

    Attributes
    ----------
    epochs : int
        Passes through the training images [epochs].
    iterations : int, optional
        Steps of the optimizer, instead of `epochs`: with few labels an epoch has few steps [iterations].
    learning_rate : float
        Learning rate of Adam after the warm-up [dimensionless].
    warmup_iterations : int
        Steps over which the learning rate rises linearly from zero [iterations].
    schedule : str
        Learning rate after the warm-up: constant, or cosine to zero.
    weight_decay : float
        Weight decay [dimensionless].
    decay : str
        Decoupled from the gradient (AdamW, kernels only), or coupled, added to the gradient of all weights as in the
        code of Ciprijanovic et al. (2021).
    beta_1 : float
        Decay rate of Adam's mean of the gradients [dimensionless].
    beta_2 : float
        Decay rate of Adam's mean of their squares [dimensionless].
    class_weights : bool
        Whether the cross-entropy of a class is weighted by N / (n_classes n_class).
    batch_norm : str
        Batch-norm statistics of both domains, which go through the network in one batch, of the source alone, or of
        each domain its own, with weights of its own, by which it is also classified.
    auxiliary_weight : float
        Weight of the loss of a second head, which predicts Gini and M20 of the noiseless image in i and g, of which the
        class follows, and which is not saved; 0 for none [dimensionless].
    precision : str
        Keras dtype policy of the network.
    """

    epochs: int = 20
    iterations: int | None = None
    learning_rate: float = 1e-3
    warmup_iterations: int = 0
    schedule: str = "cosine"
    weight_decay: float = 0.0
    decay: str = "decoupled"
    beta_1: float = 0.9
    beta_2: float = 0.999
    class_weights: bool = True
    batch_norm: str = "both"
    auxiliary_weight: float = 0.0
    precision: str = "float32"


@dataclass(frozen=True)
class DefenceConfig:
    """A wrapper around the trained network; training and validation scores are without it.

    Attributes
    ----------
    test_time : str
        None, the mean of logits and latents over the eight flips and rotations of the image, or a 3 x 3 median of each
        band.
    """

    test_time: str = "none"


@dataclass(frozen=True)
class MorphConfig:
    """One morphology experiment.

    Attributes
    ----------
    task : str
        Chain that the config is for.
    survey : str
        Survey of the images, one of `photoz_morph.surveys`.
    seed : int
        Seed of weights, order and augmentation; each network derives its own from it.
    """

    task: str = "morph"
    survey: str = "lsst"
    seed: int = 1
    simulation: MorphSimulationConfig = field(default_factory=MorphSimulationConfig)
    data: MorphDataConfig = field(default_factory=MorphDataConfig)
    scaling: ScalingConfig = field(default_factory=ScalingConfig)
    model: ClassifierConfig = field(default_factory=ClassifierConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    train: MorphTrainConfig = field(default_factory=MorphTrainConfig)
    defence: DefenceConfig = field(default_factory=DefenceConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)

    DATASET_SIZES: ClassVar = "galaxies_per_split"  # key of a run's dataset.json
    CHOICES: ClassVar = {
        "task": ("morph",),
        "survey": ("lsst",),
        "data.classes": ("spiral_elliptical_merger", "spiral_elliptical", "merger"),
        "data.labels_of": ("source", "target"),
        "scaling.preset": ("default", "paper"),
        "model.name": ("resnet18", "convnet", "deepmerge"),
        "adaptation.name": (
            "none", "mmd", "lmmd", "consistency", "coral", "dann", "cdan", "mdd", "mcc", "entropy", "sinkhorn",
            "deepjdot", "fisher", "fixmatch", "noise",
        ),
        "adaptation.weighting": ("fixed", "learned"),
        "adaptation.estimator": ("median", "paper"),
        "train.schedule": ("constant", "cosine"),
        "train.decay": ("decoupled", "coupled"),
        "train.batch_norm": ("both", "source", "domain"),
        "train.precision": ("float32", "mixed_bfloat16"),
        "defence.test_time": ("none", "d4", "median"),
        "transfer.mode": MODES,
        "transfer.head": STARTS,
    }  # fmt: skip
    POSITIVE: ClassVar = (
        "simulation.n_galaxies", "data.batch_size", "scaling.softness", "model.width", "model.n_latent",
        "train.epochs", "train.iterations", "data.n_labels", "train.learning_rate",
        "adaptation.discriminator_width", "adaptation.margin", "adaptation.temperature",
    )  # fmt: skip
    RANGES: ClassVar = {
        "seed": (0, math.inf),
        "simulation.seed": (0, MAX_SEED),
        "train.learning_rate": (0, 1),
        "data.pixel_augmentation": (0, 1),
        "data.shift": (0, 16),
        "model.dropout": (0, 0.99),
        "adaptation.discriminator_dropout": (0, 0.99),
        "adaptation.threshold": (0, 1),
        "adaptation.view_shift": (0, 50),
        "train.beta_1": (0, 0.9999),
        "train.auxiliary_weight": (0, 100),
        "data.labels_part": (0, 10**6),
        **TransferConfig.RANGES,
        "train.beta_2": (0, 0.99999),
        **{
            key: (0, math.inf)
            for key in (
                "adaptation.weight", "adaptation.warmup_epochs", "adaptation.ramp_epochs", "train.weight_decay",
                "train.warmup_iterations", "adaptation.jdot_distance",
            )
        },
    }  # fmt: skip

    # Statistics of more than one galaxy.
    OF_SAMPLES: ClassVar = {"mmd": "MMD", "lmmd": "MMD of a class", "coral": "covariance of CORAL"}

    # Network -> keys of `model` that it does not have.
    LACKING: ClassVar = {"deepmerge": ("n_latent", "dropout")}

    @property
    def class_names(self):
        """Names of the classes, in the order of the network's outputs."""
        return {
            "merger": ("not merger", "merger"),
            "spiral_elliptical_merger": ("spiral", "elliptical", "merger"),
            "spiral_elliptical": ("spiral", "elliptical"),
        }[self.data.classes]

    def check(self):
        """Raise a ValueError where two choices contradict each other."""
        name = self.adaptation.name
        if name != "none" and self.adaptation.weight == 0:
            raise ValueError(f"'adaptation.name' is {name}, but 'adaptation.weight' is 0; give a weight, such as 0.05")
        check_transfer(self.transfer, name)
        if self.data.labels_part and self.data.n_labels is None:
            raise ValueError(
                f"'data.labels_part' is {self.data.labels_part}, but 'data.n_labels' is null: all galaxies are taken; "
                "give a number, or data.labels_part=0"
            )
        if self.data.labels_of == "target":
            self._check_labels_of_target()
        is_by_epoch = self.train.iterations is None
        if name != "none" and is_by_epoch and self.adaptation.warmup_epochs >= self.train.epochs:
            raise ValueError(
                f"'adaptation.warmup_epochs' is {self.adaptation.warmup_epochs:g} of {self.train.epochs} "
                f"'train.epochs', so {name} would have no weight; give fewer"
            )
        if name == "none" and self.adaptation.weighting == "learned":
            raise ValueError("'adaptation.weighting' is learned, but 'adaptation.name' is none; name a loss to weigh")
        if name in self.OF_SAMPLES and self.data.batch_size < 2:
            raise ValueError(
                f"'data.batch_size' is {self.data.batch_size}, the {self.OF_SAMPLES[name]} needs pairs; give 2 or more"
            )
        for option in self.LACKING.get(self.model.name, ()):
            if getattr(self.model, option) is not None:
                raise ValueError(
                    f"'model.{option}' is {getattr(self.model, option)!r}, but {self.model.name} has no such option; "
                    "set it to null"
                )

    def _check_labels_of_target(self):
        """Raise a ValueError if another choice takes it that the source has the labels."""
        for key, value, other in (
            ("scaling.preset", self.scaling.preset, "paper"), ("train.batch_norm", self.train.batch_norm, "domain")
        ):  # fmt: skip
            if value == other:
                raise ValueError(
                    f"'data.labels_of' is target, but '{key}' {other} gives each domain constants of its own; choose "
                    "another one"
                )
        if self.data.noise_augmentation or self.data.pixel_augmentation:
            raise ValueError(
                "'data.labels_of' is target, but 'data.noise_augmentation' and 'data.pixel_augmentation' change images "
                "of the source; set them to false and 0"
            )
