import numpy as np

from photoz_morph.morph.report.figures.attack_seeds import flips_of_every_seed
from photoz_morph.morph.report.tables.attack_seeds import seeds_fraction
from tests.morph.report.tables.test_attack_seeds import three_networks


def test_symbols_are_the_means_their_bars_the_intervals_and_small_ones_the_networks():
    attacks = {"regular": three_networks(38, 39, 37), "MMD": three_networks(10, 11, 12)}
    axes = flips_of_every_seed(attacks, "simulated").axes[0]
    for number, (run, tables) in enumerate(attacks.items()):
        found = seeds_fraction(list(tables.values()))
        (mean,) = (line for line in axes.lines if line.get_label() == run)
        assert mean.get_xdata()[0] == found["value"]
        np.testing.assert_allclose(axes.collections[number].get_segments()[0][:, 0], found["interval"])
        assert any(np.array_equal(line.get_xdata(), found["seeds"]) for line in axes.lines)
    assert axes.get_yticklabels()[0].get_text().startswith("lattice, Y10")


def test_six_runs_have_six_colours():
    attacks = {f"run_{number}": three_networks(38, 39, 37) for number in range(6)}
    axes = flips_of_every_seed(attacks, "simulated").axes[0]
    assert len({line.get_color() for line in axes.lines if line.get_label() in attacks}) == 6
