import numpy as np

from photoz_morph.morph.report.figures.pixel_sets import success_by_pixels
from tests.support.attacks import toy_attack


def test_there_is_a_panel_for_each_search_and_a_curve_for_each_number_of_pixels():
    attacks = {"regular": {
        "b": toy_attack([4, None], pixels=5), "a": toy_attack([20, None], pixels=2), "c": toy_attack([None, None]),
        "d": toy_attack([3, 4], search="sparse-rs", pixels=5),
    }}  # fmt: skip
    figure = success_by_pixels(attacks, "Simulated toy")
    ours, peer = figure.axes
    words = [text.get_text() for text in ours.get_legend().get_texts()]
    assert words == ["1 pixel: 0 % of 2", "2 pixels: 50 % of 2", "5 pixels: 50 % of 2"]
    assert [line.get_xdata().tolist() for line in ours.lines] == [[1, 100], [1, 20, 100], [1, 4, 100]]
    assert np.array_equal(ours.lines[2].get_ydata(), [0, 0.5, 0.5])
    assert peer.get_title().endswith("sparse-rs, Y10, data range") and peer.lines[0].get_ydata()[-1] == 1
    assert len({str(line.get_color()) for line in ours.lines}) == 3
    assert ours.lines[2].get_color() == peer.lines[0].get_color()  # of five pixels in both
