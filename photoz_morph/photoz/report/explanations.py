"""Gallery of explained redshifts: one page with the galaxies, maps, shares of the bands and what the checks say.

Takes a run folder and a folder of `photoz explain`, see `explain.files`.
"""

from pathlib import Path

import numpy as np

from photoz_morph.explain.faithfulness.verdict import verdict
from photoz_morph.explain.files import ANATOMY, GALAXIES, is_stored, read_stored
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.report.text import BANNERS
from photoz_morph.report import html
from photoz_morph.report.explanations.anatomy import anatomy_entries
from photoz_morph.report.explanations.gallery import OVERALL, Gallery, MethodMaps, failing_methods, gallery_entries
from photoz_morph.report.explanations.panels import pdf_answer
from photoz_morph.report.images import rgb
from photoz_morph.report.page import Entry, Overview, write_page
from photoz_morph.report.text import made_from
from photoz_morph.runs.folder import read_run
from photoz_morph.runs.scores import ORIGINS

UNITS = {"mean": "mean of the PDF [redshift]", "median": "median of the PDF [redshift]",
         "width": "width of the PDF [redshift]", "entropy": "entropy of the PDF [nat]"}  # fmt: skip


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
    config, _ = read_run(run_dir, PhotozConfig)
    stored, shapley = read_stored(folder, GALAXIES), read_stored(folder, "shapley")
    table, meta = stored.table, stored.table.meta
    kind = ORIGINS[meta["origin"]]
    found = {name: read_stored(folder, name) for name in methods}
    names = [f"{str(row['reason'])[0].upper()}{str(row['reason'])[1:]}: galaxy {row['obj_id']}" for row in table]
    unit = UNITS.get(meta["target"], f"probability of {meta['target'].replace(':', ' ')}")
    gallery = Gallery(
        names=names,
        titles=[_title(kind, row) for row in table],
        images=stored.arrays["image"],
        colours=rgb(stored.arrays["image"], config.survey),
        sky_sigma=np.asarray(table["sky_sigma"]),
        masks=stored.arrays["mask"].astype(bool),
        bands=config.survey.bands,
        draw_answers=[
            pdf_answer(config.redshift.edges, np.asarray(row["pdf"]), np.asarray(row["pdf_ensemble"]), row["z_spec"])
            for row in table
        ],
        shares=np.asarray(shapley.table["shapley_members"]),
        players=tuple(shapley.table.meta["players"].split(",")),
        methods={
            name: MethodMaps(method.title, method.unit, method.is_signed, found[name].arrays["attribution"],
                             found[name].table)
            for name, method in methods.items()
        },
        unit=unit,
        verdict_of=verdict,
        marked=[None] * len(table),
    )  # fmt: skip
    entries = gallery_entries(gallery)
    shares = np.abs(gallery.shares[:, 0]).mean(axis=0)
    rows = [["E(B-V)" if name == "ebv" else name, f"{share:.4f}"] for name, share in zip(gallery.players, shares)]
    entries.insert(1, Entry(OVERALL, html=html.table(["band", "mean |Shapley value|"], rows, unit)))
    if all(is_stored(folder, name) for name in ANATOMY):
        parts = {name: read_stored(folder, name) for name in ANATOMY}
        entries += anatomy_entries(
            parts, gallery.images, gallery.bands, lambda images: rgb(images, config.survey), unit,
            ("z_spec", "z_phot", "petro_r", "ebv"), _facts,
        )  # fmt: skip
    return write_page(
        [*entries, *further],
        Path(folder),
        title=f"What the network sees: run {Path(run_dir).resolve().name}, {meta['target']}",
        banner=BANNERS[kind == "real"].format(survey=config.survey.name.upper()),
        is_real=kind == "real",
        overview=Overview(
            f"{len(table)} {kind} galaxies explained by {len(methods)} methods: {failing_methods(gallery)}.",
            {"fold": str(meta["fold"]), "network": f"{meta['network']} of {meta['n_member']}", "target": unit},
            "Maps are of one network; the others of its fold tell whether it is alone with its view.",
            (),
        ),
        footer="Written by photoz explain on {date}. " + made_from(meta),
        progress=progress,
    )


def _facts(row):
    """What the map says of a galaxy."""
    return f"galaxy {row['obj_id']}\nz_spec {row['z_spec']:.3f}, z_phot {row['z_phot']:.3f}, E(B-V) {row['ebv']:.3f}"


def _title(kind, row):
    """What is above the figures of a galaxy."""
    facts = [
        f"{kind} galaxy {row['obj_id']} ({row['reason']})", f"z_spec {row['z_spec']:.3f}",
        f"z_phot {row['z_phot']:.3f}", f"ensemble {row['z_phot_ensemble']:.3f}", f"E(B-V) {row['ebv']:.3f}",
    ]  # fmt: skip
    return ", ".join(facts)
