"""Risk-coverage curves: the error rate of the galaxies that a run is surest of."""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.metrics.group_errors import group_weights
from photoz_morph.metrics.risk_coverage import aurc, risk_coverage
from photoz_morph.morph.report.style import DOMAIN_STYLES
from photoz_morph.report.style import GREY, LIGHT_GREY, legend_below, marks_of

N_RESAMPLES = 200  # our choice: of the groups, for the band
GRID = np.linspace(0.02, 1, 99)  # coverages that curves are drawn at; below, a few galaxies make it jump


def risk_coverage_figure(predictions, title):
    """Error rate against the fraction classified, of the ensemble and of single networks in both domains.

    Parameters
    ----------
    predictions : dict of str to dict
        By the name of the run and by the domain, such as "Y10" and "Y1", of labelled galaxies: `label`, shape (n,),
        `group_id`, shape (n,), and `probability`, shape (n, n_seeds, n_classes).
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(max(3.7 * len(predictions) + 0.6, 5.2), 4.4), layout="constrained")
    panels = figure.subplots(1, len(predictions), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (run, domains) in zip(panels, predictions.items()):
        areas = []
        for domain, part in domains.items():
            label, probability = part["label"], part["probability"]
            weights = group_weights(part["group_id"], N_RESAMPLES)
            colour, dashes, _ = DOMAIN_STYLES[domain]
            ensemble = probability.mean(axis=1)
            order = ensemble.max(axis=1), predicted_class(ensemble) != label
            curves = _on_grid(*order, weights)
            axes.fill_between(GRID, *np.percentile(curves, (2.5, 97.5), axis=0), color=colour, alpha=0.15, linewidth=0)
            axes.plot(GRID, _on_grid(*order)[0], dashes, color=colour, linewidth=1.8, label=f"{domain}, ensemble")
            areas.append(f"{domain} {aurc(*order):.3f}")
            if probability.shape[1] > 1:
                single = [_on_grid(each.max(axis=1), predicted_class(each) != label)[0]
                          for each in np.moveaxis(probability, 1, 0)]  # fmt: skip
                axes.plot(GRID, np.mean(single, axis=0), ":", color=colour, linewidth=1.2,
                          label=f"{domain}, mean of single networks")  # fmt: skip
        axes.text(0.04, 0.96, "area, ensemble: " + ", ".join(areas), transform=axes.transAxes, va="top", fontsize=8.5,
                  color=GREY)  # fmt: skip
        axes.set(title=run, xlim=(0, 1), xlabel="fraction classified, surest first")
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
    panels[0].set_ylabel("error rate among them")
    panels[0].set_ylim(0, 1.12 * panels[0].get_ylim()[1])
    legend_below(figure, marks_of(panels[0]), 2)
    figure.suptitle(title)
    return figure


def _on_grid(confidence, wrong, weights=None):
    """Curves at the coverages of `GRID`, shape (n_curves, 99); one curve without weights."""
    coverage, risk = risk_coverage(confidence, wrong, weights)
    return np.stack([np.interp(GRID, *pair) for pair in zip(np.atleast_2d(coverage), np.atleast_2d(risk))])
