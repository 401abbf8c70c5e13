"""The choices of a photo-z run."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from photoz_morph.redshift_grid import RedshiftGrid


@dataclass(frozen=True)
class SimulationConfig:
    """The embedded default that `train` makes where no dataset was built; null where one must be given.

    `deep_fraction` of the galaxies are stacks of 10 to 64 frames, like those of Stripe 82.
    """

    n_galaxies: int | None = None
    seed: int = 1
    deep_fraction: float = 0.03


@dataclass(frozen=True)
class DataConfig:
    """How a prepared dataset is read.

    `train_fraction` is the part of the whole dataset that trains each network, at most that of the four training
    folds, 0.8. `train_on` is "all", "deep" (ten frames or more, Stripe 82) or "shallow" (the rest); test galaxies are
    always of all depths. Both are trials of Pasquet et al. (2019), Table 2.
    """

    n_validation: int = 500
    batch_size: int = 64
    train_fraction: float = 0.8
    train_on: str = "all"


@dataclass(frozen=True)
class InceptionConfig:
    """An inception network of the family of Pasquet et al. (2019), Table A1.

    `crop` is the side of the central square that is used [pixel]. A block is (s1, s2): its bottleneck width and the
    width of its larger convolutions; the last block has no 5x5 branch. `pool_after` lists the blocks, counted from 1,
    that a 2x2 average pool follows. `conv1_pool` is the pool after C1. With `photometric_inputs` the network sees
    dereddened pixels on several scales and aperture fluxes beside the flattened maps; without, raw pixels.
    """

    name: str = "inception_photoz"
    crop: int = 64
    conv1_filters: int = 64
    conv1_kernel: int = 5
    conv1_stride: int = 1
    conv1_pool: bool = True
    blocks: tuple[tuple[int, int], ...] = ((48, 64), (64, 92), (92, 128), (92, 128), (92, 128))
    pool_after: tuple[int, ...] = (2, 4)
    dense_units: int = 1096
    activation: str = "prelu"
    with_ebv: bool = True
    photometric_inputs: bool = False


@dataclass(frozen=True)
class TrainConfig:
    """How one network is fitted. Exactly one of `epochs` and `iterations` is given.

    `schedule`: "constant", "cosine" (to zero) or "halfway" (divided by five at half-way). `label_sigma` is the width
    of the Gaussian target in redshift bins; 0 is the hard one-hot bin.
    """

    epochs: int | None = None
    iterations: int | None = None
    learning_rate: float = 1e-4
    warmup_iterations: int = 0
    schedule: str = "halfway"
    label_sigma: float = 0.0
    precision: str = "float32"


@dataclass(frozen=True)
class PhotozConfig:
    """One photo-z experiment."""

    task: str = "photoz"
    survey: str = "sdss"
    seed: int = 1
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    redshift: RedshiftGrid = field(default_factory=RedshiftGrid)
    model: InceptionConfig = field(default_factory=InceptionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    DATASET_SIZES: ClassVar = "galaxies_per_fold"  # key of a run's dataset.json
    CHOICES: ClassVar = {
        "task": ("photoz",),
        "data.train_on": ("all", "deep", "shallow"),
        "model.name": ("inception_photoz",),
        "model.activation": ("prelu", "relu"),
        "train.schedule": ("constant", "cosine", "halfway"),
        "train.precision": ("float32", "mixed_bfloat16"),
    }
    POSITIVE: ClassVar = (
        "simulation.n_galaxies", "data.n_validation", "data.batch_size", "data.train_fraction", "model.crop",
        "model.conv1_filters", "model.conv1_kernel", "model.conv1_stride", "model.dense_units", "train.epochs",
        "train.iterations", "train.learning_rate",
    )  # fmt: skip
    RANGES: ClassVar = {
        "simulation.deep_fraction": (0, 1),
        "data.train_fraction": (0, 0.8),
        "train.label_sigma": (0, math.inf),
        "train.warmup_iterations": (0, math.inf),
    }

    def check(self):
        """Raise a ValueError where two choices contradict each other."""
        if (self.train.epochs is None) == (self.train.iterations is None):
            raise ValueError("give exactly one of 'train.epochs' and 'train.iterations'; the other is null")
