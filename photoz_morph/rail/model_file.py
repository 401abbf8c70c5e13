"""Trained networks as a zip archive of `.keras` files and JSON, read without unpickling.

It holds `model.json` (inputs and outputs of the networks, training set, hashes), `config.yaml` (all choices of the
training) and `member_0.keras`, `member_1.keras`, ... A `.keras` file is itself an archive of JSON and
HDF5 and is loaded in Keras's safe mode, so that a model from an untrusted source runs no code.
"""

import hashlib
import json
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from rail.core.data import ModelHandle

from photoz_morph.config import load_config, save_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.rail.image_table import ImageColumns
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.surveys import get_survey
from photoz_morph.system.files import write_whole
from photoz_morph.system.provenance import code_version
from photoz_morph.system.sizes import check_zip
from photoz_morph.training.quiet import quiet_tensorflow

FORMAT = "photoz-morph networks 1"


@dataclass(frozen=True)
class NetworkModel:
    """An ensemble of networks with everything needed to use it.

    Attributes
    ----------
    config : PhotozConfig
        All choices of the training: survey, redshift grid, network.
    members : tuple of bytes
        The `.keras` file of each network.
    columns : ImageColumns
        Layout of the images in the training table.
    trained_on : dict
        "origin" ("simulated" or "stacked") and further facts about the training set.
    """

    config: PhotozConfig
    members: tuple[bytes, ...] = field(repr=False)
    columns: ImageColumns
    trained_on: dict

    @property
    def grid(self):
        """RedshiftGrid of the PDFs."""
        return self.config.redshift

    @property
    def survey(self):
        """Survey of the images."""
        return get_survey(self.config.survey)

    @cached_property
    def network(self):
        """Keras model of {"image", "ebv"} to the mean PDF, shape (n, n_bins); a ValueError if one cannot be loaded."""
        quiet_tensorflow()
        from photoz_morph.photoz.predict import load_ensemble

        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"member_{index}.keras" for index in range(len(self.members))]
            for path, content in zip(paths, self.members):
                path.write_bytes(content)
            try:
                return load_ensemble(paths)
            except ValueError as error:
                reason = " ".join(str(error).split()).removeprefix(f"{folder}/")
                raise ValueError(f"a network of the model cannot be loaded: {reason}") from error

    def description(self):
        """Content of `model.json`."""
        survey, grid = self.survey, self.grid
        return {
            "format": FORMAT,
            "survey": survey.name,
            "bands": list(survey.bands),
            "pixel_scale_arcsec": survey.pixel_scale,
            "image_size": survey.stamp_size,
            "image_unit": survey.image_unit,
            "ebv_unit": "mag",
            "redshift": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins},
            "columns": asdict(self.columns) | {"bands": list(self.columns.bands)},
            "trained_on": self.trained_on,
            "members_sha256": [hashlib.sha256(content).hexdigest() for content in self.members],
            "versions": {
                "code": code_version(),
                **{name: version(name) for name in ("photoz-morph", "keras", "tensorflow", "pz-rail-base")},
            },
        }


def write_model(model, path):
    """Write a model whole or not at all.

    Parameters
    ----------
    model : NetworkModel
    path : path-like
    """
    with write_whole(path) as part, zipfile.ZipFile(part, "w") as archive, tempfile.TemporaryDirectory() as folder:
        archive.writestr("model.json", json.dumps(model.description(), indent=1))
        save_config(model.config, Path(folder) / "config.yaml")
        archive.write(Path(folder) / "config.yaml", "config.yaml")
        for index, content in enumerate(model.members):
            archive.writestr(f"member_{index}.keras", content)


def read_model(path):
    """Read a model without running code from the file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    NetworkModel

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a model, is damaged, or describes its survey differently than this version.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; give the model that PhotozMorphInformer wrote")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            check_zip(archive, path)
            described = json.loads(archive.read("model.json"))
            saved_config = Path(folder) / "config.yaml"
            saved_config.write_bytes(archive.read("config.yaml"))
            n_members = len(described["members_sha256"])
            model = NetworkModel(
                config=load_config(saved_config, PhotozConfig),
                members=tuple(archive.read(f"member_{index}.keras") for index in range(n_members)),
                columns=ImageColumns(**described["columns"]),
                trained_on=described["trained_on"],
            )
        expected = model.description()
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read as a model of photoz-morph ({reason}); inform again") from error
    for key in (key for key in expected if key != "versions"):
        if described.get(key) != expected[key]:
            raise ValueError(
                f"{path}: '{key}' of its model.json is {described.get(key)}, its content or this version of "
                f"photoz-morph says {expected[key]}; inform again"
            )
    return model


def model_from_run(run_dir, fold=0, columns=None):
    """Model for RAIL from the networks of a fold trained by `photoz train`.

    Parameters
    ----------
    run_dir : path-like
    fold : int
        Fold on whose galaxies the networks were not trained.
    columns : ImageColumns, optional
        Layout of the images in the tables to be estimated.

    Returns
    -------
    NetworkModel

    Raises
    ------
    ValueError
        If the fold has no finished network.
    """
    config, dataset = read_run(run_dir, PhotozConfig)
    members = finished_members(run_dir, PhotozConfig)
    if fold not in members:
        raise ValueError(f"{run_dir}: fold {fold} has no finished network; finished are folds {sorted(members)}")
    trained_on = {key: dataset[key] for key in ("origin", "name", "galaxies_per_fold")} | {"test_fold": fold}
    content = tuple(Path(path).read_bytes() for path in members[fold])
    return NetworkModel(config, content, columns or ImageColumns(), trained_on)


class NetworkModelHandle(ModelHandle):
    """RAIL's handle of a `NetworkModel`: RAIL's own would pickle it."""

    suffix = "zip"

    @classmethod
    def _open(cls, path, **kwargs):
        return zipfile.ZipFile(path, kwargs.get("mode", "r"))

    @classmethod
    def _read(cls, path, **kwargs):
        return read_model(path)

    @classmethod
    def _write(cls, data, path, **kwargs):
        write_model(data, path)

    @classmethod
    def _validate_data(cls, data):
        if not isinstance(data, NetworkModel):
            raise TypeError(f"a NetworkModel is needed, got {type(data).__name__}; inform with PhotozMorphInformer")
