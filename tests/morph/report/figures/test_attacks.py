import numpy as np
import pytest

from photoz_morph.morph.report.figures import attacks as attack_figures
from photoz_morph.morph.report.style import CLASS_COLOURS
from tests.support.attacks import toy_attack, toy_images


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


def test_curve_counts_the_galaxies_flipped_so_far():
    table = toy_attack([3, 1, None, 3], random_queries=[None, None, 50, None])
    queries, fraction = attack_figures.flip_curve(table)
    assert queries.tolist() == [1, 3, 100] and fraction.tolist() == [0.25, 0.75, 0.75]
    queries, fraction = attack_figures.flip_curve(table, "random_flipped")
    assert queries.tolist() == [1, 50, 100] and fraction.tolist() == [0, 0.25, 0.25]


def test_curve_of_an_attack_in_vain_is_flat_up_to_the_budget():
    queries, fraction = attack_figures.flip_curve(toy_attack([None, None]))
    assert queries.tolist() == [1, 100] and fraction.tolist() == [0, 0]


def test_flip_by_the_last_query_is_on_the_curve_though_its_confirmation_was_one_more():
    table = toy_attack([100, None, 5])
    table["unconfirmed"] = [1, 4, 0]
    table["queries"] += table["unconfirmed"]
    assert table["queries"].tolist() == [102, 104, 6]
    queries, fraction = attack_figures.flip_curve(table)
    assert queries.tolist() == [1, 5, 100] and fraction == pytest.approx([0, 1 / 3, 2 / 3])
    (axes,) = attack_figures.margin_queries({"run": table}, "toy").axes
    assert max(line.get_ydata().max() for line in axes.lines[:2]) == 100


def test_budget_of_a_targeted_attack_is_that_of_all_wrong_classes():
    table = toy_attack([150, None], targeted=True)
    queries, fraction = attack_figures.flip_curve(table)
    assert queries.tolist() == [1, 150, 200] and fraction.tolist() == [0, 0.5, 0.5]
    (axes,) = attack_figures.margin_queries({"run": table}, "toy").axes
    (dotted,) = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert set(dotted.get_ydata()) == {200}


def test_attacks_of_one_name_share_a_panel():
    attacks = {
        "regular": {"lattice_y10": toy_attack([1, 2, None]), "evolution_y10": toy_attack([9] * 3, search="evolution")},
        "MMD": {"lattice_y10": toy_attack([1, None, None])},
    }
    figure = attack_figures.success_curves(attacks, "Simulated toys")
    first, second = (lines_of(axes) for axes in figure.axes)
    assert list(first) == ["regular: 67 % of 3", "regular, random corners: 0 % of 3", "MMD: 33 % of 3",
                           "MMD, random corners: 0 % of 3"]  # fmt: skip
    assert list(second)[0] == "regular: 100 % of 3" and len(second) == 2
    assert first["MMD: 33 % of 3"].get_linestyle() == "-"
    assert first["MMD, random corners: 0 % of 3"].get_linestyle() == "--"
    assert figure.axes[0].get_xscale() == "log"
    assert [axes.get_title() for axes in figure.axes] == ["lattice, Y10, data range", "evolution, Y10, data range"]


def test_places_are_those_of_the_pixels_and_random_pixels_have_the_distances_of_a_square():
    table = toy_attack([1, None, 4])
    images = toy_images(table, size=41)
    stamp, distance, brightness = attack_figures.pixel_places({"run": table}, {"run": images["original"]}, "toy").axes
    (points,) = stamp.lines
    assert points.get_xdata().tolist() == [20, 20] and points.get_ydata().tolist() == [10, 10]
    curve = lines_of(distance)
    np.testing.assert_allclose(curve["run, 2 pixels"].get_xdata(), 10)  # from (20, 20)
    # Mean distance from the centre of a square of side 1: (sqrt 2 + arcsinh 1) / 6.
    mean = curve["all pixels"].get_xdata().mean() / 41
    assert mean == pytest.approx((np.sqrt(2) + np.arcsinh(1)) / 6, rel=2e-3)
    everywhere = np.median(lines_of(brightness)["all pixels"].get_xdata())
    assert everywhere == pytest.approx(0, abs=0.05)


def test_values_are_changes_over_the_noise_of_the_sky_and_their_signs():
    table = toy_attack([1] * 20)
    originals = {"run": toy_images(table)["original"]}
    figure = attack_figures.pixel_values({"run": table}, originals, "toy")
    changes, patterns = figure.axes
    for patch, expected in zip(changes.patches, (10, -2, 3)):  # 30, -6 and 9 nJy over 3
        counts, edges = patch.get_data().values, patch.get_data().edges
        (filled,) = np.flatnonzero(counts)
        assert counts[filled] == 20 and edges[filled] <= expected * 1.05 and edges[filled + 1] >= expected * 0.95
    heights = [bar.get_height() for bar in patterns.patches]
    assert heights[attack_figures.PATTERNS.index("+-+")] == 1 and sum(heights) == 1


def test_margins_show_galaxies_that_resist_at_the_budget():
    table = toy_attack([5, None, 50], label=[0, 0, 2])
    (axes,) = attack_figures.margin_queries({"run": table}, "toy").axes
    found = {(x, y, line.get_marker(), line.get_color()) for line in axes.lines[:6] for x, y in line.get_xydata()}
    assert found == {
        (1, 5, "o", CLASS_COLOURS["spiral"]), (2, 100, "^", CLASS_COLOURS["spiral"]),
        (3, 50, "o", CLASS_COLOURS["merger"]),
    }  # fmt: skip
