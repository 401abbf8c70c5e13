from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.morph.report.tables.selection import (
    selection_caption,
    selection_header,
    selection_markdown,
    selection_rows,
    selection_verdicts,
)
from tests.support.selection import toy_selection


def test_each_score_has_its_choice_and_what_it_costs():
    selection = toy_selection()
    header, rows = selection_header(selection), selection_rows(selection)
    assert header[:3] == ["score", "regular", "MMD"] and all(len(row) == len(header) for row in rows)
    assert len(rows) == len(SCORES) + 2
    entropy = next(row for row in rows if row[0] == "entropy (lower is better)")
    part, choice = selection["runs"]["MMD"]["scores"]["entropy"], selection["choices"]["entropy"]
    low, high = choice["regret"]["interval"]
    assert entropy[2] == f"{part['value']:.3f}" and entropy[3] == choice["run"] == "MMD"
    assert entropy[4] == f"0.0 ({100 * low:.1f} to {100 * high:.1f})"
    assert entropy[5] == f"{choice['network'][0]}, seed {choice['network'][1]}"
    assert rows[-1][0] == "accuracy in Y1, by its labels" and rows[-1][3] == selection["oracle"]["run"] == "MMD"


def test_the_caption_says_what_the_galaxies_are_and_what_was_resampled():
    selection = toy_selection()
    caption = selection_caption(selection)
    assert "150 validation galaxies" in caption and "simulated galaxies" in caption and "of the seeds" in caption
    alone = {name: part | {"n_seeds": 1} for name, part in selection["runs"].items()}
    assert "scatter between trainings is unknown" in selection_caption(selection | {"runs": alone})


def test_scores_that_choose_another_run_than_the_labels_are_named():
    selection = toy_selection()
    wrong = selection["choices"]["snd"] | {"run": "regular", "regret": {"value": 0.125, "interval": [0.1, 0.15]}}
    right = {score: choice | {"run": "MMD"} for score, choice in selection["choices"].items()}
    first, second = selection_verdicts(selection | {"choices": right | {"snd": wrong}})
    assert first.startswith("Source accuracy, importance-weighted") and first.endswith("the labels of Y1, MMD.")
    title = "oft neighbourhood density (SND)"
    assert second == f"S{title} does not; s{title} costs most, 12.5 (10.0 to 15.0) points."
    assert f"- {second}" in selection_markdown(selection | {"choices": right | {"snd": wrong}})
    (all_right,) = selection_verdicts(selection | {"choices": right})
    assert " choose the best run" in all_right
