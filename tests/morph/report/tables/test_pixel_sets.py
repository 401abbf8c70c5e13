from photoz_morph.morph.report.tables.pixel_sets import ordered_sets, set_markdown, set_rows
from tests.support.attacks import toy_attack


def attacks_of_sets():
    """A run with three numbers of pixels by two searches."""
    found = {f"lattice_{k}": toy_attack([k, 10, None, None], pixels=k) for k in (10, 2)}
    found["one"] = toy_attack([None, None, None, 50])
    found["peer"] = toy_attack([8, 9, 10, None], search="sparse-rs", pixels=2)
    return {"regular": found}


def test_rows_are_by_search_then_by_number_of_pixels():
    rows = set_rows(attacks_of_sets())
    assert [row[2] for row in rows] == ["1", "2", "10", "2"]
    assert [row[1] for row in rows] == ["lattice, Y10, data range", "", "", "sparse-rs, Y10, data range"]
    assert [row[0] for row in rows] == ["regular", "", "", ""]
    assert [row[3].split(",")[0] for row in rows] == ["1 of 4", "2 of 4", "2 of 4", "3 of 4"]
    assert [row[5] for row in rows] == ["51", "7", "11", "10"]  # medians with the confirmation: of 3 and 11, 11 and 11
    assert rows[1][6] == f"{(3 + 11 + 100 + 100) / 4:.0f}"  # those that resist use the budget


def test_the_labels_are_without_the_number_of_pixels():
    (first, second) = ordered_sets(attacks_of_sets())
    assert first == ("regular", "lattice, Y10, data range") and second[1].startswith("sparse-rs")


def test_the_caption_names_the_galaxies_and_the_budget():
    text = set_markdown(attacks_of_sets(), "simulated galaxies")
    assert "test images of simulated galaxies, with up to 100 queries" in text
    assert text.count("\n| ") == 5
