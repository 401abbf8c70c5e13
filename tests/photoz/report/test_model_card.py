import json

import pytest

from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.export import export
from photoz_morph.photoz.predict import predict_run
from photoz_morph.photoz.report.model_card import model_card
from photoz_morph.redshift_grid import RedshiftGrid


@pytest.fixture(scope="module")
def description(run_dir, tmp_path_factory):
    return export(run_dir, tmp_path_factory.mktemp("card") / "model", fold=1)


def test_a_card_says_what_the_model_was_trained_on(description):
    card = model_card(description)
    assert "It has never seen a real galaxy" in card and "Not evaluated yet" in card
    real = {**description, "trained_on": {**description["trained_on"], "origin": "stacked"}}
    assert "real survey frames" in model_card(real) and "never seen a real galaxy" not in model_card(real)


def test_a_card_counts_the_galaxies_the_networks_saw(description, run_dir):
    sizes = json.loads((run_dir / "dataset.json").read_text())["galaxies_per_fold"]
    assert f"About {sum(sizes) - sizes[1]:,} galaxies" in model_card(description)


def test_a_card_carries_the_scores_of_the_run(description, run_dir):
    scores = evaluate(predict_run(run_dir, progress=False), RedshiftGrid())
    assert f"{scores['mean']['sigma_mad']['value']:.5f}" in model_card(description, scores)


def test_a_card_says_what_the_pdfs_were_calibrated_on_and_for(description):
    found = {"n_galaxies": 8000, "intervals": [{"coverage": 0.68}, {"coverage": 0.95}]}
    card = model_card({**description, "calibration": found})
    assert "calibrated on 8000 galaxies not trained on; " in card and "intervals of 68, 95 % coverage" in card
    other = {**description, "calibration": found | {"target_nz": {"file": "deep.fits", "weights": [1.0]}}}
    assert "not trained on, and re-weighted to the n(z) of `deep.fits`; " in model_card(other)


def test_a_calibrated_run_is_described(calibrated_run, tmp_path):
    card = model_card(export(calibrated_run, tmp_path / "model"))
    assert "conformal intervals of 68, 90, 95 % coverage" in card
