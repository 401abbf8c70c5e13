"""Pre-training experiment for the training loop: stamps, with or without redshift, and the triple loss.

The network of fold K sees no galaxy of fold K, on which the networks that start from it are tested, nor of fold K + 1,
from which they take their validation galaxies. A fold is a hash of `group_id`: the same groups are left out in any
other dataset. Of the rest, it is told the redshift of those galaxies alone that a training of the same config would be.
"""

from dataclasses import replace

import keras
import numpy as np

from photoz_morph.datasets.kept_galaxies import KeptGalaxies
from photoz_morph.metrics.redshifts.point_scores import residuals, sigma_mad
from photoz_morph.models.layers.photometric_inputs import adapt_to_training_set
from photoz_morph.models.loading import LAYERS, load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.experiment import ADAPTATION_BATCH, N_ADAPTATION, PhotozExperiment, new_network
from photoz_morph.photoz.pretraining.network import triple_loss_network
from photoz_morph.photoz.pretraining.views import ViewBatches, colours_of
from photoz_morph.photoz.splits import splits_of

__all__ = ["PretrainingExperiment"]

MAD_OF_A_GAUSSIAN = 1.4826  # standard deviation in units of the median absolute deviation


class PretrainingExperiment:
    """A config and its dataset.

    Parameters
    ----------
    config : PhotozConfig
    data_dir : path-like
        Prepared dataset, of galaxies with and without redshift.

    Raises
    ------
    ValueError
        If noise is to be added to stamps whose survey has no `sky_sigma`, or galaxies of one depth are to be taken.
    """

    def __init__(self, config, data_dir):
        # A config may be that of the training, too: what only a training does is left out.
        config = replace(
            config, train=replace(config.train, teacher=None, auxiliary_weight=0, initial_weights=None),
            adaptation=replace(config.adaptation, name="none"), transfer=replace(config.transfer, source=None),
        )  # fmt: skip
        self.config = config
        self._trained = PhotozExperiment(config, data_dir)
        self.builder, self.n_folds = self._trained.builder, self._trained.n_folds
        if config.pretrain.noise and config.survey.sky_sigma is None:
            raise ValueError(
                f"pretrain.noise is {config.pretrain.noise}, but the description of survey {config.survey.name} has no "
                "sky_sigma, its unit; add it there, or set pretrain.noise=0"
            )
        if config.data.train_on != "all":
            raise ValueError(f"data.train_on is {config.data.train_on}: pre-training takes all depths; set it to all")
        if config.data.batch_size < 2:
            raise ValueError("data.batch_size is 1: a view cannot be recognised among those of one galaxy; give 2")
        names = dict.fromkeys(("obj_id", "z_spec", "ebv", "mags", *config.model.observing))
        self.columns = KeptGalaxies(self.builder, tuple(names))

    def dataset_description(self):
        """Description of the dataset for the run folder; `pretraining` tells it from that of a training."""
        return {**self._trained.dataset_description(), "pretraining": True}

    def n_training(self, fold):
        """Galaxies whose stamps are seen."""
        return sum(dataset.split_sizes(self.builder)[seen] for seen in self._seen(fold))

    def fold(self, fold):
        """Data, network and scores of one fold."""
        splits = splits_of(self.config, self.builder, fold)
        split = "+".join(f"fold_{seen}" for seen in self._seen(fold))
        return PretrainingFold(self.config, self.builder, split, splits, self.columns)

    def member_name(self, fold, member):
        """Name of a network in messages."""
        return f"fold {fold}"

    def _seen(self, fold):
        """Folds whose stamps are seen."""
        return [other for other in range(self.n_folds) if other not in (fold, (fold + 1) % self.n_folds)]


class PretrainingFold:
    """Stamps of one fold, with the network and its scores."""

    def __init__(self, config, builder, split, splits, columns):
        self.config, self._builder, self._splits = config, builder, splits
        seen, told = columns(split), columns(splits.train)["obj_id"]
        labelled = told[config.redshift.contains(columns(splits.train)["z_spec"])]
        is_told = np.isin(seen["obj_id"], labelled)
        if config.pretrain.redshift and not is_told.any():
            raise ValueError(
                f"{builder.data_dir}: none of {len(is_told)} galaxies has a z_spec on the grid; set pretrain.redshift=0"
            )
        scale = _colour_scale(seen, config, builder.data_dir)
        names = [name for name in seen if name != "image"]
        self.train = ViewBatches(builder, split, columns, names, config, labelled, scale, config.data.batch_size)
        self._validation_columns = columns(splits.validation)
        n_validation = len(self._validation_columns["obj_id"])
        self._validation = ViewBatches(
            builder, splits.validation, columns, names, config, self._validation_columns["obj_id"], scale,
            min(config.data.batch_size, n_validation),
        ).epoch(seed=0, epoch=0)  # fmt: skip
        self._images = dataset.image_batches(
            builder, splits.validation, config.data.batch_size, observing=config.model.observing
        )
        sample = dataset.image_batches(builder, split, ADAPTATION_BATCH, observing=config.model.observing)
        self._adaptation_sample = sample.take(N_ADAPTATION // ADAPTATION_BATCH)

    def new_network(self, n_iterations, seed):
        """Build and compile a network, its data-dependent layers adapted to the stamps."""
        network = new_network(self.config, n_iterations, seed)
        adapt_to_training_set(network, self._adaptation_sample)
        model = triple_loss_network(network, self.config.survey.n_bands - 1, self.config.pretrain, seed)
        model.compile(network.optimizer, jit_compile=False)
        return model

    def load_checkpoint(self, path):
        """Load a network with its heads and its optimizer."""
        return load_network(path, compile=True)

    def trained_network(self, model):
        """The photo-z network without heads and optimizer."""
        network = keras.Model.from_config(model.network.get_config(), LAYERS)
        network.set_weights(model.network.get_weights())
        return network

    def validate(self, model):
        """Triple loss of the validation galaxies, and sigma_MAD of those whose redshift is known."""
        losses = [float(model.triple_loss(*batch, training=False)[0]) for batch in self._validation]
        scores = {"validation_loss": float(np.mean(losses))}
        z_spec, grid = self._validation_columns["z_spec"], self.config.redshift
        is_known = grid.contains(z_spec)
        if is_known.any():
            z_phot = grid.expectation(model.predict(self._images, verbose=0)[is_known])
            scores["validation_sigma_mad"] = float(sigma_mad(residuals(z_phot, z_spec[is_known])))
        return scores


def _colour_scale(columns, config, source):
    """Middle and scatter of the colours of some galaxies, shape (n_bands - 1,) each; (0, 1) where none is told."""
    colours = colours_of(columns["mags"], columns["ebv"], config.survey)
    if not config.pretrain.colours:
        return np.zeros(colours.shape[1], np.float32), np.ones(colours.shape[1], np.float32)
    if colours.size == 0 or not np.isfinite(colours).any(axis=0).all():
        raise ValueError(f"{source}: a band has no mags, so there are no colours to learn; set pretrain.colours=0")
    middle = np.nanmedian(colours, axis=0)
    scatter = MAD_OF_A_GAUSSIAN * np.nanmedian(np.abs(colours - middle), axis=0)
    return middle.astype(np.float32), np.maximum(scatter, 1e-3).astype(np.float32)  # 1 mmag: of identical galaxies
