"""RAIL stages: `inform` trains networks on a table of images and redshifts, `estimate` predicts PDFs of images.

Training table and table to estimate are HDF5 files or dictionaries as other RAIL stages take them, in the group
`hdf5_groupname`: one image per row in the unit of the survey, E(B-V) in mag, and for training the redshift.
"""

import json
import warnings

import h5py
import numpy as np
import qp
from ceci.config import StageParameter as Param
from rail.core.common_params import SharedParams
from rail.core.data import QPHandle, TableHandle
from rail.core.enums import DistributionType
from rail.estimation.estimator import CatEstimator
from rail.estimation.informer import CatInformer

from photoz_morph.config import load_config
from photoz_morph.photoz.config import DataConfig, PhotozConfig
from photoz_morph.rail.image_table import ImageColumns, check_centred, read_column
from photoz_morph.rail.model_file import NetworkModel, NetworkModelHandle
from photoz_morph.surveys import get_survey
from photoz_morph.system.sizes import check_hdf5
from photoz_morph.training.quiet import quiet_tensorflow

BATCH_SIZE = 64  # as in `models.loading`

# Of both stages; None is the default of `ImageColumns` in training, and the value of the training in estimation.
IMAGE_PARAMETERS = {
    "image_col": Param(str, None, required=False, msg="column of the images; by default images, or as in training"),
    "ebv_col": Param(str, None, required=False, msg="column of E(B-V) [mag]; by default ebv, or as in training"),
    "bands": Param(
        list, None, required=False, msg="bands of the images in order; by default of the survey, or as in training"
    ),
    "image_layout": Param(
        str,
        None,
        required=False,
        msg="rows_columns_bands, or bands_rows_columns as of rail_deepdisc; by default the first, or as in training",
    ),
}


class PhotozMorphInformer(CatInformer):
    """Train convolutional networks as in Pasquet et al. (2019) on images and spectroscopic redshifts."""

    name = "PhotozMorphInformer"
    entrypoint_function = "inform"
    parallel = False  # MPI processes would each train the same networks
    inputs = [("input", TableHandle)]
    outputs = [("model", NetworkModelHandle)]
    config_options = CatInformer.config_options.copy()
    config_options.update(
        network_config=Param(str, "photoz_simulated.yaml", msg="YAML file of a photo-z run, or one of photoz-morph's"),
        config_overrides=Param(list, [], msg="key.subkey=value for the network_config, as `photoz train --set`"),
        n_members=Param(int, 6, msg="networks whose PDFs are averaged (Pasquet et al. 2019: 6)"),
        seed=Param(int, 1, msg="seed of weights, order of galaxies and validation sample"),
        origin=Param(str, None, required=True, msg="origin of the training images: simulated or stacked (real pixels)"),
        redshift_col=SharedParams.copy_param("redshift_col"),
        id_col=SharedParams.copy_param("id_col"),
        **IMAGE_PARAMETERS,
    )

    def set_data(self, tag, data, path=None, do_read=True):
        """Set the data of a tag, after a check of its file, which RAIL reads here."""
        _check_handle(data)
        return super().set_data(tag, data, path, do_read)

    def run(self):
        """Train on the table, apart from the validation sample."""
        if self.config.origin not in ("simulated", "stacked"):
            raise ValueError(f"origin is {self.config.origin!r}, must be simulated, or stacked (real pixels)")
        if self.config.n_members < 1:
            raise ValueError(f"n_members is {self.config.n_members}, must be at least 1")
        overrides = [*self.config.config_overrides, f"seed={self.config.seed}"]
        config = load_config(self.config.network_config, PhotozConfig, overrides)
        columns = _columns(ImageColumns(), self.config)
        arrays = self._training_arrays(columns, config)
        quiet_tensorflow()
        from photoz_morph.rail.training_table import train_on_table

        members, trained_on = train_on_table(config, arrays, self.config.n_members)
        self.log.info(f"validation of the networks: {trained_on['validation']}")
        self.model = NetworkModel(config, members, columns, {"origin": self.config.origin, **trained_on})
        self.add_data("model", self.model)

    def _training_arrays(self, columns, config):
        """Read images, reddening, redshifts and identifiers of the input, and check every row."""
        _check_handle(self.get_handle("input", allow_missing=True))
        table = _group(self.get_data("input"), self.config.hdf5_groupname)
        images = columns.read_images(table, get_survey(config.survey))
        _check_config(config, len(images))
        ebv = columns.read_ebv(table, len(images), config.model.with_ebv)
        z_spec = read_column(table, self.config.redshift_col, len(images)).astype(float)
        obj_id = np.asarray(table.get(self.config.id_col, []))
        if obj_id.shape != z_spec.shape or obj_id.dtype.kind not in "iu":
            obj_id = np.arange(len(z_spec))  # text, or none: the row
        for is_bad, what in (
            (~np.isfinite(z_spec), f"no finite '{self.config.redshift_col}'"),
            (~config.redshift.contains(z_spec), f"a redshift outside {config.redshift.z_min}-{config.redshift.z_max}"),
            (~np.isfinite(ebv), f"no finite '{columns.ebv}'"),
            (_without_image(images), f"a pixel of '{columns.images}' that is not finite"),
        ):
            if is_bad.any():
                raise ValueError(
                    f"{is_bad.sum()} of {len(is_bad)} training galaxies have {what}, the first is row "
                    f"{np.argmax(is_bad)} (id {obj_id[is_bad][0]}); drop such rows"
                )
        check_centred(images, columns)
        arrays = {"image": images, "ebv": ebv, "z_spec": z_spec, "obj_id": obj_id.astype(np.int64)}
        observing = config.model.observing
        arrays |= columns.read_conditions(table, observing, get_survey(config.survey), len(images)) if observing else {}
        if "group_id" in table:  # such as the parents of simulated galaxies
            arrays["group_id"] = read_column(table, "group_id", len(images))
        return arrays


