import json
import re
import shutil

import numpy as np
import pytest

from photoz_morph.cli.photoz.evaluation import BASELINES
from photoz_morph.config import load_config, save_config
from photoz_morph.datasets.reading import content_hash
from photoz_morph.metrics.redshifts.pdf_scores import crps
from photoz_morph.photoz.baselines import mlp
from photoz_morph.photoz.baselines.cross_validation import BOUNDS, METHODS
from photoz_morph.photoz.baselines.of_run import BASELINES as OF_RUN
from photoz_morph.photoz.baselines.of_run import predict_baselines, update_baselines, update_bounds
from photoz_morph.photoz.baselines.shapes import crude_shapes
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.dataset import open_dataset, split_sizes
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.shards.stacks import find_shards, read_shard
from photoz_morph.simulation.sdss.sample import simulate_sample
from photoz_morph.surveys import SDSS
from tfds_builders.sdss_ugriz import build


def test_baselines_predict_the_galaxies_of_the_run(predictions, run_dir, one_small_network):
    tables = dict(predict_baselines(run_dir, progress=False))
    assert {method: table.meta["model"] for method, table in tables.items()} == {name: METHODS[name] for name in OF_RUN}
    assert tuple(tables) == BASELINES == OF_RUN
    # Noise-free colours that are linear in redshift: a local linear fit is nearly exact, steps of trees less so, and a
    # network that is hardly trained least.
    for method, tolerance in (("knn", 2e-3), ("boosting", 2e-2), ("mlp", 3e-2), ("mlp_shapes", 3e-2)):
        table = tables[method]
        assert sorted(table["obj_id"]) == sorted(predictions["obj_id"]) and table.meta["origin"] == "simulated"
        assert np.median(np.abs(table["z_phot"] - table["z_spec"])) < tolerance


def test_shapes_are_those_of_the_stamp_of_the_same_galaxy(run_dir, stacks_dir, one_small_network, monkeypatch):
    seen = []

    def flat_pdf(train, z, fold, test, grid):
        seen.append(test)
        return np.full((len(test), grid.n_bins), 1 / grid.n_bins)

    monkeypatch.setattr(mlp, "mlp_pdf", flat_pdf)
    table = dict(predict_baselines(run_dir, ["mlp_shapes"], progress=False))["mlp_shapes"]
    found = np.concatenate(seen)[: len(table)]  # the tested folds are the first
    images, catalogs, _ = zip(*(read_shard(path) for path in find_shards(stacks_dir)))
    row_of = {obj_id: row for row, obj_id in enumerate(np.concatenate([one["obj_id"] for one in catalogs]))}
    rows = [row_of[obj_id] for obj_id in table["obj_id"]]
    np.testing.assert_allclose(found[:, 5:], crude_shapes(np.concatenate(images)[rows], SDSS), rtol=1e-4, atol=1e-4)


@pytest.fixture
def simulated_run(run_dir, tmp_path):
    """The tiny run on 80 galaxies of `photoz simulate`; its networks are not asked."""
    simulate_sample(tmp_path / "stacks", 80, 5, n_processes=1, progress=False)
    build(tmp_path / "stacks", tmp_path / "data", progress=False)
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits", "fold_1"))
    builder = open_dataset(tmp_path / "data", SDSS)
    described = json.loads((run / "dataset.json").read_text()) | {
        "path": str(builder.data_dir), "galaxies_per_fold": split_sizes(builder), "content_hash": content_hash(builder),
    }  # fmt: skip
    (run / "dataset.json").write_text(json.dumps(described))
    return run


def test_bounds_are_better_than_a_guess(simulated_run, one_small_network, monkeypatch):
    assert update_bounds(simulated_run, progress=False) == ""
    assert all((simulated_run / f"{name}.fits").exists() for name in BOUNDS)
    tables = {name: read_predictions(simulated_run / f"{name}.fits")[0] for name in BOUNDS}
    crps_of = {name: np.mean(crps(table["z_spec"], table["pdf"], RedshiftGrid())) for name, table in tables.items()}
    assert max(crps_of, key=crps_of.get) == "bound_guess"  # 64 training galaxies do not order the others
    (pdf,) = np.unique(np.asarray(tables["bound_guess"]["pdf"]), axis=0)
    trained = pdf > 0  # of the galaxies of the other folds
    assert 1 < trained.sum() < 80 and set(np.unique(tables["bound_guess"]["fold"])) == {0}
    # Measurements that are there are not made again.
    monkeypatch.setattr("photoz_morph.simulation.sdss.information.measure_part", lambda *job: pytest.fail("made again"))
    (simulated_run / "bound_pixels.fits").unlink()
    assert update_bounds(simulated_run, progress=False) == ""


def test_bounds_of_galaxies_without_truth_say_why_they_are_missing(run_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits"))
    reason = update_bounds(run, progress=False)
    assert re.search("truth of its galaxies is not known .*true_mags.*photoz simulate", reason)
    assert [path.stem for path in run.glob("bound_*.fits")] == ["bound_guess"]
    described = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps({**described, "origin": "stacked"}))
    assert update_bounds(run, progress=False) == ""


def test_baselines_train_on_the_part_that_the_networks_trained_on(run_dir, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("*.fits"))  # others may have made baselines
    sizes = json.loads((run / "dataset.json").read_text())["galaxies_per_fold"]
    config = load_config(run / "config.yaml", PhotozConfig, ["data.train_fraction=0.1"])
    save_config(config, run / "config.yaml")
    parts = [round(0.125 * size) for size in sizes]  # so few that k-NN says how many there are, in the smallest part
    fewest = sum(parts) - max(parts[:2])  # the run tests two folds
    with pytest.warns(UserWarning, match=f"k-NN fits all {fewest} training galaxies"):
        list(predict_baselines(run, ["knn"], progress=False))


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
    described = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps({**described, "path": str(tmp_path / "gone")}))
    assert "gone: no prepared dataset found" in update_baselines(run, progress=False)
    assert not (run / "knn.fits").exists()
