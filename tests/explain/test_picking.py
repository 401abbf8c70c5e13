from photoz_morph.explain.picking import pick


def test_rankings_take_turns_and_no_galaxy_is_taken_twice():
    rankings = {"best": [3, 1, 2], "worst": [2, 1, 3], "wide": [3, 4]}
    assert pick(rankings, 4) == {3: "best", 1: "best", 2: "worst", 4: "wide"}
    assert pick(rankings, 2) == {3: "best", 2: "worst"}


def test_there_are_no_more_galaxies_than_there_are():
    assert pick({"one": [0], "other": []}, 5) == {0: "one"}
