"""Photo-z experiment for the training loop: data, network, loss and validation scores."""

from functools import cached_property, partial
from pathlib import Path

import keras
import numpy as np

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.datasets import reading
from photoz_morph.metrics.redshifts.point_scores import residuals, sigma_mad
from photoz_morph.models.layers.photometric_inputs import adapt_to_training_set
from photoz_morph.models.layers.psf_matched import measured_photometry, takes_photometry
from photoz_morph.models.loading import LAYERS, load_network
from photoz_morph.models.registry import build_model, layer_precision
from photoz_morph.photoz import dataset
from photoz_morph.photoz.adaptation.batches import DomainBatches
from photoz_morph.photoz.adaptation.network import adapted_network, pdf_of
from photoz_morph.photoz.adaptation.target import TargetGalaxies
from photoz_morph.photoz.splits import splits_of
from photoz_morph.photoz.teacher import Teacher
from photoz_morph.photoz.transfer.source import Source
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.training.auxiliary import (
    HEAD,
    AuxiliaryTargets,
    KnownTargetsLoss,
    with_auxiliary_head,
)
from photoz_morph.training.averaging import check_momentum
from photoz_morph.training.kept_model import KeptModel
from photoz_morph.training.losses import pdf_loss
from photoz_morph.training.schedules import learning_rate_schedule
from photoz_morph.transfer.fine_tuning import copy_merged_weights, prepared
from photoz_morph.transfer.rates import adam

AUXILIARY = ("r_e", "axis_ratio", "bulge_to_total", "mags")  # columns that a second head predicts
# Training galaxies on which the whitening of the aperture fluxes is measured, and how many at once, since each batch
# is measured operation by operation; our choice.
N_ADAPTATION, ADAPTATION_BATCH = 2000, 500


class PhotozExperiment:
    """A config and its dataset.

    Parameters
    ----------
    config : PhotozConfig
    data_dir : path-like
        Prepared dataset.

    Attributes
    ----------
    columns : KeptGalaxies
        What of the dataset has been read.
    """

    def __init__(self, config, data_dir):
        self.config, self.builder = config, dataset.open_dataset(data_dir, config.survey)
        self.n_folds = len(dataset.split_sizes(self.builder))
        teacher, others = config.train.teacher, AUXILIARY if config.train.auxiliary_weight else ()
        self._teacher = None if teacher is None else Teacher(teacher, config, self.builder)
        others += self._teacher.observing if self._teacher else ()
        self._target = None if config.adaptation.name == "none" else TargetGalaxies(config, self.builder)
        self._source = None if config.transfer.source is None else Source(config, self.builder)
        self.columns, self._splits_of = dataset.training_columns(self.builder, config.model.observing, others), {}

    def dataset_description(self):
        """Description of the dataset for the run folder, and of another one that the networks are adapted to."""
        target = self._target and self._target.description()
        transfer = self._source and self._source.description()
        return ({"target": target} if target else {}) | ({"transfer": transfer} if transfer else {}) | {
            "path": str(Path(self.builder.data_dir).resolve()),
            "name": self.builder.info.full_name,
            "origin": self.builder.info.metadata["origin"],
            "galaxies_per_fold": dataset.split_sizes(self.builder),
            "content_hash": reading.content_hash(self.builder),
            "images": reading.image_metadata(self.builder),
        }

    def check_start(self, fold, n_members):
        """Raise a ValueError if the networks of a fold cannot be trained, or have no network to start from."""
        n_galaxies = self.n_training(fold)
        if n_galaxies < self.config.data.batch_size:
            raise ValueError(
                f"data.batch_size is {self.config.data.batch_size}, there are {n_galaxies} training galaxies; lower it"
            )
        if self._source:
            self._source.check(fold, n_members)
            self._source.check_validation(fold)

    def n_training(self, fold):
        """Training galaxies of a fold."""
        return dataset.count_at_depth(self.builder, self._splits(fold).train, self.config.data.train_on, self.columns)

    def fold(self, fold):
        """Data, network and scores of one fold."""
        splits, taught = self._splits(fold), None
        if self._teacher:
            depth = self.config.data.train_on
            dataset.keep_in_memory(self.builder, splits, depth, self.columns)
            taught = self._teacher.pdfs(fold, splits.train, depth, self.columns)
        target = self._target and self._target.batches(fold)
        start = self._source and partial(self._source.give_weights, fold=fold)
        if self._source:
            self._source.check_validation(fold)
        initial = initial_weights(self.config, fold)
        return PhotozFold(self.config, self.builder, splits, self.columns, taught, initial, target, start)

    def member_name(self, fold, member):
        """Name of a network in messages."""
        return f"fold {fold} member {member}"

    def _splits(self, fold):
        if fold not in self._splits_of:
            self._splits_of[fold] = splits_of(self.config, self.builder, fold)
        return self._splits_of[fold]


