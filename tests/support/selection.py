"""A choice among toy runs, for tests of its table and figure."""

from functools import lru_cache

from photoz_morph.morph.selection.ranking import rank_runs
from tests.support.morph import toy_answers, toy_predictions


@lru_cache
def toy_selection():
    """Two runs of two seeds, the second better in Y1, ranked."""
    strengths = {"regular": 0.3, "MMD": 1.5}
    return rank_runs(
        {name: (toy_answers(2.0, strength, n=150, seed=number), toy_predictions(2.0, strength, 150, 2, seed=number + 9))
         for number, (name, strength) in enumerate(strengths.items())},
        n_bootstrap=50,
    )  # fmt: skip
