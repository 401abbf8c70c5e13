"""The run whose networks a transfer starts from: its checks, its network for another survey, and who starts from whom.

Each network starts from the one of the same fold and number, or `transfer.first` numbers on. A fold is a hash of
`group_id`, so the network of a fold has seen no galaxy of that fold in either sample, if the same galaxy has the same
`group_id` in both. The galaxies that validate it must be unknown to the source as well, since the calibration is fitted
to them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from photoz_morph.config import differing_keys
from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_members
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.splits import open_run_dataset, splits_of
from photoz_morph.photoz.transfer.bands import band_map, in_new_bands
from photoz_morph.photoz.transfer.network import give_weights
from photoz_morph.runs.folder import check_source, finished_members, read_run, weights_hash
from photoz_morph.surveys.description import resampled_size
from photoz_morph.training.ensemble import counterpart, member_seed
from photoz_morph.transfer.settings import no_outputs_yet

__all__ = ["Source", "no_redshifts_yet", "transferred_config"]


def transferred_config(config, run_dir):
    """Config of a transfer: that given, with the networks of a run as they are on its survey.

    Parameters
    ----------
    config : PhotozConfig
    run_dir : path-like
        The run to start from.

    Returns
    -------
    PhotozConfig
        Its `model` is that of the run, but for bands, pixels and noise; see `model_on`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run, or its networks do not fit the survey.
    """
    check_source(run_dir, "photoz")
    source = read_run(run_dir, PhotozConfig)[0]
    transfer = replace(config.transfer, source=str(Path(run_dir).resolve()))
    try:
        changed = replace(config, model=model_on(source, config.survey), transfer=transfer)
        changed.check()
    except ValueError as error:
        raise ValueError(f"{run_dir}: {error}") from error
    return changed


def model_on(source, survey):
    """Network of a config, for stamps of another survey.

    Stamps are resampled to the pixels that it was trained on, of which it sees as many as there are. Pixels and fluxes
    keep the scale that they had in AB flux: noise of another depth makes a galaxy of the same light no other galaxy.

    Parameters
    ----------
    source : PhotozConfig
    survey : Survey

    Returns
    -------
    InceptionConfig
    """
    model, old = source.model, source.survey
    if survey == old:
        return model
    bands = band_map(old, survey)
    scale = model.pixel_scale or old.pixel_scale
    crop = model.crop or resampled_size(old.stamp_size, old.pixel_scale, scale)
    size = resampled_size(survey.stamp_size, survey.pixel_scale, scale)
    sigma = model.sky_sigma
    if sigma is None and (model.photometric_inputs or model.compression == "asinh"):
        sigma = old.sky_sigma if model.photometric_inputs else old.pixel_softening
        ratio = scale / old.pixel_scale if model.photometric_inputs else 1.0
        sigma = tuple(ratio * value for value in sigma)
    unit = unit_ratio(old, survey)
    sigma = sigma and tuple(value / unit for value in in_new_bands(sigma, bands))
    names = [band.lower() for band in survey.bands]
    subsets = tuple(
        tuple(survey.bands[names.index(band.lower())] for band in subset if band.lower() in names)
        for subset in model.band_subsets
    )
    if not all(subsets):
        empty = model.band_subsets[[bool(subset) for subset in subsets].index(False)]
        raise ValueError(
            f"the networks have a branch of bands {', '.join(empty)}, of which survey {survey.name} has none; start "
            "from a run without such model.band_subsets"
        )
    return replace(
        model, crop=min(crop, size), pixel_scale=None if scale == survey.pixel_scale else scale, sky_sigma=sigma,
        band_subsets=subsets,
    )  # fmt: skip


def unit_ratio(old, new):
    """A flux in the image unit of the old survey over the same in that of the new one."""
    return float(10 ** (0.4 * (old.zero_point - new.zero_point)))


def no_redshifts_yet(config):
    """Why networks say nothing of redshifts before their first step; "" if they do.

    Parameters
    ----------
    config : PhotozConfig
        From `transferred_config`.

    Returns
    -------
    str
        The end of a sentence.
    """
    source, trained_on = read_run(config.transfer.source, PhotozConfig)
    if trained_on.get("pretraining") and not source.pretrain.redshift:
        return "it was pre-trained without redshifts (pretrain.redshift=0)"
    return no_outputs_yet(config.transfer)


class Source:
    """The run that the networks of a config start from.

    Parameters
    ----------
    config : PhotozConfig
        From `transferred_config`.
    builder : tfds builder
        Of its dataset.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run with finished networks, they are other ones or have other redshift bins, or the dataset
        has other folds.
    """

    def __init__(self, config, builder):
        self.run_dir, self.config, self._builder = config.transfer.source, config, builder
        check_source(self.run_dir, "photoz")
        self._config, self._trained_on = read_run(self.run_dir, PhotozConfig)
        self._members = finished_members(self.run_dir, PhotozConfig)
        expected = replace(self._config, survey=config.survey, model=model_on(self._config, config.survey))
        keys = [key for key in differing_keys(expected, config) if key.startswith("model.")]
        if keys:
            raise ValueError(
                f"{self.run_dir}: its networks have another {', '.join(keys)}; a transfer takes the network of its "
                "source: leave these out"
            )
        if self._config.redshift != config.redshift and config.transfer.head == "source":
            raise ValueError(
                f"{self.run_dir}: was trained on other redshift bins than the config has; give the same, or set "
                "transfer.head=new"
            )
        sizes, own = (len(self._trained_on["galaxies_per_fold"]), len(builder.info.splits))
        if sizes != own:
            raise ValueError(f"{builder.data_dir}: has {own} folds, {self.run_dir} was trained on {sizes}")
        self.bands = band_map(self._config.survey, config.survey)

    def description(self):
        """What the run folder says of the start of its networks."""
        return {
            "run": str(Path(self.run_dir).resolve()),
            "survey": self._config.survey.name,
            "bands": list(self._config.survey.bands),
            "data_id": self._trained_on.get("content_hash") or "",
            "weights": {str(fold): [weights_hash(path) for path in paths] for fold, paths in self._members.items()},
        }

    def path(self, fold, seed):
        """`model.keras` that the network of a fold and a seed starts from; of a pre-training, that of the fold."""
        paths, config = self._members.get(fold, []), self.config
        is_shared = bool(self._trained_on.get("pretraining"))
        return counterpart(paths, config.seed, fold, seed, self.run_dir, is_shared, config.transfer.first)

    def check(self, fold, n_members):
        """Raise a ValueError if there is no start for one of the networks of a fold, before any is trained."""
        for member in range(n_members):
            self.path(fold, member_seed(self.config.seed, fold, member))

    def check_validation(self, fold):
        """Raise a ValueError if the source was trained on galaxies that are to validate the networks of a fold.

        Nothing is checked where the dataset of the source is gone.
        """
        if self._trained_on.get("pretraining"):
            return  # which leaves out the whole fold
        try:
            trained_on = open_run_dataset(self._config, self._trained_on, None)
        except FileNotFoundError:
            return
        own = reading.read_columns(self._builder, splits_of(self.config, self._builder, fold).validation)["group_id"]
        known = reading.read_columns(trained_on, splits_of(self._config, trained_on, fold).train)["group_id"]
        is_known = np.isin(own, known)
        if is_known.any():
            raise ValueError(
                f"{self.run_dir}: was trained on {is_known.sum()} of the {len(own)} galaxies that are to validate the "
                f"networks of fold {fold}; lower data.n_validation, of which the first {int(is_known.argmax())} are "
                "unknown to it"
            )

    def give_weights(self, network, fold, seed, sample):
        """Give a network of the config the weights of the one that it starts from.

        Parameters
        ----------
        network : keras.Model
        fold, seed : int
        sample : iterable
            Inputs of training galaxies.

        Raises
        ------
        ValueError
            If the saved network cannot be read.
        """
        source, same = load_members([self.path(fold, seed)])[0], self._config.survey == self.config.survey
        give_weights(
            source, network, self.bands, (_by_index(self._config), _by_index(self.config)), None if same else sample,
            unit_ratio(self._config.survey, self.config.survey), self.config.transfer.head == "source",
        )  # fmt: skip


def _by_index(config):
    """Network of a config, the bands of its branches by their numbers."""
    bands = config.survey.bands
    subsets = tuple(tuple(bands.index(band) for band in subset) for subset in config.model.band_subsets)
    return replace(config.model, band_subsets=subsets)