class PhotozFold:
    """Training and validation galaxies of one fold, with the network and its scores."""

    _initial_weights = _start = kept_model = None
    _is_measured = False

    def __init__(
        self, config, builder, splits, columns_of, taught=None, initial_weights=None, target=None, start=None
    ):  # fmt: skip
        self.config, self._initial_weights, self._start = config, initial_weights, start
        batch_size, depth = config.data.batch_size, config.data.train_on
        dataset.keep_in_memory(builder, splits, depth, columns_of)
        columns = {split: columns_of(split) for split in (splits.train, splits.validation)}
        for split, part in columns.items():
            dataset.check_redshifts(part, config.redshift, builder.data_dir)
            if not at_depth(part["n_frames"], depth).any():
                raise ValueError(
                    f"{builder.data_dir}: none of {len(part['z_spec'])} galaxies of {split} is {depth}, or n_frames "
                    "is unknown; give another data.train_on or --data-dir"
                )
        auxiliary = None
        if config.train.auxiliary_weight:
            auxiliary = AuxiliaryTargets.of_training_set(columns[splits.train], AUXILIARY, builder.data_dir)
        self.train = dataset.PhotozBatches(
            builder, splits.train, config.redshift, batch_size, config.train.label_sigma, depth, columns_of,
            config.model.observing, dataset.augmentations_of(config), auxiliary, taught,
        )  # fmt: skip
        self.train = self.train if target is None else DomainBatches(self.train, target)
        validation = columns[splits.validation]
        self._z_spec = validation["z_spec"][at_depth(validation["n_frames"], depth)]
        self._splits = splits
        is_plain = config.adaptation.name == "none" and start is None
        self.kept_model = KeptModel() if is_plain else None  # of the others, networks differ in more than variables
        if is_plain and config.model.photometric_inputs and config.model.apertures == "psf_matched":
            self._is_measured = self.train.only_turns and columns_of.has(splits.validation)
        self._batches = partial(
            dataset.image_batches, builder, depth=depth, columns=columns_of, observing=config.model.observing
        )
        self._validation = self._batches(splits.validation, batch_size)
        self.adaptation_sample = _sample(self._batches(splits.train, ADAPTATION_BATCH))

    @cached_property
    def _photometry(self):
        """What `measured_photometry` gives of the training and of the validation galaxies."""
        network, splits = build_model(self.config), self._splits
        return {
            name: measured_photometry(network, self._batches(split, ADAPTATION_BATCH))
            for name, split in (("train", splits.train), ("validation", splits.validation))
        }

    def _photometry_for(self, model, name):
        """That of the galaxies of a split, for a network that takes it, or None."""
        return self._photometry[name] if self._is_measured and takes_photometry(model) else None

    def new_network(self, n_iterations, seed):
        """Build and compile a network, its data-dependent layers adapted to the training set or pre-trained; of a
        training with two domains, in its wrapper."""
        if self._start:
            with layer_precision(self.config.train.precision):
                network = build_model(self.config, seed)
            self._start(network, seed=seed, sample=self.adaptation_sample)
            model = compiled(*prepared(network, self.config.transfer, seed), self.config, n_iterations, seed)
            return self._wrapped(model, n_iterations, seed)
        model = new_network(self.config, n_iterations, seed, self._is_measured)
        photometry = self._photometry_for(model, "train")
        if self._is_measured:
            self.train.measured = photometry
        if self._initial_weights:
            for layer in load_network(self._initial_weights).layers:  # a second head is not among them
                if layer.weights:
                    model.get_layer(layer.name).set_weights(layer.get_weights())
        else:
            sample = self.adaptation_sample
            if photometry:
                sample = _sample(self._batches(self._splits.train, ADAPTATION_BATCH, others=photometry))
            adapt_to_training_set(model, sample)
        return self._wrapped(model, n_iterations, seed)

    def _wrapped(self, model, n_iterations, seed):
        """A compiled network, in the wrapper of a training with two domains if it is one."""
        if self.config.adaptation.name == "none":
            return model
        return adapted_network(model, self.config, self.train.steps_per_epoch, n_iterations, seed)

    def load_checkpoint(self, path):
        """Load a network with its optimizer."""
        model = load_network(path, compile=True)
        if self._is_measured:  # one of an earlier version measures for itself
            self.train.measured = self._photometry_for(model, "train")
        return model

    def trained_network(self, model):
        """The network without its optimizer, two thirds of the file, and without a second head or a wrapper."""
        is_adapted = self.config.adaptation.name != "none"
        if self.config.train.auxiliary_weight or is_adapted or self._start or self._is_measured:
            with layer_precision(self.config.train.precision):
                network = build_model(self.config)
            copy_merged_weights(model.classifier if is_adapted else model, network)
            return network
        network = keras.Model.from_config(model.get_config(), LAYERS)
        network.set_weights(model.get_weights())
        return network

    def validate(self, model):
        """Loss against the hard bin, and sigma_MAD, of the validation galaxies."""
        galaxies, photometry = self._validation, self._photometry_for(model, "validation")
        if photometry:
            galaxies = self._batches(self._splits.validation, self.config.data.batch_size, others=photometry)
        pdf = pdf_of(model.predict(galaxies, verbose=0))
        grid = self.config.redshift
        bins = grid.bin_index(self._z_spec)
        if self.config.train.loss == "crps":
            loss = pdf_loss("crps")(np.eye(grid.n_bins, dtype=np.float32)[bins], pdf)
        else:
            probability = pdf[np.arange(len(pdf)), bins]
            loss = -np.mean(np.log(np.maximum(probability, keras.config.epsilon())))
        scatter = sigma_mad(residuals(grid.expectation(pdf), self._z_spec))
        return {"validation_loss": float(loss), "validation_sigma_mad": float(scatter)}


