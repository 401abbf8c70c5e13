"""Gallery of explained classes: one page with the galaxies, maps, shares of the bands and what the checks say.

Takes a run folder and a folder of `morph explain`, see `explain.files`.
"""

from pathlib import Path

import numpy as np

from photoz_morph.explain.faithfulness.verdict import verdict
from photoz_morph.explain.files import ANATOMY, GALAXIES, is_stored, read_stored
from photoz_morph.morph.report.figures.stretch import stretch
from photoz_morph.report.explanations.anatomy import anatomy_entries
from photoz_morph.report.explanations.gallery import Gallery, MethodMaps, failing_methods, gallery_entries
from photoz_morph.report.explanations.panels import class_answer
from photoz_morph.report.page import Overview, write_page
from photoz_morph.report.text import made_from
from photoz_morph.runs.scores import ORIGINS

UNITS = {"logit": "logit", "probability": "probability", "margin": "logit less the largest other",
         "entropy": "entropy of the classes [nat]"}  # fmt: skip
BANNER = "{kind} galaxies, seen at the depth of LSST {depth}."


def write_explanations(run_dir, folder, methods, further=(), progress=True):
    """Write the gallery of a folder of explanations.

    Parameters
    ----------
    run_dir, folder : path-like
    methods : dict of str to Method
        Those to show, in order; see `explain.methods`.
    further : sequence of Entry
        Sections after those of the galaxies.
    progress : bool

    Returns
    -------
    Path
        `report.html` in the folder.
    """
    stored, shapley = read_stored(folder, GALAXIES), read_stored(folder, "shapley")
    table, meta = stored.table, stored.table.meta
    kind, names = ORIGINS[meta["origin"]], meta["classes"].split(",")
    found = {name: read_stored(folder, name) for name in methods}
    images = stored.arrays["image"]
    unit = UNITS[meta["target"]]
    pixels = [tuple(pixel) for pixel in np.asarray(table["flipped_pixel"]).tolist()]
    players = tuple(shapley.table.meta["players"].split(","))
    gallery = Gallery(
        names=[f"{str(row['reason'])[0].upper()}{str(row['reason'])[1:]}: galaxy {row['obj_id']}" for row in table],
        titles=[_title(kind, row, names) for row in table],
        images=images,
        colours=_colours(images, images),
        sky_sigma=np.asarray(table["sky_sigma"]),
        masks=stored.arrays["mask"].astype(bool),
        bands=players[: images.shape[-1]],
        draw_answers=[class_answer(names, np.asarray(row["probability_members"]), int(row["label"])) for row in table],
        shares=np.asarray(shapley.table["shapley_members"]),
        players=players,
        methods={
            name: MethodMaps(method.title, method.unit, method.is_signed, found[name].arrays["attribution"],
                             found[name].table)
            for name, method in methods.items()
        },
        unit=unit,
        verdict_of=verdict,
        marked=[pixel if pixel[0] >= 0 else None for pixel in pixels],
    )  # fmt: skip
    entries = gallery_entries(gallery)
    if all(is_stored(folder, name) for name in ANATOMY):
        parts = {name: read_stored(folder, name) for name in ANATOMY}
        colours = ("label", "predicted", "flux_r")
        entries += anatomy_entries(
            parts, images, gallery.bands, lambda some: _colours(some, images), unit, colours, _facts
        )
    return write_page(
        [*entries, *further],
        Path(folder),
        title=f"What the network sees: run {Path(run_dir).resolve().name}, {meta['target']} of the {meta['of']} class",
        banner=BANNER.format(kind=kind.capitalize(), depth=meta["depth"]),
        is_real=kind == "real",
        overview=Overview(
            f"{len(table)} {kind} galaxies explained by {len(methods)} methods: {failing_methods(gallery)}.",
            {"depth": meta["depth"], "network": f"{meta['network']} of {meta['n_member']}", "target": unit},
            "Maps are of one network; the others of its run tell whether it is alone with its view.",
            (),
        ),
        footer="Written by morph explain on {date}. " + made_from(meta),
        progress=progress,
    )


def _facts(row):
    """What the map says of a galaxy."""
    return f"galaxy {row['obj_id']}\ntrue {row['label'] or 'unknown'}, predicted {row['predicted']}"


def _colours(images, reference):
    """Images in colour on the scale of others, or in grey where there are not three bands."""
    if images.shape[-1] == 3:
        return stretch(images, reference, colour=True)
    grey = images.mean(axis=-1)
    low, high = np.percentile(grey, (1, 99.8))
    return np.repeat(np.clip((grey - low) / ((high - low) or 1), 0, 1)[..., None], 3, axis=-1)


def _title(kind, row, names):
    """What is above the figures of a galaxy."""
    own, label = np.asarray(row["probability_members"])[0], int(row["label"])
    truth = names[label] if label >= 0 else "unknown"
    predicted, other = names[int(own.argmax())], names[int(np.asarray(row["probability_other_depth"]).argmax())]
    explained = names[int(row["class_explained"])]
    return (
        f"{kind} galaxy {row['obj_id']} ({row['reason']}): true {truth}, predicted {predicted} ({own.max():.2f}), "
        f"at the other depth {other}; explained: {explained}"
    )
