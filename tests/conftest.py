"""Datasets and runs made of the samples of `tests.support.samples`, once a session."""

import fcntl
import os
import shutil

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # before anything imports it: what it says would stand below pytest's summary

import pytest
from hypothesis import HealthCheck, settings

from photoz_morph.config import load_config
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.paths import SHARED_DATA
from tests.support.samples import (
    BLEND_NETWORKS,
    BLEND_TINY,
    MAP_NETWORKS,
    MAP_TINY,
    MOCK_HEADER,
    MORPH_TINY,
    TINY,
    colour_stacks,
    shape_mocks,
)

# The same examples everywhere, however slow the machine is.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Function that returns a folder which `make(folder)` fills, once for all processes of tests; it is only read."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def folder_of(name, make):
        folder, is_made = root / name, root / f"{name} is made"
        with (root / f"{name} lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_made.exists():
                folder.mkdir()
                make(folder)
                is_made.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def stacks_dir(made_once):
    """Two shards of 150 galaxies."""

    def make(folder):
        for index in range(2):
            images, table = colour_stacks(150, first_id=150 * index)
            write_shard(shard_path(folder, index), images, table, SDSS, "simulated")

    return made_once("stacks", make)


@pytest.fixture(scope="session")
def data_dir(stacks_dir, made_once):
    """The dataset built from `stacks_dir`."""
    from tfds_builders.sdss_ugriz import build

    return made_once("data", lambda folder: build(stacks_dir, folder, progress=False))


@pytest.fixture(scope="session")
def tiny_config():
    """The default config with a tiny network."""
    return load_config("photoz_simulated.yaml", PhotozConfig, TINY)


@pytest.fixture(scope="session")
def run_dir(tiny_config, data_dir, made_once, tmp_path_factory):
    """Two members for two folds; those of a fold are trained by one process, which starts but once.

    All tests of a process share them, so a test that writes into them takes a copy.
    """
    from photoz_morph.training.ensemble import train_ensemble

    def make(folder):
        train_ensemble(PhotozExperiment, tiny_config, folder / "tiny", data_dir, 2, n_folds=2, n_jobs=1, progress=False)

    return shutil.copytree(made_once("photoz_runs", make) / "tiny", tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def mocks_dir(made_once):
    """Two shards of 150 galaxies."""
    from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard

    def make(folder):
        for index in range(2):
            images, table = shape_mocks(150, first_id=150 * index)
            write_mock_shard(mock_shard_path(folder, index), images, table, MOCK_HEADER)

    return made_once("mocks", make)


@pytest.fixture(scope="session")
def morph_data_dir(mocks_dir, made_once):
    """The dataset built from `mocks_dir`."""
    from tfds_builders.tng_lsst_mocks import build

    return made_once("morph_data", lambda folder: build(mocks_dir, folder, progress=False))


@pytest.fixture(scope="session")
def morph_run_dirs(morph_data_dir, made_once, tmp_path_factory):
    """Two seeds of each arm: regular, and with MMD."""
    made = made_once("morph_runs", lambda folder: train_arms(MORPH_TINY, morph_data_dir, folder))
    return arms_of(shutil.copytree(made, tmp_path_factory.mktemp("runs") / "morph"))


@pytest.fixture(scope="session")
def resnet_run_dirs(morph_data_dir, tmp_path_factory):
    """The same of ResNet18s, for tests that depend on the network."""
    folder = tmp_path_factory.mktemp("resnets")
    train_arms([*MORPH_TINY, "model.name=resnet18"], morph_data_dir, folder)
    return arms_of(folder)


def train_arms(options, data_dir, folder):
    """Train two seeds of each arm in a folder, by one process after another."""
    from photoz_morph.training.ensemble import train_ensemble

    for arm, run_dir in arms_of(folder).items():
        config = load_config(f"morph_{arm}.yaml", MorphConfig, options)
        train_ensemble(MorphExperiment, config, run_dir, data_dir, 2, n_folds=1, n_jobs=1, progress=False)


def arms_of(folder):
    """Run folders of both arms."""
    return {arm: folder / arm for arm in ("regular", "mmd")}


@pytest.fixture(scope="session")
def blend_pool_dir(made_once):
    """Pool of 40 simulated galaxies of seed 3, of which blended fields are made."""
    from photoz_morph.simulation.blends.parents import make_parents

    return made_once("blend_parents", lambda folder: make_parents(folder, 3, 40))


@pytest.fixture(scope="session")
def blends_dir(blend_pool_dir, made_once):
    """Shards of 60 blended pairs of LSST, of that pool."""
    from photoz_morph.simulation.blends.sample import simulate_blends
    from photoz_morph.simulation.blends.scenes import BlendSettings

    def make(folder):
        (folder / "parents").symlink_to(blend_pool_dir)
        simulate_blends(folder, 60, BlendSettings(kind="pairs", seed=3), 40, n_processes=1, progress=False)

    return made_once("blends", make)


@pytest.fixture(scope="session")
def blend_data_dir(blends_dir, made_once):
    """Dataset of those pairs."""
    from tfds_builders import lsst_blends

    return made_once("blend_data", lambda folder: lsst_blends.build(blends_dir, folder, progress=False))


@pytest.fixture(scope="session")
def blend_run_dirs(blend_data_dir, made_once):
    """Run folders of two networks of each kind for those pairs, as they are before training.

    A test that writes into them takes a copy.
    """
    from photoz_morph.blend.config import BlendConfig
    from photoz_morph.blend.experiment import BlendExperiment
    from photoz_morph.runs.folder import member_dir, start_run

    def make(folder):
        for network, (name, options) in BLEND_NETWORKS.items():
            config = load_config(name, BlendConfig, [*BLEND_TINY, *options])
            experiment = BlendExperiment(config, blend_data_dir)
            start_run(folder / network, config, experiment.dataset_description(), [])
            fold = experiment.fold(0)
            for member in range(2):
                member_dir(folder / network, 0, member).mkdir(parents=True)
                network_path = member_dir(folder / network, 0, member) / "model.keras"
                fold.trained_network(fold.new_network(10, seed=member)).save(network_path)

    folder = made_once("blend_runs", make)
    return {network: folder / network for network in BLEND_NETWORKS}


@pytest.fixture(scope="session")
def maps_dir(made_once):
    """Shards of 60 galaxies of 32 x 32 pixels with maps."""
    from tests.support.maps import make_maps

    return made_once("galaxy_maps", make_maps)


@pytest.fixture(scope="session")
def maps_data_dir(maps_dir, made_once):
    """Dataset of those galaxies."""
    from tfds_builders import lsst_maps

    return made_once("galaxy_maps_data", lambda folder: lsst_maps.build(maps_dir, folder, progress=False))


@pytest.fixture(scope="session")
def fields_dir(made_once):
    """90 log-normal fields of 16 x 16 pixels, in the layout of CAMELS."""
    from photoz_morph.simulation.cosmology.lognormal import FieldSettings
    from photoz_morph.simulation.cosmology.sample import write_fields

    settings = FieldSettings(n_pixels=16, box_size=64.0, seed=3)
    return made_once("fields", lambda folder: write_fields(folder, 90, settings, 1, progress=False))


@pytest.fixture(scope="session")
def fields_data_dir(fields_dir, made_once):
    """Dataset of those fields."""
    from tfds_builders import cosmology_fields

    return made_once("fields_data", lambda folder: cosmology_fields.build(fields_dir, folder, progress=False))


@pytest.fixture(scope="session")
def map_run_dirs(maps_data_dir, fields_data_dir, made_once):
    """Run folders of two networks that give maps, parameters and fields, as they are before training.

    A test that writes into them takes a copy.
    """
    from photoz_morph.blend.config import BlendConfig
    from photoz_morph.blend.experiment import BlendExperiment
    from photoz_morph.runs.folder import member_dir, start_run

    def make(folder):
        for answer, name in MAP_NETWORKS.items():
            config = load_config(name, BlendConfig, MAP_TINY)
            experiment = BlendExperiment(config, maps_data_dir if answer == "maps" else fields_data_dir)
            start_run(folder / answer, config, experiment.dataset_description(), [])
            fold = experiment.fold(0)
            for member in range(2):
                member_dir(folder / answer, 0, member).mkdir(parents=True)
                network_path = member_dir(folder / answer, 0, member) / "model.keras"
                fold.trained_network(fold.new_network(10, seed=member)).save(network_path)

    folder = made_once("map_runs", make)
    return {answer: folder / answer for answer in MAP_NETWORKS}


@pytest.fixture
def undrawn(monkeypatch):
    """Figures of reports are not drawn: for tests of the words beside them."""
    from tests.support.reports import blank_png

    monkeypatch.setattr("photoz_morph.report.page.draw_and_save", lambda draw, stem: blank_png())


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the checkout; tests that need it are skipped without."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is missing: this test reads real SDSS files that do not travel with the package")
    return SHARED_DATA
