"""Datasets and runs made of the samples of `tests.support.samples`, once a session."""

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
from tests.support.samples import MOCK_HEADER, MORPH_TINY, TINY, colour_stacks, shape_mocks

# The same examples everywhere, however slow the machine is.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def stacks_dir(tmp_path_factory):
    """Two shards of 150 galaxies."""
    folder = tmp_path_factory.mktemp("stacks")
    for index in range(2):
        images, table = colour_stacks(150, first_id=150 * index)
        write_shard(shard_path(folder, index), images, table, SDSS, "simulated")
    return folder


@pytest.fixture(scope="session")
def data_dir(stacks_dir, tmp_path_factory):
    """The dataset built from `stacks_dir`."""
    from tfds_builders.sdss_ugriz import build

    folder = tmp_path_factory.mktemp("data")
    build(stacks_dir, folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def tiny_config():
    """The default config with a tiny network."""
    return load_config("photoz_simulated.yaml", PhotozConfig, TINY)


@pytest.fixture(scope="session")
def run_dir(tiny_config, data_dir, tmp_path_factory):
    """Two members for two folds; all tests share them, so a test that writes into them takes a copy."""
    from photoz_morph.training.ensemble import train_ensemble

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train_ensemble(PhotozExperiment, tiny_config, folder, data_dir, n_members=2, n_folds=2, progress=False)
    return folder


@pytest.fixture(scope="session")
def mocks_dir(tmp_path_factory):
    """Two shards of 150 galaxies."""
    from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard

    folder = tmp_path_factory.mktemp("mocks")
    for index in range(2):
        images, table = shape_mocks(150, first_id=150 * index)
        write_mock_shard(mock_shard_path(folder, index), images, table, MOCK_HEADER)
    return folder


@pytest.fixture(scope="session")
def morph_data_dir(mocks_dir, tmp_path_factory):
    """The dataset built from `mocks_dir`."""
    from tfds_builders.tng_lsst_mocks import build

    folder = tmp_path_factory.mktemp("morph_data")
    build(mocks_dir, folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def morph_run_dirs(morph_data_dir, tmp_path_factory):
    """Two seeds of each arm: regular, and with MMD."""
    from photoz_morph.training.ensemble import train_ensemble

    folder = tmp_path_factory.mktemp("runs")
    for arm in ("regular", "mmd"):
        config = load_config(f"morph_{arm}.yaml", MorphConfig, MORPH_TINY)
        train_ensemble(MorphExperiment, config, folder / arm, morph_data_dir, n_members=2, n_folds=1, progress=False)
    return {arm: folder / arm for arm in ("regular", "mmd")}


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
