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
