import csv
import io

import numpy as np

from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.report.tables.comparison import comparison_markdown, verdicts
from photoz_morph.photoz.report.tables.scores import rail_markdown, scores_csv, scores_markdown
from tests.support.reports import GRID, predictions


def test_choice_of_galaxies_stands_in_every_title():
    choice = "depth deep, without stripes=38-39"
    scores = evaluate(predictions(), GRID, n_bootstrap=20, choice=choice)
    assert f"simulated galaxies: {choice}**" in scores_markdown(scores).splitlines()[0]
    assert rail_markdown(scores).count(choice) == 2
    assert {row["choice"] for row in csv.DictReader(io.StringIO(scores_csv(scores)))} == {choice}
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, 20, choice=choice)
    assert f"on the same 400 simulated galaxies: {choice}**" in comparison_markdown(comparison)
    assert choice in verdicts(comparison)[0]


def test_note_says_what_was_resampled():
    table = predictions()
    assert "(20 resamples; for a rate" in scores_markdown(evaluate(table, GRID, n_bootstrap=20))
    table["group_id"] = np.arange(400) // 10
    words = "20 resamples of 40 parent galaxies"
    assert words in scores_markdown(evaluate(table, GRID, n_bootstrap=20))
    assert words in comparison_markdown(compare({"a": table, "b": predictions(0.03)}, {"a": GRID, "b": GRID}, 20))
