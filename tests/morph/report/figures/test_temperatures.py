import numpy as np

from photoz_morph.morph.report.figures.temperatures import temperature_figure
from photoz_morph.morph.selection.calibration import TEMPERATURES, calibrate_run
from tests.support.morph import toy_answers, toy_predictions


def test_a_panel_for_each_depth_has_a_line_for_each_temperature_at_the_bins():
    calibration = calibrate_run(toy_answers(n=300), toy_predictions(n=300, n_seeds=2, seed=4), n_bootstrap=20)
    figure = temperature_figure({"regular": calibration}, "toys")
    y10, y1 = figure.axes
    titles = [title for title, _ in TEMPERATURES.values()]
    assert [line.get_label() for line in y10.get_lines()[1:]] == titles[:2]
    assert [line.get_label() for line in y1.get_lines()[1:]] == titles
    number, confidence, right = np.array(calibration["domains"]["Y1"]["oracle"]["calibration_ensemble"]).T
    full = number >= 10
    x, y = y1.get_lines()[-1].get_data()
    np.testing.assert_allclose(x, confidence[full] / number[full])
    np.testing.assert_allclose(y, ((right - confidence) / np.maximum(number, 1))[full])
    errors = [f"{part['ensemble']['ece']['value']:.3f}" for part in calibration["domains"]["Y1"].values()]
    assert [text.get_text() for text in y1.get_legend().get_texts()] == errors