def _sample(batches):
    """The first galaxies of batches, on which layers are adapted."""
    return batches.take(N_ADAPTATION // ADAPTATION_BATCH)


def initial_weights(config, fold):
    """Network that the training of a fold starts from.

    Parameters
    ----------
    config : PhotozConfig
    fold : int

    Returns
    -------
    Path or None
        Its `model.keras`; None for random weights.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run of `photoz pretrain`, its network is another one, or that of the fold is not finished.
    """
    run_dir = config.train.initial_weights
    if run_dir is None:
        return None
    if not (Path(run_dir) / "config.yaml").exists():
        raise FileNotFoundError(f"{run_dir}: no run folder of `photoz pretrain`; give another train.initial_weights")
    pretrained, dataset_of_run = read_run(run_dir, type(config))
    if not dataset_of_run.get("pretraining"):
        raise ValueError(f"{run_dir}: was not written by `photoz pretrain`; give another train.initial_weights")
    for name in ("survey", "redshift", "model"):
        if getattr(pretrained, name) != getattr(config, name):
            raise ValueError(f"{run_dir}: was pre-trained with another {name}; give the same, or pre-train again")
    members = finished_members(run_dir, type(config))
    if fold not in members:
        raise ValueError(
            f"{run_dir}: no finished network of fold {fold}; run the same `photoz pretrain` with --cv {fold + 1}"
        )
    return members[fold][0]


def new_network(config, n_iterations, seed, is_measured=False):
    """Build and compile the network of a config: its loss (Pasquet et al. 2019, Sec. 3.5: cross-entropy) and Adam.

    Parameters
    ----------
    config : PhotozConfig
    n_iterations : int
        Iterations of the whole training, for the learning-rate schedule.
    seed : int
    is_measured : bool
        Whether PSF-matched photometry is given and not measured, see `inception_photoz`.
    """
    with layer_precision(config.train.precision):
        return compiled(build_model(config, seed, is_measured), {}, config, n_iterations, seed)


def compiled(model, factors, config, n_iterations, seed):
    """Compile a network, with the second head that the config may ask for.

    Parameters
    ----------
    model : keras.Model
    factors : dict of str to float
        Factor of the learning rate by layer, where they differ; see `transfer.rates`.
    config, n_iterations, seed
        As for `new_network`.
    """
    train, loss, loss_weights = config.train, pdf_loss(config.train.loss), None
    if train.auxiliary_weight:
        model = with_auxiliary_head(model, len(AUXILIARY) - 1 + config.survey.n_bands, seed)
        loss, loss_weights = {"redshift_pdf": loss, HEAD: KnownTargetsLoss()}, {HEAD: train.auxiliary_weight}
        loss_weights["redshift_pdf"] = 1.0
    options = {"learning_rate": learning_rate_schedule(train, n_iterations)}
    if train.ema_momentum:
        check_momentum(train.ema_momentum, n_iterations)
        options |= {"use_ema": True, "ema_momentum": train.ema_momentum}
    optimizer = adam(weight_decay=train.weight_decay or None, factors=factors, **options)
    # XLA is slower on CPUs and fails under MirroredStrategy, and Keras's own choice depends on the machine.
    model.compile(optimizer, loss, loss_weights=loss_weights, jit_compile=False)
    return model
