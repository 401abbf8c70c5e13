import pytest

from photoz_morph.report.text import count, markdown_table, p_text, with_error, with_interval


@pytest.mark.parametrize("number, text", [(0, "0 folds"), (1, "1 fold"), (2, "2 folds"), (12345, "12,345 folds")])
def test_nouns_are_in_the_plural_but_after_one(number, text):
    assert count(number, "fold") == text


def test_markdown_table_has_a_rule_as_wide_as_its_header():
    lines = markdown_table(("a", "b", "c"), [["1", "2", "3"], ["4", "5", "6"]])
    assert lines == ["| a | b | c |", "|---|---|---|", "| 1 | 2 | 3 |", "| 4 | 5 | 6 |"]


def test_scores_have_three_digits_and_their_errors():
    assert with_error({"value": 0.8125, "error": 0.02}) == "0.812 ± 0.020"
    assert with_interval({"value": 0.5, "interval": [0.4567, 0.6]}) == "0.500 (0.457 to 0.600)"


def test_tiny_p_values_are_limits():
    assert [p_text(p) for p in (0.5, 0.0123, 1e-4)] == ["0.5", "0.012", "0.0001"]
    assert p_text(9e-5) == p_text(1e-300) == "< 0.0001"
