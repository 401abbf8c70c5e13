"""Entries of the morphology report on latent spaces.

Runs with `latent` are shown. Latents are those of the first seed, behind the run's own test-time defence.
"""

import numpy as np

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.morph.predictions import class_names
from photoz_morph.morph.report.figures import isomap
from photoz_morph.morph.report.figures import latents as latent_figures
from photoz_morph.morph.report.latent_results import read_head
from photoz_morph.report.page import Entry
from photoz_morph.robustness.latents.church_windows import church_window

LATENT = "Latent geometry"


def latent_entries(results, title):
    """Figures of the latent geometry.

    Parameters
    ----------
    results : MorphResults
    title : str
        Name of the galaxies, with which captions begin.

    Returns
    -------
    list of Entry
    """
    runs, measured, triplets = results.runs, results.latents.measurements, results.latents.triplets
    stale = [run["name"] for run in runs if run.get("latent") and run["name"] not in measured]
    left_out = f"Not shown in the figures: {', '.join(stale)}, whose latents are not those of the predictions; run "
    left_out += "`morph latent` again, with the test-time defence of the predictions."
    notes = [Entry(LATENT, caption=left_out)] if stale else []
    if not measured:
        return notes
    separations = {run["name"]: run["latent"]["scale"]["separation"]["value"]
                   for run in runs if run["name"] in measured}  # fmt: skip
    figures = _triplet_figures(runs, triplets, title) if triplets else []
    if results.pixel_windows:
        names = class_names(runs[0]["table"])
        figures.append(Entry(
            LATENT, "church_pixels",
            f"{title}: church windows of the images themselves (Warde-Farley & Goodfellow 2016). Lengths are in the "
            "arcsinh of the fluxes, the input of the network. The two steps are added to the image, and the network "
            "classifies every point; class borders are curved here.",
            lambda: latent_figures.church_figure(results.pixel_windows, names, title, "arcsinh units"),
        ))  # fmt: skip
    figures.append(Entry(
        LATENT, "latent_distances",
        f"{title}: distances in latent space, galaxy by galaxy. Top: in latent units. Bottom: in units of the mean "
        "distance between the centroids of two classes, the only ones comparable between runs. The last bin holds all "
        "larger distances.",
        lambda: latent_figures.distance_histograms(measured, separations, title),
    ))  # fmt: skip
    return [*figures, *notes]


def _triplet_figures(runs, places, title):
    """Church windows and isomaps of a galaxy, its noisy and its attacked image."""
    runs = [run for run in runs if run["name"] in places]
    triplets = {run["name"]: _triplet(run, *places[run["name"]]) for run in runs}
    names = class_names(runs[0]["table"])
    given = [{run["name"]: predicted_class(run["table"][f"probability_{domain}"][:, 0]) for run in runs}
             for domain in ("y10", "y1")]  # fmt: skip

    def windows(orthonormal):
        return {run["name"]: church_window(*triplets[run["name"]], *read_head(run["latent"]), orthonormal=orthonormal)
                for run in runs}  # fmt: skip

    def embeddings(n_components):
        return {
            run["name"]: isomap.embed(
                run["table"]["latent_y10"], run["table"]["latent_y1"], marked=_marked(*triplets[run["name"]]),
                n_components=n_components,
            )
            for run in runs
        }  # fmt: skip

    name, row = next(iter(places.values()))
    obj_id = runs[0]["attacks"][name][0]["obj_id"][row]
    where = "every run" if len(runs) > 1 else "the run"
    which = f"Galaxy {obj_id}, whose margins are typical of the galaxies flipped in {where}"
    return [
        Entry(LATENT, "church_isomap",
              f"{title}: church windows and isomaps. {which}, with Y1 noise and with one pixel changed. Top: classes "
              "in the plane of latent space through the three, computed exactly from the linear head; one step right "
              "is the attacked image, one step up that of Y1, whatever their lengths and the angle between them. "
              "Bottom: isomap of the latents of random test galaxies, coloured by predicted class, with the three "
              "joined by lines. As Ciprijanovic et al. (2021), Fig. 2.",
              lambda: latent_figures.triplet_figure(windows(False), embeddings(2), *given, names, title)),
        Entry(LATENT, "church_orthonormal",
              f"{title}: the same windows to scale, with orthogonal axes in latent units. Latent units of two runs are "
              "not comparable.",
              lambda: latent_figures.church_figure(windows(True), names, title)),
        Entry(LATENT, "isomap_3d",
              f"{title}: the same isomaps in three dimensions.",
              lambda: latent_figures.isomap_3d_figure(embeddings(3), *given, names, title)),
    ]  # fmt: skip


def _triplet(run, name, row):
    """Latents of a galaxy, its attacked and its noisy image."""
    table = run["attacks"][name][0]
    return tuple(np.asarray(table[column][row], float) for column in ("latent_y10", "latent_attacked", "latent_y1"))


def _marked(base, attacked, noisy):
    """Latents of a triplet in the order in which isomaps mark them."""
    return np.stack([base, noisy, attacked])
