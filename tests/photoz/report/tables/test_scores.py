import csv
import io

from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.report.tables.columns import COLUMNS
from photoz_morph.photoz.report.tables.scores import fold_rows, rail_markdown, scores_csv, scores_markdown
from tests.support.reports import GRID, predictions


def test_table_has_the_papers_rows_and_says_the_data():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    lines = scores_markdown(scores).splitlines()
    assert "simulated galaxies" in lines[0] and "toy" in lines[0]
    assert lines[2].startswith("| fold | n | bias | sigma_MAD | eta [%] | CRPS")
    assert [line.split("|")[1].strip() for line in lines[4:11]] == [
        *"01234", "mean ± sd over folds", "all together"
    ]  # fmt: skip
    mean = scores["mean"]["sigma_mad"]
    assert f"{mean['value']:.5f} ± {mean['sd_over_folds']:.5f}" in lines[9]
    assert "real galaxies" in scores_markdown(evaluate(predictions(origin="stacked"), GRID, n_bootstrap=20))


def test_eta_is_printed_in_per_cent():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    scores["folds"]["0"]["eta"] = {"value": 0.0031, "error": 0.0002}
    assert "| 0.31 ± 0.02 |" in scores_markdown(scores)


def test_csv_holds_the_numbers_to_the_last_digit():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    rows = list(csv.DictReader(io.StringIO(scores_csv(scores))))
    assert [row["fold"] for row in rows] == [*"01234", "mean", "all"]
    assert {row["data"] for row in rows} == {"simulated"}
    assert float(rows[2]["crps"]) == scores["folds"]["2"]["crps"]["value"]
    assert float(rows[5]["eta_error"]) == scores["mean"]["eta"]["sd_over_folds"]
    assert float(rows[6]["pit_ad"]) == scores["all"]["pit_ad"]["value"]
    assert set(SCORES) <= set(rows[0])


def test_second_table_speaks_rail_and_says_what_differs():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    scores["all"]["outlier_rate"] = {"value": 0.0123, "error": 0.0045}
    text = rail_markdown(scores)
    assert "| fold | n | median bias | sigma_IQR | outliers [%] |" in text and "| 1.23 ± 0.45 |" in text
    assert "| fold | n | CDE loss | PIT KS | PIT CvM | PIT AD | PIT outliers [%] | 90 % width |" in text
    assert text.count("simulated galaxies") == 2 and text.count("all together") == 2
    assert "median of the residuals, not their mean" in text and "max(0.06, 3 sigma_IQR), not 0.05" in text
    half = next(part for part in scores["coverage"] if part["level"] == 0.5)
    assert f"{100 * half['value']:.1f} ± {100 * half['error']:.1f} of 50" in text


def test_one_fold_has_one_row_and_no_scatter_of_folds():
    table = predictions()
    table.remove_column("fold")
    scores = evaluate(table, GRID, n_bootstrap=20)
    titles, rows = fold_rows(scores, COLUMNS)
    assert titles[:3] == ["fold", "n", "bias"] and [row[:2] for row in rows] == [["0", "400"]]
    _, mean, _ = csv.DictReader(io.StringIO(scores_csv(scores)))
    assert mean["eta_error"] == "" and float(mean["eta"]) == scores["mean"]["eta"]["value"]
