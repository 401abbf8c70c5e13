"""Small samples whose truth can be read off their pixels, and the datasets and runs made of them.

Stacks have a redshift in their colours; mocks have their class in their shape.
"""

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

MORPH_TINY = (
    "data.batch_size=16", "model.width=4", "model.n_latent=8", "model.dropout=0.1", "train.epochs=2",
    "train.learning_rate=3e-3", "train.warmup_iterations=0", "adaptation.warmup_epochs=0", "adaptation.ramp_epochs=1",
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
            "n_frames": np.where(ids % 3 == 0, 20, 1)[:, None] * np.ones(5, np.int16),  # a third is deep
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


def shape_mocks(n_galaxies, first_id=0, seed=1):
    """Broad, compact and double blobs at two depths, and their table: classes 0, 1, 2."""
    rng = np.random.default_rng([seed, first_id])
    ids = first_id + np.arange(n_galaxies)
    label = ids % 3
    rows, columns = np.indices((100, 100)) - 49.5
    width = np.array([7.0, 3.0, 3.0])[label] * rng.uniform(0.9, 1.1, n_galaxies)
    scene = np.exp(-0.5 * (rows**2 + columns**2) / width[:, None, None] ** 2)
    angle = rng.uniform(0, 2 * np.pi, n_galaxies)[:, None, None]
    second = np.exp(-0.5 * ((rows - 14 * np.sin(angle)) ** 2 + (columns - 14 * np.cos(angle)) ** 2) / 9)
    scene += np.where(label == 2, 0.8, 0.0)[:, None, None] * second
    flux = 1000 * scene[..., None] * np.array([0.6, 1.0, 1.3])
    images = {years: flux + rng.normal(size=flux.shape) * 60 / np.sqrt(years) for years in (10, 1)}
    table = Table(
        {
            "obj_id": ids,
            "group_id": ids // 2,  # two views of each
            "intended_type": label,
            "label": label,
            "label_g": np.where(ids % 10 == 0, (label + 1) % 3, label),
            "gini": rng.uniform(0.4, 0.6, n_galaxies).astype(np.float32),
            "m20": rng.uniform(-2, -1, n_galaxies).astype(np.float32),
            "gini_g": rng.uniform(0.4, 0.6, n_galaxies).astype(np.float32),
            "m20_g": rng.uniform(-2, -1, n_galaxies).astype(np.float32),
            "flag": np.zeros(n_galaxies, np.int16),
            "subhalo_id": np.full(n_galaxies, -1),
            "snapshot": np.full(n_galaxies, -1),
        }
    )
    return {years: image.astype(np.float32) for years, image in images.items()}, table


MOCK_HEADER = (
    ("PIXSCALE", 1.0, ""), ("ORIGIN", "simulated", ""), ("BINNING", "sample", ""), ("FIELDKPC", 100.0, ""),
    ("NESTED", False, ""), ("SEED", 1, ""),
)  # fmt: skip


@pytest.fixture(scope="session")
def mocks_dir(tmp_path_factory):
    """Two shards of 150 galaxies."""
    from photoz_morph.mock_shards import mock_shard_path, write_mock_shard

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
    from photoz_morph.ensemble import train_ensemble

    folder = tmp_path_factory.mktemp("runs")
    for arm in ("regular", "mmd"):
        config = load_config(f"morph_{arm}.yaml", MORPH_TINY)
        train_ensemble(config, folder / arm, morph_data_dir, n_members=2, n_folds=1, progress=False)
    return {arm: folder / arm for arm in ("regular", "mmd")}


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the checkout; tests that need it are skipped without."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there: this test reads real SDSS files that do not travel with the package")
    return folder