class PhotozMorphEstimator(CatEstimator):
    """Estimate redshift PDFs of galaxies from their images with the networks of PhotozMorphInformer.

    A galaxy with a pixel that is not finite, or without E(B-V), keeps its row: its PDF and point estimates are NaN,
    and ancillary column `flag` is 1 instead of 0. Attribute `photoz_morph_model` of the output file describes the model
    and its training set.
    """

    name = "PhotozMorphEstimator"
    entrypoint_function = "estimate"
    inputs = [("model", NetworkModelHandle), ("input", TableHandle)]
    outputs = [("output", QPHandle)]
    config_options = CatEstimator.config_options.copy()
    config_options.update(
        **IMAGE_PARAMETERS,
        zmin=Param(float, None, required=False, msg="lowest redshift; must be that of the model"),
        zmax=Param(float, None, required=False, msg="highest redshift; must be that of the model"),
        nzbins=Param(int, None, required=False, msg="number of bin edges; must be that of the model"),
    )

    def set_data(self, tag, data, path=None, do_read=True):
        """Set the data of a tag, after a check of its file, which RAIL reads here."""
        _check_handle(data)
        return super().set_data(tag, data, path, do_read)

    def open_model(self, **kwargs):
        """Read the model; the redshift grid of this stage is the model's."""
        super().open_model(**kwargs)
        if self.model is None:
            raise ValueError(f"{self.instance_name}: no model given; give model=, the file of PhotozMorphInformer")
        grid = self.model.grid
        for name, value in (("zmin", grid.z_min), ("zmax", grid.z_max), ("nzbins", grid.n_bins + 1)):
            if self.config[name] not in (None, value):
                raise ValueError(f"{name} is {self.config[name]}, the model gives {value}; leave {name} out")
            self.config[name] = value
        self._columns = _columns(self.model.columns, self.config)
        return self.model

    def run(self):
        """Estimate the input chunk by chunk."""
        _check_handle(self.get_handle("input", allow_missing=True))
        super().run()

    @classmethod
    def default_distribution_type(cls):
        """Posterior, whose prior is the redshift distribution of the training set."""
        return DistributionType.posterior

    def _process_chunk(self, start, end, data, first):
        images = self._columns.read_images(data, self.model.survey)
        ebv = self._columns.read_ebv(data, len(images), self.model.config.model.with_ebv)
        flagged = _without_image(images) | ~np.isfinite(ebv)
        if flagged.any():
            self.log.warning(f"{flagged.sum()} of galaxies {start} to {end} have no complete image or E(B-V)")
        grid = self.model.grid
        pdf = np.full((len(images), grid.n_bins), np.nan)
        if not flagged.all():
            observing = self.model.config.model.observing
            told = self._columns.read_conditions(data, observing, self.model.survey, len(images)) if observing else {}
            inputs = {"image": images, "ebv": ebv, **told}
            inputs = {name: values[~flagged] for name, values in inputs.items()}
            pdf[~flagged] = self.model.network.predict(inputs, batch_size=BATCH_SIZE, verbose=0)
            flagged |= np.isnan(pdf).any(axis=1)  # of a network that overflows
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There are non-finite values", RuntimeWarning)  # the flagged rows
            ensemble = qp.Ensemble(qp.hist, data={"bins": grid.edges, "pdfs": pdf / grid.width})
        ensemble.set_ancil({"flag": flagged.astype(np.int16)})
        self._do_chunk_output(ensemble, start, end, first, data=data)

    def _finalize_run(self):
        super()._finalize_run()
        if self.config.output_mode != "return" and self.rank == 0:
            with h5py.File(self._output_handle.path, "a") as file:  # qp ignores attributes
                file.attrs["photoz_morph_model"] = json.dumps(self.model.description())

    def calculate_point_estimates(self, qp_dist, grid=None):
        """Calculate RAIL's point estimates on bin midpoints; NaN for flagged galaxies."""
        qp_dist = super().calculate_point_estimates(qp_dist, self.model.grid.midpoints)
        return _without_flagged(qp_dist)

    def _calculate_best_point_estimate(self, qp_dist, grid=None):
        # RAIL's default grid are the edges, at which a histogram has the density of the bin above: half a bin too low.
        return super()._calculate_best_point_estimate(qp_dist, self.model.grid.midpoints)

    def _calculate_summary_stats(self, qp_dstn):
        qp_dstn.ancil["z_mode"] = qp_dstn.mode(self.model.grid.midpoints)
        qp_dstn = super()._calculate_summary_stats(qp_dstn)
        qp_dstn.ancil["z_q84"] = qp_dstn.ppf([0.84])  # RAIL 2.0.11 takes the quantile at 0.85
        return _without_flagged(qp_dstn)


