import numpy as np
import pytest

from photoz_morph.photoz.report.figures.training import loss_curves


def test_loss_curves_show_every_member_and_name_each_line_once():
    epoch = np.arange(1.0, 6)
    histories = [
        {"epoch": epoch, "loss": 3 + seed / epoch, "validation_loss": 3.1 + seed / epoch,
         "validation_sigma_mad": 0.01 + 0.01 / epoch, "learning_rate": 1e-3 / epoch}
        for seed in (1, 2, 3)
    ]  # fmt: skip
    loss, sigma, rate = loss_curves(histories, "toy").axes
    drawn = [line.get_ydata() for line in loss.get_lines()]
    expected = [history[name] for history in histories for name in ("loss", "validation_loss")]
    np.testing.assert_array_equal(drawn, expected)
    assert len(sigma.get_lines()) == len(rate.get_lines()) == 3
    assert len(loss.get_legend().get_texts()) == 2
    assert rate.get_xlabel() == "epoch" and "nat" in loss.get_ylabel()
    with pytest.raises(ValueError, match="history of one member"):
        loss_curves([], "toy")
