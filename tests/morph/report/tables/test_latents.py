import numpy as np
import pytest

from photoz_morph.morph.report.tables import (
    latents as latent_tables,
)
from photoz_morph.morph.robustness.latent_scores import compare_latents, latent_scores
from tests.support.attacks import measured_latents

DATA = "simulated galaxies"


@pytest.fixture(scope="module")
def latents():
    """Scores and measurements of a run and of the same with a latent space ten times as large."""
    parts = {"regular": measured_latents(), "stretched": measured_latents(10.0)}
    return {name: latent_scores(part, 50) for name, part in parts.items()}, parts


def test_scale_free_rows_are_the_same_for_a_stretched_latent_space(latents):
    rows = latent_tables.latent_rows(latents[0], {})
    assert [row[0] for row in rows if row[0]] == ["latent unit", "class separation", "class width"]
    for number, (_, name, first, second, _) in enumerate(rows):
        values = [float(cell.split(" ± ")[0]) for cell in (first, second)]
        if number < 4:
            assert values[1] == pytest.approx(10 * values[0], rel=0.02), name  # two or three digits are printed
        else:
            assert first == second, name


def test_rows_are_those_of_the_papers_table(latents):
    rows = latent_tables.latent_rows({"regular": latents[0]["regular"]}, {})
    part = latents[1]["regular"]
    steps = part.lengths["attacked"][np.isfinite(part.lengths["attacked"])]
    (cell,) = [row[2] for row in rows[:4] if row[1] == "Y10 - one-pixel"]
    digits = 1 if steps.mean() >= 10 else 2
    assert cell.startswith(f"{steps.mean():.{digits}f} ± {steps.std():.{digits}f} (")
    assert [row[1] for row in rows[:3]] == ["Y10 - Y1, all", "Y10 - Y1, flipped", "Y10 - one-pixel"]


def test_verdict_does_not_take_a_stretched_space_for_a_harder_attack(latents):
    scores, parts = latents
    ratios = {"stretched": compare_latents(parts["regular"], parts["stretched"], 50)}
    sentences = latent_tables.latent_verdicts(scores, ratios)
    words = "The distance to the attacked image is 10.00 (10.00 to 10.00) times as long in stretched"
    assert sentences[0].startswith(words)
    assert "and 1.00 (1.00 to 1.00) times in units of the class separation" in sentences[0]
    text = latent_tables.latent_markdown(scores, DATA, ratios)
    assert "10.00 (10.00 to 10.00)" in text
    assert "16 flipped of 20 attacked (lattice, Y10, data range, up to 100 queries)" in text


def test_latent_table_names_the_attack_of_each_run(latents):
    regular, stretched = latents[0].values()
    attack = stretched["attack"] | {"domain": "Y1", "success": "paper", "targeted": True}
    runs = {"regular": regular, "stretched": stretched | {"attack": attack}}
    caption = latent_tables.latent_caption(runs, DATA)
    assert "(lattice, Y10, data range, up to 100 queries); stretched" in caption
    assert "(lattice, Y1, data range, targeted, success paper, up to 200 queries)" in caption
    assert "Y10 or Y1 - one-pixel" in [row[1] for row in latent_tables.latent_rows(runs, {})]


@pytest.mark.parametrize("interval, words", [
    ([0.8, 1.2], "the difference is not significant"), ([1.1, 1.5], "longer in MMD"), ([0.5, 0.9], "shorter in MMD"),
])  # fmt: skip
def test_verdict_follows_the_scale_free_interval(interval, words):
    ratio = {"n": 30, "raw": {"value": 2.3, "interval": [2.0, 2.6]}}
    ratio["per_separation"] = {"value": np.mean(interval), "interval": interval}
    ratios = {"MMD": {"attacked": ratio, "y10_y1": None}}
    (sentence,) = latent_tables.latent_verdicts({"regular": {}, "MMD": {}}, ratios)
    assert "2.30 (2.00 to 2.60) times as long in MMD as in regular, raw" in sentence
    assert sentence.endswith(f"scale-free, {words}.")
