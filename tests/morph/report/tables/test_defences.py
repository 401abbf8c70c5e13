import pytest

from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.report.tables import defences
from photoz_morph.morph.robustness.latent_scores import latent_scores
from tests.support.attacks import measured_latents, toy_attack
from tests.support.morph import toy_predictions

DATA = "simulated galaxies"


@pytest.fixture(scope="module")
def latents():
    """Scores and measurements of a run and of the same with a latent space ten times as large."""
    parts = {"regular": measured_latents(), "stretched": measured_latents(10.0)}
    return {name: latent_scores(part, 50) for name, part in parts.items()}, parts


def test_attack_behind_another_defence_takes_no_scores_of_the_network_without(latents):
    scores = evaluate_morph(toy_predictions(n=240), 20)
    attacks = [toy_attack([1, 2, 3, None]), toy_attack([1, None, None, None], defence="median")]
    entries = {"regular": {"scores": scores, "attack": attacks, "latent": latents[0]["regular"]}, "noise": {
        "scores": scores, "attack": [], "latent": None}}  # fmt: skip
    own, median, other = defences.defence_rows(entries)
    accuracy = scores["domains"]["Y1"]["mean"]["accuracy"]
    assert own[:2] == ["regular", "none"] and own[3] == f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}"
    assert own[4].startswith("75 %") and median[4].startswith("25 %")
    margin = latents[0]["regular"]["lengths"]["margin_y1"]["per_separation"]
    assert own[7] == f"{margin['value']:.3f} ± {margin['error']:.3f}"
    assert median[:4] == ["", "3 x 3 median", "–", "–"] and median[6:] == ["–", "–"]
    assert other[0] == "noise" and other[4:] == ["–"] * 4
    assert "lattice, Y10, data range" in defences.defence_caption(entries, DATA)


def test_first_table_behind_a_defence_counts():
    scores = evaluate_morph(toy_predictions(n=240), 20)
    attacks = [toy_attack([1, 2, 3, None]), toy_attack([None] * 4)]
    (row,) = defences.defence_rows({"regular": {"scores": scores, "attack": attacks, "latent": None}})
    assert row[4].startswith("75 %")
