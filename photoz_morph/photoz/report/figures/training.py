"""Training curves: loss, dispersion and learning rate of every member against epoch."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.report.style import BLACK, BLUE, GREY, ORANGE


def loss_curves(histories, title, loss_name="cross-entropy [nat]"):
    """Loss of all members on training and validation galaxies, sigma_MAD of the latter, and the learning rate.

    Parameters
    ----------
    histories : list of dict of str to ndarray, shape (n_epochs,)
        One per member: `epoch`, `loss`, `validation_loss`, `validation_sigma_mad`, `learning_rate`.
    title : str
    loss_name : str
        Axis label of the loss.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no history.
    """
    if not histories:
        raise ValueError("loss curves need the history of one member or more, got none")
    figure = Figure(figsize=(6.5, 6.4), layout="constrained")
    loss, sigma, rate = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 1.2])
    line = {"alpha": max(0.35, min(1, 3 / len(histories))), "linewidth": 1.1, "marker": "."}
    line["markersize"] = 3 if max(len(history["epoch"]) for history in histories) < 50 else 0
    for number, history in enumerate(histories):
        epoch, prefix = history["epoch"], "_" if number else ""  # one entry in the legend for all members
        loss.plot(epoch, history["loss"], color=BLUE, label=prefix + "training (augmented)", **line)
        loss.plot(epoch, history["validation_loss"], color=ORANGE, ls="--", label=prefix + "validation", **line)
        sigma.plot(epoch, history["validation_sigma_mad"], color=ORANGE, ls="--", label=prefix + "validation", **line)
        rate.plot(epoch, history["learning_rate"], color=BLACK, linewidth=1)
    # An untrained network's first epochs would squeeze the rest: the axis starts where most epochs lie.
    for axes, names in ((loss, ("loss", "validation_loss")), (sigma, ("validation_sigma_mad",))):
        values = np.concatenate([history[name] for history in histories for name in names])
        values = values[np.isfinite(values)]
        if len(values) and np.ptp(values):
            top = min(values.max(), np.median(values) + 8 * (np.median(values) - values.min()))
            axes.set_ylim(values.min() - 0.05 * (top - values.min()), top + 0.05 * (top - values.min()))
        axes.grid(color=GREY, alpha=0.25, linewidth=0.5)
        axes.legend(frameon=False)
    loss.set(ylabel=loss_name, title=title)
    sigma.set(ylabel=r"$\sigma_\mathrm{MAD}$")
    rate.set(ylabel="learning rate", xlabel="epoch", ylim=(0, None))
    rate.ticklabel_format(axis="y", scilimits=(0, 0))
    rate.xaxis.get_major_locator().set_params(integer=True)
    return figure
