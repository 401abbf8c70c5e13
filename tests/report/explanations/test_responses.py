import numpy as np

from photoz_morph.report.explanations.responses import response_points, share_bars

SCORES = [{"value": 0.2, "interval": [0.1, 0.3], "n": 5}, {"value": -0.1, "interval": [-0.2, 0.0], "n": 4}]


def test_the_bars_of_a_region_are_its_shares_in_percent():
    axes = share_bars(["bulge", "sky"], {"light": SCORES, "pixels": SCORES}, "title").axes[0]
    assert sorted(bar.get_height() for bar in axes.patches) == [-10, -10, 20, 20]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bulge", "sky"]


def test_each_change_has_its_line_with_the_number_of_galaxies():
    left, right = response_points(["a", "b"], SCORES, SCORES, "redshift", "title").axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["a (n = 5)", "b (n = 4)"]
    np.testing.assert_allclose(left.lines[0].get_xdata(), [0.2, -0.1])
