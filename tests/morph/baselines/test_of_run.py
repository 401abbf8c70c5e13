import json
from pathlib import Path

import numpy as np
import pytest

from photoz_morph.config import load_config, save_config
from photoz_morph.datasets import reading
from photoz_morph.morph import dataset
from photoz_morph.morph.baselines import of_run
from photoz_morph.morph.baselines.measurements import measure_stamps
from photoz_morph.morph.baselines.of_run import MODELS, predict_baselines, predict_run_baselines, update_baselines
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.comparison import arm_names, compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import read_morph_predictions, write_morph_predictions


@pytest.fixture(scope="module")
def builder(morph_data_dir):
    return dataset.open_dataset(morph_data_dir)


@pytest.fixture(scope="module")
def tables(builder):
    return predict_baselines(builder, n_seeds=2, n_processes=1, progress=False)


@pytest.fixture
def run(builder, tmp_path):
    """A run folder without networks."""
    save_config(load_config("morph_regular.yaml", MorphConfig), tmp_path / "config.yaml")
    (tmp_path / "dataset.json").write_text(json.dumps(dataset.describe(builder)))
    return tmp_path


def same(first, second):
    return all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f")
               for name in first.colnames)  # fmt: skip


@pytest.mark.parametrize("method", MODELS)
def test_the_baselines_beat_chance_at_both_depths_on_the_test_galaxies(builder, tables, method):
    scores = evaluate_morph(tables[method], n_bootstrap=50)
    for domain in ("Y10", "Y1"):  # three classes as frequent as each other
        assert scores["domains"][domain]["mean"]["accuracy"]["interval"][0] > scores["majority"]["accuracy"] + 0.2
    assert list(tables[method]["obj_id"]) == list(reading.read_columns(builder, "test")["obj_id"])
    assert scores["n_seeds"] == 2 and scores["baseline"] == 53 and scores["model"] == MODELS[method]


def test_predictions_hold_the_measurements_of_the_test_stamps(builder, tables, tmp_path):
    write_morph_predictions(tables["boosting"], tmp_path / "a.fits")
    table = read_morph_predictions(tmp_path / "a.fits")
    assert table.meta["train_on"] == "Y10" and table["latent_y1"].description == "measurements of the stamp, Y1"
    images = np.concatenate(list(dataset.domain_images(builder, "test", "y1", 64).as_numpy_iterator()))
    np.testing.assert_array_equal(table["latent_y1"], measure_stamps(images))
    assert same(table, tables["boosting"])


def test_the_number_of_processes_changes_nothing(builder, tables, monkeypatch):
    monkeypatch.setattr(of_run, "BATCH_SIZE", 50)  # more batches than processes
    again = predict_baselines(builder, n_seeds=2, n_processes=2, progress=False)
    assert all(same(again[method], tables[method]) for method in MODELS)


def test_arms_are_named_after_the_baselines(tables):
    assert arm_names([table.meta for table in tables.values()]) == list(MODELS.values())
    comparison = compare_morph(*tables.values(), n_bootstrap=20)
    assert comparison["arms"] == ["boosting", "boosting with Y1 labels"]


def test_the_first_baseline_sees_no_one_year_image_in_training(builder, tables, monkeypatch):
    read, domain_images = [], dataset.domain_images
    monkeypatch.setattr(dataset, "domain_images",
                        lambda builder, split, domain, size: read.append((split, domain))
                        or domain_images(builder, split, domain, size))  # fmt: skip
    alone = predict_baselines(builder, "merger", methods=["boosting"], n_seeds=1, n_processes=1, progress=False)
    assert sorted(read) == [("test", "y1"), ("test", "y10"), ("train", "y10")]
    table = alone["boosting"]
    assert table.meta["classes"] == "not merger,merger"
    assert np.array_equal(table["label"], np.asarray(tables["boosting"]["label"]) == 2)


def test_baselines_of_a_run_are_made_once_and_anew_for_other_galaxies(run, tables, monkeypatch):
    monkeypatch.setattr(of_run, "N_SEEDS", 2)
    given = tables["boosting"]
    found, note = update_baselines(run, given, progress=False)
    assert note == "" and list(found) == list(MODELS.values()) and (run / "boosting_both.fits").exists()
    assert np.array_equal(found["boosting"]["probability_y10"][:, :2], given["probability_y10"])  # seed by seed
    made = []
    monkeypatch.setattr(of_run, "predict_run_baselines", lambda run, wanted, *a, **k: made.append(wanted) or {})
    assert same(update_baselines(run, given)[0]["boosting"], found["boosting"]) and made == []
    (run / "boosting.fits").write_bytes((run / "boosting.fits").read_bytes()[:9000])
    other = given[1:]
    assert update_baselines(run, given)[0].keys() == {MODELS["boosting_both"]}
    assert update_baselines(run, other)[0] == {}
    assert made == [["boosting"], ["boosting", "boosting_both"]]


def test_a_missing_dataset_is_the_reason_given(run, tables):
    description = json.loads((run / "dataset.json").read_text()) | {"path": "/nowhere"}
    (run / "dataset.json").write_text(json.dumps(description))
    assert update_baselines(run, tables["boosting"]) == ({}, "/nowhere: no prepared dataset found; make one with "
                                                         "`morph build MOCKS --data-dir /nowhere`")  # fmt: skip
    with pytest.raises(FileNotFoundError, match="elsewhere: no prepared dataset"):
        update_baselines(run, tables["boosting"], Path("elsewhere"))


def test_another_dataset_than_that_of_the_run_is_refused(run):
    description = json.loads((run / "dataset.json").read_text()) | {"galaxies_per_split": [1, 2, 3]}
    (run / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"the run was trained with \[1, 2, 3\]"):
        predict_run_baselines(run, progress=False)
