"""The choices of a morphology run."""

import math
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class MorphSimulationConfig:
    """The embedded default that `train` makes where no dataset was built; null where one must be given."""

    n_galaxies: int | None = None
    seed: int = 1


@dataclass(frozen=True)
class MorphDataConfig:
    """How a prepared dataset is read.

    `batch_size` counts the labelled Y10 images of a step; as many unlabelled Y1 images go with them. `classes`:
    "spiral_elliptical_merger", or "merger" for mergers against the rest. With `augment` each image is shown under a
    random flip or rotation of the square. Two defences act on the labelled Y10 images: with `noise_augmentation` each
    is shown with the noise of a random number of years, and `pixel_augmentation` is the probability that one random
    pixel of it takes a random corner of the range of the data.
    """

    batch_size: int = 32
    classes: str = "spiral_elliptical_merger"
    augment: bool = True
    noise_augmentation: bool = False
    pixel_augmentation: float = 0.0


@dataclass(frozen=True)
class ScalingConfig:
    """Pixels as the network sees them: arcsinh(softness x / q), q the 99.9th percentile of the Y10 training images.

    `preset` "paper" clips at the 0.1th and 99.9th percentile first and maps to (arcsinh(...) + 1) / 2, with the
    percentiles of each domain by itself, as in the code of Ciprijanovic et al. (2021).
    """

    preset: str = "default"
    softness: float = 0.85


@dataclass(frozen=True)
class ClassifierConfig:
    """A classifier with a latent layer; null takes what was published.

    `width` is the number of maps of the first convolution, `n_latent` the size of the latent layer (DeepMerge has none
    and takes its flattened maps), `dropout` that of the last maps (DeepMerge has none).
    """

    name: str = "resnet18"
    width: int | None = None
    n_latent: int | None = None
    dropout: float | None = None


@dataclass(frozen=True)
class AdaptationConfig:
    """The one thing in which the arms of a comparison differ.

    `name`: "none", "mmd", or "consistency" of the class probabilities of a galaxy at both depths. `estimator` of the
    MMD: "median", unbiased with bandwidths about the median distance, or "paper", biased with 19 fixed ones. The weight
    rises linearly over `ramp_epochs` after `warmup_epochs` without any.
    """

    name: str = "none"
    weight: float = 0.05
    estimator: str = "median"
    warmup_epochs: float = 0.0
    ramp_epochs: float = 0.0


@dataclass(frozen=True)
class MorphTrainConfig:
    """How one network is fitted: a fixed number of epochs for every arm, and the weights at their end.

    `weight_decay` is decoupled from the gradient (AdamW, kernels only) or, with `decay` "coupled", added to it for all
    weights, as in the code of Ciprijanovic et al. (2021). With `class_weights` the cross-entropy of a class is
    weighted by N / (n_classes n_class). `batch_norm`: statistics of "both" domains, which go through the network in one
    batch, or of the "source" alone.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    warmup_iterations: int = 0
    schedule: str = "cosine"
    weight_decay: float = 0.0
    decay: str = "decoupled"
    beta_1: float = 0.9
    beta_2: float = 0.999
    class_weights: bool = True
    batch_norm: str = "both"
    precision: str = "float32"


@dataclass(frozen=True)
class DefenceConfig:
    """What stands before a network once it is trained; the training, and its validation scores, are without.

    `test_time`: "none", "d4" (mean of logits and latents over the eight flips and rotations of the image) or "median"
    (3 x 3 median of each band).
    """

    test_time: str = "none"


@dataclass(frozen=True)
class MorphConfig:
    """One morphology experiment."""

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

    DATASET_SIZES: ClassVar = "galaxies_per_split"  # key of a run's dataset.json
    CHOICES: ClassVar = {
        "task": ("morph",),
        "survey": ("lsst",),
        "data.classes": ("spiral_elliptical_merger", "merger"),
        "scaling.preset": ("default", "paper"),
        "model.name": ("resnet18", "convnet", "deepmerge"),
        "adaptation.name": ("none", "mmd", "consistency"),
        "adaptation.estimator": ("median", "paper"),
        "train.schedule": ("constant", "cosine"),
        "train.decay": ("decoupled", "coupled"),
        "train.batch_norm": ("both", "source"),
        "train.precision": ("float32", "mixed_bfloat16"),
        "defence.test_time": ("none", "d4", "median"),
    }
    POSITIVE: ClassVar = (
        "simulation.n_galaxies", "data.batch_size", "scaling.softness", "model.width", "model.n_latent",
        "train.epochs", "train.learning_rate",
    )  # fmt: skip
    RANGES: ClassVar = {
        "data.pixel_augmentation": (0, 1),
        "model.dropout": (0, 0.99),
        "train.beta_1": (0, 0.9999),
        "train.beta_2": (0, 0.99999),
        **{
            key: (0, math.inf)
            for key in (
                "adaptation.weight", "adaptation.warmup_epochs", "adaptation.ramp_epochs", "train.weight_decay",
                "train.warmup_iterations",
            )
        },
    }  # fmt: skip

    @property
    def class_names(self):
        """Names of the classes, in the order of the network's outputs."""
        return {
            "merger": ("not merger", "merger"),
            "spiral_elliptical_merger": ("spiral", "elliptical", "merger"),
        }[self.data.classes]

    def check(self):
        """Raise a ValueError where two choices contradict each other."""
        name = self.adaptation.name
        if name != "none" and self.adaptation.weight == 0:
            raise ValueError(f"'adaptation.name' is {name}, but 'adaptation.weight' is 0; give a weight, such as 0.05")
