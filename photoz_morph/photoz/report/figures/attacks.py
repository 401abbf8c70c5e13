"""Figures of attacks on redshifts: fraction moved against the size of the change, and the galaxies moved by the least.

Takes tables and images of `attack_files.read_attacks` and returns matplotlib Figures, made without pyplot.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.photoz.report.tables.attacks import UNITS, attack_label, victim_name
from photoz_morph.photoz.robustness.scores import moved_curve, sizes_of
from photoz_morph.report.images import rgb, scale_bar
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY, ORANGE, legend_below, logarithmic_x, marks_of

N_WORST = 6  # galaxies shown, our choice
DASHES = ("-", "--", ":", "-.")  # of attacks that differ in their settings
AXES = {"electrons": "electrons of all hits", "sigma": r"largest hit [sky $\sigma$]"}


def moved_curves(attacks, title):
    """Fraction of the galaxies moved by a change no larger than given, in electrons and in sky sigma.

    Parameters
    ----------
    attacks : dict of str to Table
        By name.
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure
        Shaded: 95 % intervals, which resample parents.
    """
    labels = list(dict.fromkeys(attack_label(table.meta) for table in attacks.values()))
    figure = Figure(figsize=(10.4, 4.6 + 0.22 * len(attacks)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (size, text) in zip(panels, AXES.items()):
        for table in attacks.values():
            colour = BLUE if table.meta["victim"] == "ensemble" else ORANGE
            dash = DASHES[labels.index(attack_label(table.meta)) % len(DASHES)]
            points, fraction, low, high = moved_curve(table, size)
            label = f"{victim_name(table.meta)}: {attack_label(table.meta)}, least {UNITS[table.meta['measure']]}"
            axes.step(points, fraction, dash, where="post", color=colour, linewidth=1.6, label=label)
            axes.fill_between(points, low, high, step="post", color=colour, alpha=0.12, linewidth=0)
        logarithmic_x(axes)
        axes.set(ylim=(0, 1.02), xlabel=text)
        axes.grid(color=LIGHT_GREY, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("fraction of the galaxies moved")
    legend_below(figure, marks_of(panels[0]), 1, fontsize=8)
    figure.suptitle(title)
    return figure


def worst_galaxies(table, images, survey, grid, title):
    """Galaxies moved by the smallest changes: before, after with the hits circled, and their PDFs.

    Parameters
    ----------
    table : Table
        Of one attack, by which one galaxy or more was moved.
    images : dict of str to ndarray, shape (n, rows, columns, n_bands)
        `original` and `attacked` [image unit].
    survey : Survey
    grid : RedshiftGrid
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        `N_WORST` galaxies, the smallest change first.

    Raises
    ------
    ValueError
        If no galaxy was moved.
    """
    sizes = sizes_of(table, table.meta["measure"])
    rows = [row for row in np.argsort(sizes, kind="stable")[:N_WORST] if np.isfinite(sizes[row])]
    if not rows:
        raise ValueError(f"a gallery needs a galaxy that was moved, got none of {len(table)}")
    n_columns = min(2, len(rows))
    n_rows = -(-len(rows) // n_columns)
    figure = Figure(figsize=(7.6 * n_columns, 2.75 * n_rows + 0.9), layout="constrained")
    panels = figure.subplots(n_rows, 3 * n_columns, squeeze=False, width_ratios=[1, 1, 1.5] * n_columns)
    panels = panels.reshape(n_rows * n_columns, 3)
    before, after = (rgb(np.asarray(images[name])[rows], survey) for name in ("original", "attacked"))
    for triple, row, first, second in zip(panels, rows, before, after):
        galaxy = table[row]
        for axes, picture in zip(triple, (first, second)):
            axes.imshow(picture, origin="lower", interpolation="nearest")
            axes.set_axis_off()
        scale_bar(triple[0], first.shape[0], survey.pixel_scale)
        used = np.asarray(galaxy["hit_row"]) >= 0
        triple[1].scatter(np.asarray(galaxy["hit_column"])[used], np.asarray(galaxy["hit_row"])[used], s=90,
                          facecolors="none", edgecolors="white", linewidths=1.1)  # fmt: skip
        triple[1].set(xlim=(-0.5, first.shape[1] - 0.5), ylim=(-0.5, first.shape[0] - 0.5))
        triple[0].set_title(f"{galaxy['obj_id']}", fontsize=8)
        triple[1].set_title(_hits_text(galaxy, survey.bands), fontsize=8)
        _draw_pdfs(triple[2], galaxy, grid)
    for axes in panels[len(rows) :].flat:
        axes.set_axis_off()
    legend_below(figure, marks_of(panels[0, 2]), 3)
    figure.suptitle(title)
    return figure


def _draw_pdfs(axes, galaxy, grid):
    """PDFs before and after, and z_spec."""
    for suffix, colour, dash, name in (("", BLUE, "-", "before"), ("_attacked", ORANGE, "--", "after")):
        pdf = np.asarray(galaxy[f"pdf{suffix}"], float) / grid.width
        axes.stairs(pdf, grid.edges, color=colour, linestyle=dash, linewidth=1.4, baseline=None, label=f"PDF {name}")
        axes.axvspan(galaxy[f"z_lower{suffix}"], galaxy[f"z_upper{suffix}"], color=colour, alpha=0.1, linewidth=0)
    axes.axvline(galaxy["z_spec"], color=BLACK, linewidth=1, linestyle=":", label=r"$z_\mathrm{spec}$")
    pdfs = np.stack([np.asarray(galaxy[name], float) for name in ("pdf", "pdf_attacked")])
    seen = np.flatnonzero(pdfs.max(axis=0) > 0.01 * pdfs.max())
    low, high = grid.edges[seen[0]], grid.edges[seen[-1] + 1]
    low, high = min(low, galaxy["z_spec"]), max(high, galaxy["z_spec"])
    axes.set(xlim=(low - 0.05 * (high - low), high + 0.05 * (high - low)), ylim=(0, None), xlabel="redshift z")
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(f"z_phot {galaxy['z_phot']:.3f} to {galaxy['z_phot_attacked']:.3f}", fontsize=8, color=GREY)


def _hits_text(galaxy, bands):
    """Size of the change, and the bands that were hit."""
    used = np.asarray(galaxy["hit_row"]) >= 0
    signs = ["brighter" if change > 0 else "darker" for change in np.asarray(galaxy["hit_change"])[used]]
    hits = ", ".join(f"{bands[band]} {sign}" for band, sign in zip(np.asarray(galaxy["hit_band"])[used], signs))
    sizes = []
    if np.isfinite(galaxy["electrons"]):
        sizes.append(f"{galaxy['electrons']:,.0f} e$^-$")
    if np.isfinite(galaxy["sigma"]):
        sizes.append(rf"{galaxy['sigma']:,.0f} $\sigma$")
    return f"{', '.join(sizes)}\n{hits}"
