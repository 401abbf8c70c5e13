"""Figure of attacks by sets of pixels: success against queries for each number of pixels.

Takes tables of `attack_files.read_attack`, and returns a matplotlib Figure, made without pyplot.
"""

import matplotlib
from matplotlib.figure import Figure

from photoz_morph.morph.report.attack_choice import n_pixels
from photoz_morph.morph.report.figures.attacks import draw_band, flip_curve
from photoz_morph.morph.report.tables.pixel_sets import ordered_sets
from photoz_morph.report.style import LIGHT_GREY


def success_by_pixels(attacks, title):
    """Fraction of the attacked galaxies flipped within a number of queries, a curve for each number of pixels.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack; a panel for each run and search.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure
    """
    sets = ordered_sets(attacks)
    numbers = sorted({n_pixels(table.meta) for tables in sets.values() for table in tables})
    shades = matplotlib.colormaps["viridis_r"]
    colours = {number: shades(0.15 + 0.85 * i / max(len(numbers) - 1, 1)) for i, number in enumerate(numbers)}
    n_columns = min(len(sets), 2)
    n_rows = -(-len(sets) // n_columns)
    figure = Figure(figsize=(max(4.8 * n_columns, 6.4), 4.0 * n_rows + 0.4), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    for axes, ((run, label), tables) in zip(panels.flat, sets.items()):
        for table in tables:
            number = n_pixels(table.meta)
            queries, fraction = flip_curve(table)
            words = f"{number} pixel{'s' * (number > 1)}: {100 * fraction[-1]:.0f} % of {len(table):,}"
            axes.step(queries, fraction, where="post", color=colours[number], linewidth=1.6, label=words)
            draw_band(axes, table, queries, fraction, colours[number])
        axes.set_title(f"{run}\n{label}", fontsize=10)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="queries")
        axes.tick_params(labelbottom=True)
    for axes in panels.flat[len(sets) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel("fraction flipped")
    panels[0, 0].set_xlim(left=1)
    figure.suptitle(title)
    return figure
