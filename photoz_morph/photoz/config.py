"""The choices of a photo-z run."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.simulation.seeds import MAX_SEED
from photoz_morph.surveys import SDSS, Survey
from photoz_morph.surveys.description import resampled_size
from photoz_morph.transfer.settings import MODES, STARTS, TransferConfig, check_transfer

MAX_REDSHIFT = 20.0  # no galaxy is known beyond
MAX_SHIFT = 4.0  # pixels; no catalogue is centred worse
MAX_BLOCKS = 40  # of the network; its weights have 256 seeds
OBSERVING = ("psf_fwhm", "sky_sigma", "n_frames")  # conditions per band that a network may be told
SMALLEST_LABEL_SIGMA = 0.01  # redshift bins; narrower Gaussians are the hard bin


@dataclass(frozen=True)
class SimulationConfig:
    """The simulated dataset that `photoz train` makes where no dataset was built.

    Attributes
    ----------
    n_galaxies : int, optional
        Galaxies to simulate; null where a dataset must be given [galaxies].
    seed : int
        Seed of the simulation.
    deep_fraction : float
        Fraction of the galaxies that are stacks of 10 to 64 frames, like those of Stripe 82 [dimensionless].
    """

    n_galaxies: int | None = None
    seed: int = 1
    deep_fraction: float = 0.03


@dataclass(frozen=True)
class DataConfig:
    """Reading of the prepared dataset.

    Attributes
    ----------
    n_validation : int
        Galaxies set aside from the training folds to score each epoch on, and as many more as complete the last group
        of one `group_id` [galaxies].
    batch_size : int
        Galaxies in one step of the optimizer [galaxies].
    train_fraction : float
        Fraction of the whole dataset that trains each network, at most that of the four training folds, 0.8; less is a
        trial of Pasquet et al. (2019), Table 2 [dimensionless].
    train_on : str
        Train on all galaxies, on deep stacks (ten frames or more, Stripe 82) or on the shallow rest. Test galaxies are
        always of all depths. Also a trial of Table 2.
    extra_ebv : float
        Largest E(B-V) by which a galaxy is dimmed and reddened in training, anew in each epoch; the network is told the
        sum [mag].
    shift : float
        Largest shift of an image in training, along rows and along columns [pixel].
    rotation : str
        Rotations in training: those of the square, or of any angle.
    n_labels : int, optional
        Galaxies with redshift that train each network, chosen by the hash of `group_id`, those of a small number
        among those of a larger one; null for all [galaxies].
    labels_part : int
        Which galaxies these are: another number chooses others [dimensionless].
    """

    n_validation: int = 500
    batch_size: int = 64
    train_fraction: float = 0.8
    train_on: str = "all"
    extra_ebv: float = 0.0
    shift: float = 0.0
    rotation: str = "square"
    n_labels: int | None = None
    labels_part: int = 0


@dataclass(frozen=True)
class InceptionConfig:
    """An inception network of the family of Pasquet et al. (2019), Table A1.

    Attributes
    ----------
    name : str
        Network, a key of the registry of models.
    crop : int, optional
        Side of the central square of the stamp that the network sees; null for the whole stamp [pixel].
    conv1_filters : int
        Filters of the first convolution, C1 [filters].
    conv1_kernel : int
        Side of its kernel [pixel].
    conv1_stride : int
        Its stride [pixel].
    conv1_pool : bool
        Whether a 2x2 pool follows C1.
    blocks : tuple of (int, int)
        For each inception block its bottleneck width and the width of its larger convolutions; the last block has no
        5x5 branch. Without blocks there are no convolutions: the network sees what `photometric_inputs` measures
        [filters].
    pool_after : tuple of int
        Blocks, counted from 1, that a 2x2 pool follows.
    dense_units : int
        Units of each fully connected layer [units].
    activation : str
        Activation after every convolution.
    with_ebv : bool
        Whether the network is given E(B-V) beside the image.
    photometric_inputs : bool
        Whether the network sees dereddened pixels on several scales and aperture fluxes beside the flattened maps; if
        not, raw pixels.
    apertures : str
        Apertures of `photometric_inputs`: fixed circles, or ellipses that follow the galaxy and hold the same light
        before the seeing in all bands, with its shape.
    observing : tuple of str
        Observing conditions per band that the network is told: psf_fwhm, sky_sigma, n_frames. Where a dataset or a
        catalogue does not know one, it is that of a typical galaxy of the training set.
    dense_activation : str
        Activation of the fully connected layers.
    photometric_layers : int
        Fully connected layers that the aperture fluxes pass before they join the maps at FC2; 0 joins them as they are
        [layers].
    dropout : float
        Fraction of the outputs of each fully connected layer that is dropped in training [dimensionless].
    pooling : str
        What each pool takes of its 2x2 pixels: the average or the maximum.
    batch_norm : bool
        Whether each convolution is normalised over the batch before its activation.
    compression : str
        Dynamic range of the raw pixels, where there are no `photometric_inputs`: as they are, or on an asinh scale that
        is linear below the survey's sky_sigma or, if it has none, its asinh_softening.
    band_subsets : tuple of tuple of str
        Sets of bands, such as [[u, g], [g, r]], that pass a first convolution and blocks of their own before their maps
        join those of all bands.
    band_subset_blocks : int
        How many blocks each of `band_subsets` passes before that [blocks].
    pixel_scale : float, optional
        Side of the pixels that the network sees; stamps of another scale are resampled first. Null for the survey's
        pixels [arcsec].
    sky_sigma : tuple of float, optional
        Noise of these pixels, one per band, in whose units the network sees pixels and fluxes; null for the survey's
        own [image unit].
    """

    name: str = "inception_photoz"
    crop: int | None = 64
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
    apertures: str = "circular"
    observing: tuple[str, ...] = ()
    dense_activation: str = "relu"
    photometric_layers: int = 0
    dropout: float = 0.0
    pooling: str = "average"
    batch_norm: bool = False
    compression: str = "none"
    band_subsets: tuple[tuple[str, ...], ...] = ()
    band_subset_blocks: int = 1
    pixel_scale: float | None = None
    sky_sigma: tuple[float, ...] | None = None


@dataclass(frozen=True)
class TrainConfig:
    """Fit of one network. Exactly one of `epochs` and `iterations` is given.

    Attributes
    ----------
    epochs : int, optional
        Passes through the training galaxies [epochs].
    iterations : int, optional
        Steps of the optimizer, instead of `epochs` [iterations].
    learning_rate : float
        Learning rate of Adam after the warm-up [dimensionless].
    warmup_iterations : int
        Steps over which the learning rate rises linearly from zero [iterations].
    schedule : str
        Learning rate after the warm-up: constant, cosine to zero, or divided by five at half-way. Or one_cycle, which
        has its own warm-up: linear to `learning_rate` over the first 30 % of the training, then a cosine to zero.
    loss : str
        Cross-entropy, or the continuous ranked probability score of the binned PDF, to which near bins are better than
        far ones.
    label_sigma : float
        Standard deviation of the Gaussian target; 0 is the one-hot bin of z_spec [redshift bins].
    weight_decay : float
        Decoupled weight decay of AdamW; with 0 the optimizer is Adam [dimensionless].
    ema_momentum : float
        Momentum of a moving average of the weights, over about 1 / (1 - momentum) iterations, which is validated and
        saved instead of the last weights; 0 for none [dimensionless].
    auxiliary_weight : float
        Weight of the loss of a second head, which predicts size, axis ratio, bulge fraction and magnitudes, what of
        them the dataset knows, and which is not saved; 0 for none [dimensionless].
    teacher : str, optional
        Run folder whose ensembles teach, fold by fold: the target is their mean PDF of a galaxy, not its z_spec. See
        `photoz distill`.
    precision : str
        Keras dtype policy of the network.
    initial_weights : str, optional
        Run folder of `photoz pretrain`, whose network of a fold the training of that fold starts from; null for random
        weights.
    """

    epochs: int | None = None
    iterations: int | None = None
    learning_rate: float = 1e-4
    warmup_iterations: int = 0
    schedule: str = "halfway"
    loss: str = "cross_entropy"
    label_sigma: float = 0.0
    weight_decay: float = 0.0
    ema_momentum: float = 0.0
    auxiliary_weight: float = 0.0
    teacher: str | None = None
    precision: str = "float32"
    initial_weights: str | None = None


@dataclass(frozen=True)
class PretrainConfig:
    """The triple loss of `photoz pretrain` and the two views of a galaxy that it compares.

    The length and learning rate of the pre-training are those of `train`.

    Attributes
    ----------
    contrast : float
        Weight of the contrast between views of a galaxy and of others [dimensionless].
    colours : float
        Weight of the colours of the magnitudes that are known [dimensionless].
    redshift : float
        Weight of the redshifts that are known; 0 makes it self-supervised [dimensionless].
    temperature : float
        By which the contrast divides the cosines between projections [dimensionless].
    projection_units : int
        Units of both layers of the projection [units].
    noise : float
        Largest noise that a view adds, in units of the survey's sky_sigma [dimensionless].
    shift : int
        Largest shift of a view along each axis [pixel].
    extra_ebv : float
        Largest E(B-V) by which a view is dimmed and reddened; the network is told the sum [mag].
    """

    contrast: float = 1.0
    colours: float = 1.0
    redshift: float = 1.0
    temperature: float = 0.1
    projection_units: int = 64
    noise: float = 0.5
    shift: int = 2
    extra_ebv: float = 0.05


@dataclass(frozen=True)
class RedshiftAdaptationConfig:
    """Adaptation to galaxies without redshifts, of another depth or of another dataset of the survey.

    Attributes
    ----------
    name : str
        Loss between source and target, one of `photoz_morph.adaptation.losses`: none, Maximum Mean Discrepancy of the
        latents, the same weighted by the PDFs, covariances, optimal transport, a discriminator of the latents, or one
        of latents and PDFs.
    target_dir : str, optional
        Prepared dataset of the target; null for the dataset that is trained on, at another depth.
    target_depth : str
        Target galaxies: all, deep stacks or shallow ones, as `data.train_on`.
    weight : float
        Weight of that loss against the loss of the PDFs [dimensionless].
    warmup_epochs : float
        Epochs in which the weight is zero [epochs].
    ramp_epochs : float
        Epochs after these over which the weight rises linearly [epochs].
    estimator : str
        Estimator of the MMD, local or not: unbiased with bandwidths about the median distance, or biased with 19 fixed
        bandwidths.
    n_groups : int
        Groups of neighbouring redshift bins, with equally many source galaxies of a batch each, within which the local
        MMD compares the domains [groups].
    discriminator_width : int
        Units of each of the two hidden layers of the discriminator of DANN and CDAN [units].
    discriminator_dropout : float
        Dropped fraction of these [dimensionless].
    entropy_conditioning : bool
        Whether CDAN counts galaxies by how narrow their PDF is (CDAN+E).
    """

    name: str = "none"
    target_dir: str | None = None
    target_depth: str = "all"
    weight: float = 0.1
    warmup_epochs: float = 0.0
    ramp_epochs: float = 0.0
    estimator: str = "median"
    n_groups: int = 8
    discriminator_width: int = 256
    discriminator_dropout: float = 0.5
    entropy_conditioning: bool = False


@dataclass(frozen=True)
class PhotozConfig:
    """One photo-z experiment.

    Attributes
    ----------
    task : str
        Chain that the config is for.
    survey : Survey
        Survey of the images: the name of a shipped one (`photoz survey list`), or the path of its description. A run
        folder holds the description whole.
    seed : int
        Seed of weights, order and augmentation; each network derives its own from it.
    """

    task: str = "photoz"
    survey: Survey = SDSS
    seed: int = 1
    simulation: SimulationConfig = field(default_factory=SimulationConfig)
    data: DataConfig = field(default_factory=DataConfig)
    redshift: RedshiftGrid = field(default_factory=RedshiftGrid)
    model: InceptionConfig = field(default_factory=InceptionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    adaptation: RedshiftAdaptationConfig = field(default_factory=RedshiftAdaptationConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)

    DATASET_SIZES: ClassVar = "galaxies_per_fold"  # key of a run's dataset.json
    CHOICES: ClassVar = {
        "task": ("photoz",),
        "data.train_on": ("all", "deep", "shallow"),
        "data.rotation": ("square", "any"),
        "model.name": ("inception_photoz",),
        "model.activation": ("prelu", "relu"),
        "model.apertures": ("circular", "psf_matched"),
        "model.dense_activation": ("relu", "gelu"),
        "model.pooling": ("average", "max"),
        "model.compression": ("none", "asinh"),
        "train.schedule": ("constant", "cosine", "halfway", "one_cycle"),
        "train.loss": ("cross_entropy", "crps"),
        "train.precision": ("float32", "mixed_bfloat16"),
        "adaptation.name": ("none", "mmd", "lmmd", "coral", "dann", "cdan", "sinkhorn"),
        "adaptation.target_depth": ("all", "deep", "shallow"),
        "adaptation.estimator": ("median", "paper"),
        "transfer.mode": MODES,
        "transfer.head": STARTS,
    }
    POSITIVE: ClassVar = (
        "simulation.n_galaxies", "data.n_validation", "data.batch_size", "data.train_fraction", "model.crop",
        "model.pixel_scale", "data.n_labels", "model.conv1_filters", "model.conv1_kernel", "model.conv1_stride",
        "model.dense_units", "train.epochs", "train.iterations", "train.learning_rate", "pretrain.temperature",
        "pretrain.projection_units",
        "adaptation.discriminator_width",
    )  # fmt: skip
    RANGES: ClassVar = {
        "seed": (0, math.inf),
        "simulation.seed": (0, MAX_SEED),
        "simulation.deep_fraction": (0, 1),
        "data.train_fraction": (0, 0.8),
        "data.extra_ebv": (0, 1),
        "data.shift": (0, MAX_SHIFT),
        "redshift.z_min": (-0.1, MAX_REDSHIFT),
        "redshift.z_max": (-0.1, MAX_REDSHIFT),
        "redshift.n_bins": (2, math.inf),
        "model.dropout": (0, 0.9),
        "model.photometric_layers": (0, 10),
        "train.learning_rate": (0, 1),
        "train.label_sigma": (0, math.inf),
        "train.weight_decay": (0, 1),
        "train.ema_momentum": (0, 0.9999),
        "train.auxiliary_weight": (0, 100),
        "train.warmup_iterations": (0, math.inf),
        "pretrain.contrast": (0, 1000),
        "pretrain.colours": (0, 1000),
        "pretrain.redshift": (0, 1000),
        "pretrain.temperature": (0, 10),
        "pretrain.noise": (0, 10),
        "pretrain.shift": (0, 16),
        "pretrain.extra_ebv": (0, 1),
        "adaptation.weight": (0, math.inf),
        "adaptation.warmup_epochs": (0, math.inf),
        "adaptation.ramp_epochs": (0, math.inf),
        "adaptation.n_groups": (1, math.inf),
        "adaptation.discriminator_dropout": (0, 0.99),
        "data.labels_part": (0, 10**6),
        **TransferConfig.RANGES,
    }

    def check(self):
        """Raise a ValueError where two choices contradict each other."""
        if (self.train.epochs is None) == (self.train.iterations is None):
            raise ValueError("give exactly one of 'train.epochs' and 'train.iterations'; the other is null")
        if self.train.iterations is not None and self.train.warmup_iterations >= self.train.iterations:
            raise ValueError(
                f"'train.warmup_iterations' is {self.train.warmup_iterations}, the whole training has "
                f"'train.iterations' {self.train.iterations}; give fewer"
            )
        if self.train.schedule == "one_cycle" and self.train.warmup_iterations:
            raise ValueError(
                f"'train.warmup_iterations' is {self.train.warmup_iterations}, but 'train.schedule' is one_cycle, "
                "which has its own warm-up; give 0"
            )
        if self.train.teacher is not None and self.train.label_sigma:
            raise ValueError(
                f"'train.teacher' is {self.train.teacher!r}, whose PDFs are the target, but 'train.label_sigma' is "
                f"{self.train.label_sigma}; give 0"
            )
        if self.data.extra_ebv and not self.model.with_ebv:
            raise ValueError(
                f"'data.extra_ebv' is {self.data.extra_ebv}, but 'model.with_ebv' is false: the network is not told; "
                "set it to true, or give 0"
            )
        sigma, n_bins = self.train.label_sigma, self.redshift.n_bins
        if sigma and not SMALLEST_LABEL_SIGMA <= sigma <= n_bins:
            raise ValueError(
                f"'train.label_sigma' is {sigma} bins; give 0 for the bin of z_spec alone, or {SMALLEST_LABEL_SIGMA} "
                f"to the {n_bins} bins of the grid"
            )
        if self.train.initial_weights is not None and not self.train.initial_weights.strip():
            raise ValueError(
                "'train.initial_weights' is empty; name the run folder of `photoz pretrain`, or give null"
            )
        if not (self.pretrain.contrast or self.pretrain.colours or self.pretrain.redshift):
            raise ValueError("'pretrain.contrast', 'colours' and 'redshift' are all 0; give one of them a weight")
        if self.data.labels_part and self.data.n_labels is None:
            raise ValueError(
                f"'data.labels_part' is {self.data.labels_part}, but 'data.n_labels' is null: all galaxies are "
                "taken; give a number, or data.labels_part=0"
            )
        if self.data.n_labels is not None and (self.data.train_on, self.data.train_fraction) != ("all", 0.8):
            raise ValueError(
                f"'data.n_labels' is {self.data.n_labels}, which goes with galaxies of all depths and no other "
                "fraction of them; leave out data.train_on and data.train_fraction"
            )
        if self.adaptation.name != "none":
            self._check_adaptation()
        check_transfer(self.transfer, self.adaptation.name)
        if self.transfer.source is not None and self.train.initial_weights is not None:
            raise ValueError(
                "'transfer.source' and 'train.initial_weights' are both given; a training starts from one of them"
            )
        self._check_network()

    def _check_adaptation(self):
        """Raise a ValueError if an adaptation would have no target or no weight, or goes with another choice badly."""
        adaptation, data, name = self.adaptation, self.data, self.adaptation.name
        if adaptation.weight == 0:
            raise ValueError(f"'adaptation.name' is {name}, but 'adaptation.weight' is 0; give a weight, such as 0.1")
        if adaptation.target_dir is not None and not adaptation.target_dir.strip():
            raise ValueError("'adaptation.target_dir' is empty; name a prepared dataset, or give null")
        if adaptation.target_dir is None and (adaptation.target_depth == "all" or data.train_on == "all"):
            raise ValueError(
                f"'adaptation.name' is {name}, but it has no target: give 'adaptation.target_dir', or two depths of "
                "one dataset, such as data.train_on=shallow and adaptation.target_depth=deep"
            )
        if adaptation.target_dir is None and adaptation.target_depth == data.train_on:
            raise ValueError(
                f"'adaptation.target_depth' and 'data.train_on' are both {data.train_on}, so source and target would "
                "be the same galaxies; give the other depth, or 'adaptation.target_dir'"
            )
        if self.train.epochs is not None and adaptation.warmup_epochs >= self.train.epochs:
            raise ValueError(
                f"'adaptation.warmup_epochs' is {adaptation.warmup_epochs:g} of {self.train.epochs} 'train.epochs', so "
                f"{name} would have no weight; give fewer"
            )
        if self.train.auxiliary_weight:
            raise ValueError(
                f"'train.auxiliary_weight' is {self.train.auxiliary_weight}, but a training with 'adaptation.name' "
                f"{name} has no second head; give 0, or adaptation.name=none"
            )
        if data.batch_size < 2 * adaptation.n_groups and name == "lmmd":
            raise ValueError(
                f"'adaptation.n_groups' is {adaptation.n_groups}, and a batch of {data.batch_size} has not two "
                "galaxies of each group; give fewer, or raise data.batch_size"
            )
        if data.batch_size < 2 and name in ("mmd", "coral"):
            raise ValueError(f"'data.batch_size' is {data.batch_size}, but {name} needs pairs; give 2 or more")

    def _check_network(self):
        """Raise a ValueError if the network cannot be built, or a choice of it does nothing."""
        model, survey = self.model, self.survey
        scale = model.pixel_scale or survey.pixel_scale
        size = resampled_size(survey.stamp_size, survey.pixel_scale, scale)
        if size < 1:
            raise ValueError(
                f"'model.pixel_scale' is {scale:g}, more than the stamps of {survey.name} are wide; give less, or null"
            )
        crop = model.crop or size
        if crop > size:
            raise ValueError(
                f"'model.crop' is {crop}, the stamps of {survey.name} have {size} pixels; give less, or "
                "null for the whole stamp"
            )
        if model.sky_sigma is not None:
            self._check_sky_sigma()
        elif model.photometric_inputs and survey.sky_sigma is None:
            raise ValueError(
                f"'model.photometric_inputs' is true, but the description of survey {survey.name} has no sky_sigma, "
                "the noise that scales them; add it there, or set model.photometric_inputs=false"
            )
        if model.apertures == "psf_matched":
            self._check_psf_matched()
        if model.photometric_layers and not model.photometric_inputs:
            raise ValueError(
                f"'model.photometric_layers' is {model.photometric_layers}, but 'model.photometric_inputs' is false; "
                "set it to true, or give 0"
            )
        if model.compression == "asinh":
            self._check_compression()
        if len(set(model.observing)) < len(model.observing) or not set(model.observing) <= set(OBSERVING):
            raise ValueError(
                f"'model.observing' is {list(model.observing)}; name each condition once, of {', '.join(OBSERVING)}"
            )
        for name in ("conv1_kernel", "conv1_stride"):
            if getattr(model, name) > crop:
                raise ValueError(
                    f"'model.{name}' is {getattr(model, name)}, the network sees {crop} pixels ('model.crop'); "
                    "give less"
                )
        blocks, pools = model.blocks, model.pool_after
        if not blocks:
            self._check_no_convolutions()
            return
        if len(blocks) > MAX_BLOCKS:
            raise ValueError(f"'model.blocks' lists {len(blocks)} blocks; give at most {MAX_BLOCKS}")
        if min(width for block in blocks for width in block) < 1:
            raise ValueError(f"'model.blocks' is {[list(block) for block in blocks]}; widths are positive")
        if len(set(pools)) < len(pools) or not set(pools) <= set(range(1, len(blocks) + 1)):
            raise ValueError(
                f"'model.pool_after' is {list(pools)}; name each block once, of 1 to {len(blocks)} ('model.blocks')"
            )
        self._check_band_subsets()
        side = -(-crop // model.conv1_stride)
        for _ in range(model.conv1_pool + len(pools)):
            if side == 1:
                raise ValueError(
                    f"'model.pool_after' {list(pools)}: with 'model.crop' {crop} and 'model.conv1_stride' "
                    f"{model.conv1_stride} a map of one pixel would be pooled; pool less often"
                )
            side = -(-side // 2)

    def _check_sky_sigma(self):
        """Raise a ValueError if the noise is not that of the survey's bands, or not used."""
        sigma, survey = self.model.sky_sigma, self.survey
        if len(sigma) != survey.n_bands or not min(sigma) > 0:
            raise ValueError(
                f"'model.sky_sigma' is {list(sigma)}; give a positive number for each of {', '.join(survey.bands)}"
            )
        if not self.model.photometric_inputs and self.model.compression == "none":
            raise ValueError(
                "'model.sky_sigma' is given, but the network sees raw pixels, which have no scale; give null, or set "
                "model.photometric_inputs=true or model.compression=asinh"
            )

    def _check_no_convolutions(self):
        """Raise a ValueError if a network without blocks would see nothing, or a choice is about its convolutions."""
        model = self.model
        if not model.photometric_inputs:
            raise ValueError(
                "'model.blocks' is empty and 'model.photometric_inputs' false, so that the network would see nothing; "
                "list blocks, or set the other to true"
            )
        if model.pool_after or model.band_subsets or model.batch_norm:
            raise ValueError(
                "'model.blocks' is empty, so 'model.pool_after', 'model.band_subsets' and 'model.batch_norm' have no "
                "block to change; give [], [] and false"
            )

    def _check_psf_matched(self):
        """Raise a ValueError if PSF-matched apertures cannot be placed, or would not be used."""
        if not self.model.photometric_inputs:
            raise ValueError(
                "'model.apertures' is psf_matched, but 'model.photometric_inputs' is false; set it to true, or leave "
                "the apertures circular"
            )
        if self.survey.psf_fwhm is None:
            raise ValueError(
                f"'model.apertures' is psf_matched, but the description of survey {self.survey.name} has no psf_fwhm, "
                "the seeing where a galaxy's own is unknown; add it there, or set model.apertures=circular"
            )

    def _check_compression(self):
        """Raise a ValueError if raw pixels cannot be compressed, or there are none."""
        if self.model.photometric_inputs:
            raise ValueError(
                "'model.compression' is asinh, but 'model.photometric_inputs' is true, which has scales of its own; "
                "set one of them to none or false"
            )
        if self.model.sky_sigma is None and self.survey.pixel_softening is None:
            raise ValueError(
                f"'model.compression' is asinh, but the description of survey {self.survey.name} has neither sky_sigma "
                "nor asinh_softening, below which the scale is linear; add one there, or set model.compression=none"
            )

    def _check_band_subsets(self):
        """Raise a ValueError if a branch of some bands has none of its own, or is there twice."""
        model, bands = self.model, self.survey.bands
        names = {band for subset in model.band_subsets for band in subset}
        if unknown := [band for band in sorted(names) if band not in bands]:
            raise ValueError(
                f"'model.band_subsets' names band {unknown[0]!r}, survey {self.survey.name} has {', '.join(bands)}"
            )
        seen = {frozenset(bands)}
        for subset in model.band_subsets:
            if not subset or len(set(subset)) < len(subset) or frozenset(subset) in seen:
                raise ValueError(
                    f"'model.band_subsets' holds {list(subset)}; give sets of some, not all, of {', '.join(bands)}, "
                    "each set and each band in it once"
                )
            seen.add(frozenset(subset))
        if not model.band_subsets and model.band_subset_blocks != 1:
            raise ValueError(
                f"'model.band_subset_blocks' is {model.band_subset_blocks}, but there are no 'model.band_subsets'; "
                "name some, or give 1"
            )
        if not 1 <= model.band_subset_blocks <= len(model.blocks):
            raise ValueError(
                f"'model.band_subset_blocks' is {model.band_subset_blocks}; give 1 to {len(model.blocks)} "
                "('model.blocks')"
            )
