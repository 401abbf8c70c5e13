from photoz_morph.photoz.report.tables.trials import PAPER_TABLE_1, missing_trials, table_1
from tests.support.pages import Page


def scores_of(n_folds):
    mean = {name: {"value": 0.0123, "sd_over_folds": 0.0002, "error": 0.0004} for name in PAPER_TABLE_1}
    return {"mean": {"n_folds": n_folds, **mean}}


def test_numbers_of_the_paper_are_those_of_its_table_1():
    text = Page(table_1(scores_of(5), "simulated")).visible
    assert "0.00010 ± 0.00005" in text and "0.00912 ± 0.00002" in text and "0.31 ± 0.01" in text


def test_scatter_of_folds_gives_way_to_the_error_of_a_single_one():
    assert "0.01230 ± 0.00020" in Page(table_1(scores_of(5), "real")).visible
    single = Page(table_1(scores_of(1), "real")).visible
    assert "0.01230 ± 0.00040" in single and "of one fold ± its error" in single


def test_simulated_rows_are_not_comparable_to_the_papers():
    assert "not comparable" in table_1(scores_of(5), "simulated")
    assert "not comparable" not in table_1(scores_of(5), "real")


def test_missing_rows_name_the_configs_to_train():
    assert missing_trials([]).startswith("Missing rows: 80 %; ") and "photoz_trial_*.yaml" in missing_trials([])
