"""Report of one morphology run, or of two or three side by side: figures as PNG and PDF, Table 1, and one HTML page.

Takes tables, scores, histories and a few images, and returns the path of the page. The sections follow the questions
of a referee: how good, is the difference significant, what do the galaxies look like and how were they labelled, which
classes are confused, what do the latents look like, are the probabilities calibrated, was it trained to the end, which
run would be chosen without labels of Y1.
"""

from pathlib import Path

import numpy as np

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph.predictions import class_names
from photoz_morph.morph.report import robustness, text
from photoz_morph.morph.report.figures import classification, images, isomap
from photoz_morph.morph.report.selection import calibration_entries, selection_entries
from photoz_morph.morph.report.tables.scores import comparison_markdown, table1_csv, table1_markdown
from photoz_morph.report.page import Entry, write_page
from photoz_morph.report.style import write_text
from photoz_morph.report.text import made_from


def morph_report(results, out_dir, progress=True):
    """Write the report of one to three runs.

    Parameters
    ----------
    results : MorphResults
    out_dir : path-like
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`; beside it the figures, `table1.md`, `table1.csv`, `comparison.md` and the tables of
        robustness.

    Raises
    ------
    ValueError
        If two runs share a name, or the runs are of different galaxies; see `MorphResults.check`.
    """
    results.check()
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    scores, title = results.scores, text.TITLES[results.origin]
    tables, files = robustness.robustness_tables(results)
    files |= {"table1.md": table1_markdown(results.all_scores), "table1.csv": table1_csv(results.all_scores)}
    if results.comparison:
        files["comparison.md"] = comparison_markdown(results.comparison)
    for name, content in files.items():
        write_text(content, out_dir / name)
    parts = text.score_parts(scores, results.comparison, results.baselines, results.baseline_note)
    entries = [Entry("Scores", html=piece) for piece in parts]
    entries += [*_sample_figures(results, title), *_score_figures(results, title)]
    entries += [*calibration_entries(results, title, text.sample_size(scores)), *selection_entries(results, title)]
    figures = robustness.robustness_figures(results, title)
    for section in robustness.SECTIONS:
        entries += [entry for entry in (*tables, *figures) if entry.section == section]
    entries += [Entry("Provenance", html=piece) for piece in text.provenance(results)]
    return write_page(
        entries,
        out_dir,
        title=f"Galaxy morphology in {' and '.join(results.domains)}: {' and '.join(scores)}",
        banner=text.BANNERS[results.origin],
        is_real=results.is_real,
        overview=text.overview(results, ("accuracy", "confusion")),
        footer="Written by morph report on {date}. Layout of Table 1: Ciprijanovic et al. (2021). "
        + made_from(*(run["table"].meta for run in results.runs)),
        progress=progress,
    )


def _sample_figures(results, title):
    """Examples, contact sheets and the labels of the sample."""
    examples, sample, reference = results.examples, results.sample, results.reference
    entries = []
    if examples is None:
        entries.append(Entry("Examples", caption=f"Left out: {results.note or 'no images were given'}."))
    elif results.origin == "composites":
        for number, name in enumerate(results.runs[0]["scores"]["classes"]):
            entries.append(_composites(examples, number, name, title))
    else:
        y10, y1, label = (np.asarray(examples[key]) for key in ("image_y10", "image_y1", "label"))
        entries.append(Entry(
            "Examples", "examples",
            f"{title}: examples of each label. In pairs, a galaxy with ten years of exposure and the same galaxy with "
            "one, r band. One arcsinh stretch for all panels, set by the noise of Y10; laid out as Ciprijanovic et al. "
            "(2021), Fig. 1, where every panel has a stretch of its own.",
            lambda: images.examples_figure(y10, y1, label, CLASS_NAMES, title),
        ))  # fmt: skip
        for number, name in enumerate(CLASS_NAMES):
            entries.append(_sheet(y10[label == number], y1[label == number], name, title))
    if sample and not np.isfinite(np.asarray(sample["gini"], float)).any():
        entries.append(Entry("Labels", caption="Left out: Gini and M20 of these galaxies are not known."))
    elif sample:
        contours = f" Contours hold 50 and 90 % of {reference['name']}." if reference else ""
        entries.append(Entry(
            "Labels", "gini_m20",
            f"{title}: Gini and M20 of the whole sample, measured on the noise-free i image and coloured by label. "
            "Mergers lie above the dashed line, ellipticals above the dash-dotted one (Lotz et al. 2008). "
            f"{text.count_failed(sample)}{contours}",
            lambda: classification.gini_m20_plane(
                sample["gini"], sample["m20"], sample["label"], CLASS_NAMES, title,
                (reference["gini"], reference["m20"]) if reference else None, (reference or {}).get("name", ""),
            ),
        ))  # fmt: skip
    if sample:
        entries += [Entry("Labels", html=piece) for piece in text.label_parts(sample)]
    return entries


