import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.export import export, point_estimates
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members

GRID = RedshiftGrid()


def test_point_estimates_in_the_graph_are_those_of_the_grid():
    rng = np.random.default_rng(3)
    pdf = rng.dirichlet(np.full(180, 0.05), 500).astype(np.float32)
    pdf[0] = 0
    pdf[0, 17] = 1  # all in one bin
    graph = {name: np.asarray(value) for name, value in point_estimates(pdf, GRID).items()}
    np.testing.assert_allclose(graph["z_phot"], GRID.expectation(pdf), atol=1e-6)
    np.testing.assert_allclose(graph["z_mode"], GRID.mode(pdf), atol=1e-6)
    for name, probability in (("z_lower", 0.16), ("z_median", 0.5), ("z_upper", 0.84)):
        # Where the CDF is flat float32 may choose the other end of the plateau, so what is compared is the CDF.
        np.testing.assert_allclose(GRID.cdf_at(pdf, graph[name]), probability, atol=2e-4)


def test_exported_model_runs_with_tensorflow_alone(predictions, exported, data_dir, tmp_path):
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 7).as_numpy_iterator())
    np.savez(tmp_path / "batch.npz", **batch)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        f"batch = np.load({str(tmp_path / 'batch.npz')!r})\n"
        f"model = tf.saved_model.load({str(exported)!r})\n"
        f"np.save({str(tmp_path / 'z.npy')!r}, model.serve(batch['image'], batch['ebv'])['z_phot'])\n"
        "sys.exit('photoz_morph' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    expected = predictions["z_phot"][predictions["fold"] == 0][:7]
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), expected, atol=1e-5)


def test_exported_model_holds_each_variable_once(exported, run_dir):
    networks = map(load_network, finished_members(run_dir, PhotozConfig)[0])
    weights = sum(weight.size for network in networks for weight in network.get_weights())
    stored = (exported / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert stored == pytest.approx(4 * weights, rel=0.02)


def test_estimator_says_what_it_takes(exported):
    description = json.loads((exported / "estimator.json").read_text())
    assert description["bands"] == list("ugriz") and description["image_size"] == 64
    assert description["pixel_scale_arcsec"] == 0.396 and description["image_unit"] == "nanomaggy"
    assert description["trained_on"]["origin"] == "simulated" and description["n_members"] == 2


def test_what_cannot_be_exported_names_the_remedy(run_dir, exported, tmp_path):
    with pytest.raises(ValueError, match="exists; remove it or give another --out"):
        export(run_dir, exported)
    with pytest.raises(ValueError, match="fold 4 has no finished network; finished are folds"):
        export(run_dir, tmp_path / "model", fold=4)
    run = shutil.copytree(run_dir, tmp_path / "run")
    (run / "fold_1/member_1/model.keras").unlink()
    with pytest.raises(ValueError, match="fold 1 has 1 finished networks of 2; finish it with the same `photoz train`"):
        export(run, tmp_path / "model", fold=1)


def test_point_estimates_of_a_pdf_of_nan_are_nan():
    pdf = np.random.default_rng(3).dirichlet(np.full(180, 0.05), 3).astype(np.float32)
    pdf[0], pdf[1, 90] = np.nan, np.nan
    for name, values in point_estimates(pdf, GRID).items():
        assert np.isnan(values[:2]).all() and np.isfinite(values[2]).all(), name


def test_stamps_that_are_not_finite_have_no_estimate_of_any_kind(exported):
    model = tf.saved_model.load(str(exported))
    image, ebv = np.random.default_rng(0).normal(size=(6, 64, 64, 5)).astype(np.float32), np.full(6, 0.1, np.float32)
    clean = model.serve(image, ebv)
    image[1, 0, 0, 2], image[2, 31, 31], image[3] = np.nan, -np.inf, np.nan
    ebv[4] = np.nan
    bad = np.isin(np.arange(6), [1, 2, 3, 4])
    for name, values in model.serve(image, ebv).items():
        assert np.isnan(values[bad]).all(), name
        np.testing.assert_allclose(values[~bad], np.asarray(clean[name])[~bad], atol=1e-5)