def _check_handle(handle):
    """Raise a ValueError if an HDF5 file declares more than it holds; RAIL would take the memory."""
    if not isinstance(handle, TableHandle) or handle.has_data or not handle.has_path or not h5py.is_hdf5(handle.path):
        return
    with h5py.File(handle.path) as file:
        try:
            check_hdf5(file)
        except ValueError as error:
            raise ValueError(f"{handle.path}: {error}; make it again") from error


def _columns(columns, config):
    """Image columns, changed by the parameters of a stage."""
    return columns.changed(
        images=config.image_col, ebv=config.ebv_col, bands=config.bands, layout=config.image_layout
    )


def _group(table, name):
    """Table in an HDF5 group."""
    if not name:
        return table
    if name not in table:
        raise ValueError(f"the input has no group '{name}' but {', '.join(map(str, table))}; give hdf5_groupname")
    return table[name]


def _without_image(images):
    """Mask of the images with a pixel that is not finite, shape (n,)."""
    return ~np.isfinite(images).all(axis=(1, 2, 3))


def _without_flagged(ensemble):
    """Set all estimates of flagged galaxies to NaN; qp puts their mode into the first bin."""
    for name, values in ensemble.ancil.items():
        if name != "flag":
            values[ensemble.ancil["flag"] == 1] = np.nan
    return ensemble


def _check_config(config, n_galaxies):
    """Raise a ValueError if the config does not suit that number of galaxies."""
    data, default = config.data, DataConfig()
    if (data.train_fraction, data.train_on) != (default.train_fraction, default.train_on):
        raise ValueError("data.train_fraction and data.train_on are for `photoz train`; select rows of the table")
    if config.adaptation.name != "none":
        raise ValueError("adaptation is for `photoz train`; the table has no galaxies of a target, give name none")
    if config.train.initial_weights is not None:
        raise ValueError("train.initial_weights is for `photoz train`, which keeps its folds apart; give null")
    if config.train.teacher is not None:
        raise ValueError("train.teacher is for `photoz train`; the test galaxies of a run are not those of a table")
    if config.train.auxiliary_weight:
        raise ValueError("train.auxiliary_weight is for `photoz train`; the table has no structure and magnitudes")
    if n_galaxies < data.n_validation + data.batch_size:
        raise ValueError(
            f"the table has {n_galaxies} galaxies, fewer than data.n_validation ({data.n_validation}) and one "
            f"data.batch_size ({data.batch_size}); give more, or lower these in config_overrides"
        )