def _sheet(y10, y1, name, title):
    """Contact sheet of a class, or a note that there is none."""
    n_shown = min(len(y10), images.N_SHEET)
    if n_shown == 0:
        return Entry("Contact sheets", caption=f"No galaxy with label {name} among the examples.")
    caption = (
        f"{title} with label {name}: {n_shown} of the examples in Y10 (left) and the same in Y1 (right). Red, green "
        "and blue are i, r and g, with one arcsinh stretch for both depths (Lupton et al. 2004)."
    )
    above = f"{title}: {name}"
    return Entry("Contact sheets", f"sheet_{name}", caption, lambda: images.contact_sheet(y10, y1, above))


def _composites(examples, number, name, title):
    """Simulated and real composites of a class."""
    shown = [np.asarray(examples[f"image_{key}"])[np.asarray(examples[f"label_{key}"]) == number]
             for key in ("simulated", "real")]  # fmt: skip
    caption = (
        f"{title} with label {name}: simulated (left) and real (right) test images as the networks see them. Red, "
        "green and blue are i, r and g, the side is a fixed number of Petrosian radii."
    )
    above = f"{title}: {name}"
    return Entry("Contact sheets", f"sheet_{name.replace(' ', '_')}", caption,
                 lambda: images.composite_sheet(*shown, above))  # fmt: skip


def _score_figures(results, title):
    """Accuracies, confusion matrices, isomaps, calibration and training curves."""
    scores, n = results.scores, text.sample_size(results.scores)
    source, target = results.domains
    histories = {run["name"]: [_columns(rows) for rows in run["histories"]] for run in results.runs}
    return [
        Entry("Accuracy", "accuracy",
              f"{title}: accuracy in {source} and {target}, {n}. Bars: mean over seeds with its 95 % interval (test "
              "galaxies and scatter of the seeds); circles: the seeds. Grey: without a network, from measurements of "
              "the stamps. Dashed: always the most frequent class. Dotted: agreement of the labels from g and i, about "
              "the limit to which labels can be trusted.",
              lambda: classification.accuracy_bars(results.all_scores, title)),
        Entry("Confusion", "confusion",
              f"{title}: confusion matrices, {n}. Fraction of each label (class by Gini and M20) predicted as each "
              "class, all seeds together, above the number of galaxies, mean over seeds.",
              lambda: classification.confusion_matrices(scores, title)),
        _isomap_entry(results, title),
        Entry("Calibration", "reliability",
              f"{title}: reliability, {n}. Fraction of correct predictions against confidence (the largest "
              "probability) of single networks, all seeds together, in bins of at least "
              f"{classification.MIN_IN_BIN} galaxies per seed; networks below the line are overconfident. Lower "
              "panels: distribution of the confidences.",
              lambda: classification.reliability_diagram(scores, title)),
        Entry("Training", "training",
              f"{title}: training and validation, one line per seed. The training curves are means over an epoch "
              f"during which the weights change. The validation accuracy on {target} is monitored only: labels of "
              f"{target} enter neither the training nor the selection of the weights.",
              lambda: classification.morph_training_curves(histories, title, results.domains)),
    ]  # fmt: skip


def _isomap_entry(results, title):
    """Isomaps, of galaxies that are seen in both domains."""
    if results.origin == "composites":
        return Entry("Latent space", caption="Left out: the isomaps join two images of each galaxy, and the simulated "
                     "galaxies are not the real ones.")  # fmt: skip
    return Entry("Latent space", "isomap", _isomap_caption(results, title), lambda: _isomap(results.runs, title))


def _isomap_caption(results, title):
    """Caption of the isomaps."""
    n_shown = min(isomap.N_GALAXIES, len(results.runs[0]["table"]))
    return (
        f"{title}: isomap of the latents of the first seed, {n_shown} random test galaxies in Y10 and Y1 "
        f"({isomap.N_NEIGHBOURS} neighbours). Large filled symbols are Y10, small open ones Y1, as in Ciprijanovic et "
        "al. (2021); coloured by predicted class (top) and by label (bottom), grey where unknown. Axes have no unit "
        "and differ between runs. Trustworthiness is 1 where neighbours on the plane are neighbours in latent space."
    )


def _isomap(runs, title):
    """Isomaps of all runs."""
    tables = {run["name"]: run["table"] for run in runs}
    embeddings = {name: isomap.embed(table["latent_y10"], table["latent_y1"]) for name, table in tables.items()}
    given = [
        {name: predicted_class(table[f"probability_{suffix}"][:, 0]) for name, table in tables.items()}
        for suffix in ("y10", "y1")
    ]
    label = {name: np.asarray(table["label"]) for name, table in tables.items()}
    return isomap.isomap_figure(embeddings, *given, label, class_names(runs[0]["table"]), title)


def _columns(rows):
    """Rows of a history as one array for each column."""
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]} if rows else {"epoch": np.array([])}
