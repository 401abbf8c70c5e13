"""Small stacks with a redshift that can be read off their colours, and the dataset and run made of them."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.config import load_config
from photoz_morph.shards import shard_path, write_shard
from photoz_morph.surveys import SDSS

# A network of the family that learns in seconds; every test that trains uses it.
TINY = (
    "data.n_validation=20", "data.batch_size=16", "model.crop=32", "model.conv1_filters=8", "model.dense_units=32",
    "model.blocks=[[4, 8], [8, 8]]", "model.pool_after=[1]", "train.epochs=2", "train.learning_rate=3e-3",
    "train.warmup_iterations=0",
)  # fmt: skip


def colour_stacks(n_galaxies, first_id=0, seed=1):
    """Round galaxies whose g - r grows with redshift, and their table."""
    rng = np.random.default_rng([seed, first_id])
    z_spec = rng.uniform(0.02, 0.38, n_galaxies)
    rows, columns = np.indices((SDSS.stamp_size, SDSS.stamp_size)) - (SDSS.stamp_size - 1) / 2
    radius = rng.uniform(3, 6, n_galaxies)
    variance = radius[:, None, None] ** 2
    profile = np.exp(-0.5 * (rows**2 + columns**2) / variance) / (2 * np.pi * variance)
    colour = np.stack([1 - 2 * z_spec, 1 - z_spec, np.ones(n_galaxies), 1 + z_spec, 1 + 2 * z_spec], axis=1)
    flux = rng.uniform(60, 120, n_galaxies)[:, None] * colour
    images = profile[..., None] * flux[:, None, None, :]
    images += rng.normal(size=images.shape) * 0.2 * np.asarray(SDSS.sky_sigma)
    ids = first_id + np.arange(n_galaxies)
    table = Table(
        {
            "obj_id": ids,
            "group_id": ids // 2,  # two copies of each galaxy
            "ra": rng.uniform(0, 360, n_galaxies),
            "dec": rng.uniform(-5, 60, n_galaxies),
            "z_spec": z_spec,
            "ebv": rng.uniform(0, 0.1, n_galaxies),
            "flag": np.zeros(n_galaxies, np.int16),
            "flag_reason": np.full(n_galaxies, "", "U32"),
            "mags": SDSS.asinh_magnitude(flux),
            "petro_r": SDSS.asinh_magnitude(flux)[:, 2],
        }
    )
    return images.astype(np.float32), table


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
    return load_config("photoz_simulated.yaml", TINY)


@pytest.fixture(scope="session")
def run_dir(tiny_config, data_dir, tmp_path_factory):
    """Two members for two folds."""
    from photoz_morph.ensemble import train_ensemble

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train_ensemble(tiny_config, folder, data_dir, n_members=2, n_folds=2, progress=False)
    return folder


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the checkout; tests that need it are skipped without."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there: this test reads real SDSS files that do not travel with the package")
    return folder
