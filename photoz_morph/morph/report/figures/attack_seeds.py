"""Figure of attacks on every network: the flipped fraction of each run with its interval over galaxies and seeds.

Takes attack tables of `attack_files.read_attack` by run and by name of the attack and returns a matplotlib Figure made
without pyplot.
"""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.style import RUN_COLOURS
from photoz_morph.morph.report.tables.attack_seeds import attacks_by_seed, seeds_fraction
from photoz_morph.report.style import LIGHT_GREY, legend_below, marks_of

MARKERS = "os^Dvp"
LABEL_WIDTH = 34  # characters of a line


def flips_of_every_seed(attacks, title):
    """A row for each attack on several networks, with the runs one below the other.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack; see `attacks_by_seed`.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Large symbols: mean over networks, with bars of 95 %; small ones: the networks; open: random corners.
    """
    by_attack = attacks_by_seed(attacks)
    runs = list(dict.fromkeys(run for by_run in by_attack.values() for run in by_run))
    height = 0.34 * len(runs) + 0.3
    figure = Figure(figsize=(8.0, height * len(by_attack) + 1.8), layout="constrained")
    axes = figure.subplots()
    for row, by_run in enumerate(by_attack.values()):
        for run, tables in by_run.items():
            number = runs.index(run)
            colour, marker = RUN_COLOURS[number % len(RUN_COLOURS)], MARKERS[number % len(MARKERS)]
            y = row + 0.7 * ((number + 0.5) / len(runs) - 0.5)
            found, random = seeds_fraction(tables), seeds_fraction(tables, "random_flipped")
            axes.hlines(y, *found["interval"], color=colour, linewidth=1.5)
            axes.plot(found["value"], y, marker, color=colour, markersize=8, linestyle="none", label=run)
            axes.plot(found["seeds"], np.full(len(tables), y + 0.2 / len(runs)), marker, color=colour, markersize=3.5,
                      linestyle="none", alpha=0.7)  # fmt: skip
            axes.plot(random["value"], y, marker, color=colour, markersize=7, fillstyle="none", linestyle="none")
    axes.set_yticks(range(len(by_attack)), ["\n".join(textwrap.wrap(label, LABEL_WIDTH)) for label in by_attack])
    axes.set(xlim=(-0.02, 1.02), ylim=(len(by_attack) - 0.5, -0.5), xlabel="fraction flipped")
    axes.grid(axis="x", color=LIGHT_GREY, linewidth=0.5)
    legend_below(figure, marks_of(axes), min(len(runs), 3))
    figure.suptitle(title)
    return figure
