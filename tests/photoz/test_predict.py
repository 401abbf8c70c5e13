import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from photoz_morph.config import load_config, save_config
from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.baselines.of_run import predict_baselines, update_baselines
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.export import export, point_estimates
from photoz_morph.photoz.exported_model import infer_shards, load_exported_model
from photoz_morph.photoz.predict import load_ensemble, predict_run
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks

GRID = RedshiftGrid()


@pytest.fixture(scope="module")
def predictions(run_dir):
    return predict_run(run_dir, progress=False)


@pytest.fixture(scope="module")
def exported(run_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "model"
    export(run_dir, folder, fold=0)
    return folder


def test_each_test_galaxy_is_predicted_once_by_the_members_of_its_fold(predictions, data_dir, run_dir):
    builder = reading.open_dataset(data_dir)
    for fold in (0, 1):
        rows = predictions[predictions["fold"] == fold]
        assert list(rows["obj_id"]) == list(reading.read_columns(builder, f"fold_{fold}")["obj_id"])
    members = [load_ensemble([path]) for path in finished_members(run_dir, PhotozConfig)[1]]
    batch = next(iter(dataset.image_batches(builder, "fold_1", 1000)))
    mean = np.mean([member(batch) for member in members], axis=0)
    np.testing.assert_allclose(predictions["pdf"][predictions["fold"] == 1], mean, atol=1e-6)


def test_mean_of_the_members_z_phot_is_z_phot_of_the_mean_pdf(predictions, data_dir, run_dir):
    batch = next(iter(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 1000)))
    z_phot = [GRID.expectation(load_ensemble([path])(batch)) for path in finished_members(run_dir, PhotozConfig)[0]]
    np.testing.assert_allclose(predictions["z_phot"][predictions["fold"] == 0], np.mean(z_phot, axis=0), atol=1e-6)


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


def test_exported_model_agrees_with_predict(predictions, exported, data_dir):
    rows = predictions[predictions["fold"] == 0]
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 1000).as_numpy_iterator())
    result = load_exported_model(exported).predict(batch["image"], batch["ebv"])
    for name in ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper"):
        np.testing.assert_allclose(result[name], rows[name], atol=1e-5)


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
    weights = sum(weight.size for path in finished_members(run_dir, PhotozConfig)[0] for weight in load_network(path).get_weights())
    stored = (exported / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert stored == pytest.approx(4 * weights, rel=0.02)


def test_estimator_says_what_it_takes(exported):
    description = json.loads((exported / "estimator.json").read_text())
    assert description["bands"] == list("ugriz") and description["image_size"] == 64
    assert description["pixel_scale_arcsec"] == 0.396 and description["image_unit"] == "nanomaggy"
    assert description["trained_on"]["origin"] == "simulated" and description["n_members"] == 2


def test_wrong_stacks_are_refused(exported):
    estimator = load_exported_model(exported)
    images, table = colour_stacks(3)
    with pytest.raises(ValueError, match=r"shape \(3, 32, 32, 5\) .* takes \(n, 64, 64, 5\) in bands u,g,r,i,z"):
        estimator.predict(images[:, 16:48, 16:48], table["ebv"])
    with pytest.raises(ValueError, match=r"stacks of shape \(3, 64, 64, 3\)"):
        estimator.predict(images[..., :3], table["ebv"])
    images[1, 3, 3, 4] = np.nan
    with pytest.raises(ValueError, match="galaxy 1 has 1 pixels in band z that are not finite"):
        estimator.predict(images, table["ebv"])


def test_flagged_rows_keep_their_place_without_a_pdf(exported, tmp_path):
    for index in range(2):
        images, table = colour_stacks(4, first_id=4 * index)
        images[2], table["flag"][2] = np.nan, 1
        write_shard(shard_path(tmp_path, index), images, table, SDSS, "stacked")
    result = infer_shards(load_exported_model(exported), tmp_path, progress=False)
    assert list(result["obj_id"]) == list(range(8)) and result.meta["origin"] == "stacked"
    assert list(np.flatnonzero(result["flag"])) == [2, 6]
    assert np.isnan(result["z_phot"][[2, 6]]).all() and np.isfinite(result["z_phot"][[0, 1, 3, 4, 5, 7]]).all()


def test_an_export_of_another_instrument_is_refused(exported, tmp_path):
    other = shutil.copytree(exported, tmp_path / "other")
    description = json.loads((other / "estimator.json").read_text())
    (other / "estimator.json").write_text(json.dumps({**description, "pixel_scale_arcsec": 0.2}))
    with pytest.raises(ValueError, match="was exported for .*0.2"):
        load_exported_model(other)


def test_export_errors_name_the_remedy(run_dir, exported, tmp_path):
    with pytest.raises(ValueError, match="exists; remove it or give another --out"):
        export(run_dir, exported)
    with pytest.raises(ValueError, match="fold 4 has no finished network; finished are folds"):
        export(run_dir, tmp_path / "model", fold=4)
    with pytest.raises(FileNotFoundError, match="not an exported model .*photoz export"):
        load_estimator(tmp_path)
    with pytest.raises(FileNotFoundError, match="not a run folder .*photoz train"):
        predict_run(tmp_path)


def test_baselines_predict_the_galaxies_of_the_run(predictions, run_dir):
    tables = predict_baselines(run_dir, progress=False)
    assert {method: table.meta["model"] for method, table in tables.items()} == {
        "knn": "k-NN", "boosting": "gradient boosting",
    }  # fmt: skip
    # Noise-free colours that are linear in redshift: a local linear fit is nearly exact, steps of trees less so.
    for method, tolerance in (("knn", 2e-3), ("boosting", 2e-2)):
        table = tables[method]
        assert sorted(table["obj_id"]) == sorted(predictions["obj_id"]) and table.meta["origin"] == "simulated"
        assert np.median(np.abs(table["z_phot"] - table["z_spec"])) < tolerance


def test_baselines_train_on_the_part_that_the_networks_trained_on(run_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits"))  # others may have made baselines
    sizes = json.loads((run / "dataset.json").read_text())["galaxies_per_fold"]
    config = load_config(run / "config.yaml", PhotozConfig, ["data.train_fraction=0.1"])
    save_config(config, run / "config.yaml")
    n_train = sum(round(0.125 * size) for size in sizes[1:])  # too few for the fit, which says how many there are
    with pytest.raises(ValueError, match=f"there are {n_train}"):
        predict_baselines(run, ["knn"], progress=False)


def test_missing_baselines_are_made_once_and_again_for_a_new_fold(run_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits"))  # others may have made baselines
    shutil.move(run / "fold_1", tmp_path / "fold_1")
    assert update_baselines(run, methods=["knn"], progress=False) == "" and not (run / "boosting.fits").exists()
    assert set(read_predictions(run / "knn.fits")[0]["fold"]) == {0}
    written = (run / "knn.fits").stat().st_mtime_ns
    assert update_baselines(run, methods=["knn"], progress=False) == ""
    assert (run / "knn.fits").stat().st_mtime_ns == written
    shutil.move(tmp_path / "fold_1", run / "fold_1")
    update_baselines(run, methods=["knn"], progress=False)
    assert set(read_predictions(run / "knn.fits")[0]["fold"]) == {0, 1}


def test_baselines_of_a_run_without_its_dataset_say_why_they_are_missing(run_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits"))  # others may have made baselines
    dataset = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps({**dataset, "path": str(tmp_path / "gone")}))
    assert "gone: no prepared dataset found" in update_baselines(run, progress=False)
    assert not (run / "knn.fits").exists()
