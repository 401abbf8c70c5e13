"""What the report shows of latent spaces: whose measurements, which galaxy, and the plan of the figures.

Runs are dicts as `robustness_report` takes them, of which those with `latent` are shown. The latents are those of the
first seed, behind the run's own test-time defence.
"""

import numpy as np

from photoz_morph.morph.predictions import class_names
from photoz_morph.morph.report.figures import isomap as morph_isomap
from photoz_morph.morph.report.figures import latents as latent_figures
from photoz_morph.morph.report.latent_results import measurements_of, read_head, triplet_rows
from photoz_morph.robustness.latents.church_windows import church_window

LATENT = "Latent geometry"


def latent_plan(runs, title, pixel_windows):
    """Figures of the latent geometry."""
    measured = measurements_of(runs)
    stale = [run["name"] for run in runs if run.get("latent") and run["name"] not in measured]
    left_out = f"Left out of the figures: {', '.join(stale)}, whose latents are not those of the predictions; run "
    left_out += "`morph latent` again, with the test-time defence of the predictions."
    notes = [(LATENT, "", left_out, None)] if stale else []
    if not measured:
        return notes
    with_latent = [run for run in runs if run["name"] in measured]
    separations = {run["name"]: run["latent"]["scale"]["separation"]["value"] for run in with_latent}
    places = triplet_rows(with_latent)
    figures = _triplet_figures(with_latent, places, title) if places else []
    if pixel_windows:
        names = class_names(runs[0]["table"])
        figures.append((
            LATENT, "church_pixels",
            f"{title}. Church windows of the images themselves (Warde-Farley & Goodfellow 2016), in the arcsinh of the "
            "fluxes, which is what the network sees: the two steps are added to the image, and the network is asked at "
            "every point. Borders are curved here.",
            lambda: latent_figures.church_figure(pixel_windows, names, title, "arcsinh units"),
        ))  # fmt: skip
    figures.append((
        LATENT, "latent_distances",
        f"{title}. Distances in latent space galaxy by galaxy: above in latent units, below in units of the mean "
        "distance between the centroids of two classes, which alone compare from run to run. The last bin holds what "
        "lies beyond.",
        lambda: latent_figures.distance_histograms(measured, separations, title),
    ))  # fmt: skip
    return [*figures, *notes]


def _triplet_figures(runs, places, title):
    """A galaxy, its noisy and its attacked image, in church windows and isomaps."""
    runs = [run for run in runs if run["name"] in places]
    triplets = {run["name"]: _triplet(run, *places[run["name"]]) for run in runs}
    names = class_names(runs[0]["table"])
    given = [{run["name"]: np.asarray(run["table"][f"probability_{domain}"])[:, 0].argmax(axis=1) for run in runs}
             for domain in ("y10", "y1")]  # fmt: skip

    def windows(orthonormal):
        return {run["name"]: church_window(*triplets[run["name"]], *read_head(run["latent"]), orthonormal=orthonormal)
                for run in runs}  # fmt: skip

    def embeddings(n_components):
        return {
            run["name"]: morph_isomap.embed(
                run["table"]["latent_y10"], run["table"]["latent_y1"], marked=_marked(*triplets[run["name"]]),
                n_components=n_components,
            )
            for run in runs
        }  # fmt: skip

    name, row = next(iter(places.values()))
    obj_id = runs[0]["attacks"][name][0]["obj_id"][row]
    which = f"Galaxy {obj_id}, typical in its margins of those flipped in {'every run' if len(runs) > 1 else 'the run'}"
    return [
        (LATENT, "church_isomap",
         f"{title}. {which}, with Y1 noise and with one pixel changed. Above: classes in the plane of latent space "
         "through the three, exact from the linear head; one step right is the attacked image, one step up that of Y1, "
         "however long and whatever the angle between them. Below: isomap of the latents of random test galaxies, "
         "coloured by the class given, with the three joined by lines. As Ciprijanovic et al. (2021), Fig. 2.",
         lambda: latent_figures.triplet_figure(windows(False), embeddings(2), *given, names, title)),
        (LATENT, "church_orthonormal",
         f"{title}. The same windows in their true shape: both axes in latent units, at right angles. Latent units of "
         "two runs are not the same.",
         lambda: latent_figures.church_figure(windows(True), names, title)),
        (LATENT, "isomap_3d",
         f"{title}. The same isomaps in three dimensions.",
         lambda: latent_figures.isomap_3d_figure(embeddings(3), *given, names, title)),
    ]  # fmt: skip


def _triplet(run, name, row):
    """Latents of a galaxy, of its attacked and of its noisy image."""
    table = run["attacks"][name][0]
    return tuple(np.asarray(table[column][row], float) for column in ("latent_y10", "latent_attacked", "latent_y1"))


def _marked(base, attacked, noisy):
    """The three in the order in which isomaps mark them."""
    return np.stack([base, noisy, attacked])
