"""Sections of a gallery of explanations, the same for redshifts and classes: galaxies, their maps, and the verdicts."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from photoz_morph.report import html
from photoz_morph.report.explanations.maps import attribution_maps
from photoz_morph.report.explanations.panels import galaxy_panels
from photoz_morph.report.explanations.verdicts import measured, verdict_table, warnings
from photoz_morph.report.page import Entry

OVERALL = "What the checks say"


@dataclass(frozen=True)
class MethodMaps:
    """Maps of a method.

    Attributes
    ----------
    title, unit : str
    is_signed : bool
    maps : ndarray, shape (n, rows, columns, n_bands) or (n, rows, columns)
    table : Table
        With the checks and curves of each galaxy.
    """

    title: str
    unit: str
    is_signed: bool
    maps: np.ndarray
    table: object


@dataclass(frozen=True)
class Gallery:
    """What is shown of galaxies.

    Attributes
    ----------
    names, titles : sequence of str
        Of the galaxies, for headings and above figures.
    images : ndarray, shape (n, rows, columns, n_bands)
    colours : ndarray, shape (n, rows, columns, 3)
    sky_sigma : ndarray, shape (n, n_bands)
    masks : ndarray of bool, shape (n, rows, columns)
    bands : sequence of str
    draw_answers : sequence of callable
        See `panels.galaxy_panels`.
    shares : ndarray, shape (n, n_members, n_players)
    players : sequence of str
    methods : dict of str to MethodMaps
    unit : str
        What the target is.
    verdict_of : callable
        (title, **checks) to a `explain.faithfulness.verdict.Verdict`.
    marked : sequence of (int, int) or None
        Pixel of each galaxy that is circled.
    """

    names: list
    titles: list
    images: np.ndarray
    colours: np.ndarray
    sky_sigma: np.ndarray
    masks: np.ndarray
    bands: tuple
    draw_answers: list
    shares: np.ndarray
    players: tuple
    methods: dict
    unit: str
    verdict_of: object
    marked: list


def gallery_entries(gallery):
    """Entries of a page: first what the checks say of all galaxies together, then a section for each galaxy.

    Parameters
    ----------
    gallery : Gallery

    Returns
    -------
    list of Entry
    """
    overall = _verdicts(gallery, slice(None))
    caption = (
        "Medians over the galaxies of this page; ! marks what fails. Removal gain: area of the curve of removed light "
        "over that of pixels in random order. MuFidelity: rank correlation of the attribution of random patches with "
        "what their removal does. After random weights: rank correlation with the map of the same network with "
        "shuffled weights. Agreement: mean rank correlation of the maps of the members."
    )
    entries = [Entry(OVERALL, html=verdict_table(overall, caption))]
    entries += [Entry(OVERALL, html=text) for text in (warnings(overall),) if text]
    for number, name in enumerate(gallery.names):
        entries += _of_galaxy(gallery, number, name)
    return entries


def failing_methods(gallery):
    """Half a sentence on the methods that fail a check."""
    names = [title for title, found in _verdicts(gallery, slice(None)).items() if not found.is_faithful]
    if not names:
        return "all pass their checks"
    return f"{', '.join(names)} {'fails' if len(names) == 1 else 'fail'} a check, see the warnings"


def _verdicts(gallery, rows):
    return {
        method.title: gallery.verdict_of(
            method.title, **{name: values[rows] for name, values in measured(method.table).items()}
        )
        for method in gallery.methods.values()
    }


def _of_galaxy(gallery, number, name):
    """Two figures and the checks of one galaxy."""
    found = _verdicts(gallery, slice(number, number + 1))
    section, title = name, gallery.titles[number]
    curves = {
        method.title: [np.asarray(method.table[f"deletion_{axis}"][number]) for axis in ("flux", "target")]
        for method in gallery.methods.values()
    }
    draw_panels = partial(
        galaxy_panels, gallery.colours[number], gallery.draw_answers[number], gallery.shares[number], gallery.players,
        curves, gallery.unit, title,
    )  # fmt: skip
    maps = {
        method.title: (method.maps[number], method.unit, method.is_signed, found[method.title].failed)
        for method in gallery.methods.values()
    }
    draw_maps = partial(
        attribution_maps, gallery.images[number], gallery.sky_sigma[number], gallery.masks[number], gallery.bands, maps,
        title, gallery.marked[number],
    )  # fmt: skip
    panels = (
        f"{title}. From left to right: the stamp in colour; the answer; the part of each band, and of E(B-V) where it "
        "is an input, in the change of the target from the stamp without the galaxy (bars: this network, dashes: the "
        "others of its ensemble); the target while light is removed, first where a map ranks it first."
    )
    of_maps = (
        f"{title}. The stamp in each band, and what each method ascribes to its pixels (red raises the target, blue "
        "lowers it). Grey: outline of the galaxy. Each method has a scale of its own."
    )
    return [
        Entry(section, f"galaxy{number + 1}", panels, draw_panels),
        Entry(section, f"maps{number + 1}", of_maps, draw_maps),
        Entry(section, html=verdict_table(found, "Checks of this galaxy alone; ! marks what fails.")),
        Entry(section, html=warnings(found) or html.paragraph("No map of this galaxy fails a check.")),
    ]
