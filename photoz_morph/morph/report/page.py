"""The report of a morphology run, or of two beside each other: figures as PNG and PDF, Table 1, and one HTML page.

In go tables, scores, histories and a few images; out comes the path of the page. The sections follow the questions of
a referee: how good, is the difference one, what do the galaxies look like and what made their labels, which classes
are confused, what do the latents look like, are the probabilities right, was it trained to the end.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph.predictions import class_names
from photoz_morph.morph.report import robustness as robustness_report
from photoz_morph.morph.report import style
from photoz_morph.morph.report import text as morph_text
from photoz_morph.morph.report.figures import classification as morph_figures
from photoz_morph.morph.report.figures import (
    images as morph_images,
)
from photoz_morph.morph.report.figures import (
    isomap as morph_isomap,
)
from photoz_morph.morph.report.tables.scores import comparison_markdown, table1_csv, table1_markdown
from photoz_morph.report import html
from photoz_morph.report.style import save_figure, write_text
from photoz_morph.runs.scores import ORIGINS

REQUIRED = {"runs", "origin"}
OPTIONAL = {
    "comparison", "examples", "sample", "reference", "note", "others", "pixel_windows", "perturbed", "seed_ratios",
}  # fmt: skip
MAX_RUNS = len(style.RUN_STYLES)


def morph_report(results, out_dir, progress=True):
    """Write the report of one run or of two arms.

    Parameters
    ----------
    results : dict
        `runs`: list of dict, of one arm or two or three, each with `name`; `config`, its text; `table`, a Table from
        `read_morph_predictions`; `scores`, a dict from `evaluate_morph`; `histories`, a list with the rows (list of
        dict of numbers) of each seed; and, if wanted, `facts`, a dict of str to text for the provenance, and what
        `robustness_report` shows: `attacks`, `latent`, `perturbations`.
        `origin`: a key of `morph_predictions.ORIGINS`.
        Further, each of them None or left out where there is none: `comparison`, a dict from `compare_morph`;
        `examples`, a dict with `image_y10`, `image_y1`, shape (k, height, width, 3) in g, r, i [image unit],
        and `label`, shape (k,); `sample`, a dict with `gini`, `m20`, `label`, `label_g`, `intended_type` of all
        galaxies, labels counted as in `morphology_labels.CLASS_NAMES`; `reference`, a dict with `gini`, `m20` and
        `name` of other galaxies for contours; `note`, why there are no examples; `others`, list of dict, further runs
        for the table of defences; `pixel_windows`, `perturbed` and `seed_ratios`, see `robustness_report`.
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
        If a key is unknown or missing, two runs share a name, or the runs are of different galaxies.
    """
    _check(results)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    scores = {run["name"]: run["scores"] for run in results["runs"]}
    write_text(table1_markdown(scores), out_dir / "table1.md")
    write_text(table1_csv(scores), out_dir / "table1.csv")
    comparison = results.get("comparison")
    if comparison:
        write_text(comparison_markdown(comparison), out_dir / "comparison.md")
    sections = [html.Section("Scores", morph_text.score_parts(scores, comparison))]
    title = morph_text.title(results["origin"])
    plan = [*_sample_figures(results, title), *_score_figures(results, scores, title)]
    extras = results.get("pixel_windows"), results.get("perturbed")
    plan += robustness_report.robustness_figures(results["runs"], title, *extras)
    tables, files = robustness_report.robustness_text(
        results["runs"], results.get("others") or (), results.get("seed_ratios")
    )  # fmt: skip
    for name, text in files.items():
        write_text(text, out_dir / name)
    parts = {heading: [] for heading, *_ in plan}
    for heading in robustness_report.SECTIONS:
        if heading in tables:
            parts[heading] = tables[heading]
    n_figures = 0
    with tqdm(plan, desc="report", unit=" figures", disable=not progress) as bar:
        for heading, name, caption, draw in bar:
            piece = html.paragraph(caption)
            if draw is not None:
                n_figures += 1
                piece = html.picture(_save(draw(), out_dir / name), name, n_figures, caption)
            parts[heading].append(piece)
    if results.get("sample"):
        parts["Labels"] += morph_text.label_parts(results["sample"])
    sections += [html.Section(heading, tuple(pieces)) for heading, pieces in parts.items()]
    sections.append(html.Section("Provenance", morph_text.provenance(results)))
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = html.page(
        title=f"Galaxy morphology in Y10 and Y1: {' and '.join(scores)}",
        banner=morph_text.BANNERS[results["origin"]],
        is_real=ORIGINS[results["origin"]] == "real",
        sections=sections,
        footer=f"Written by morph report on {written}. Layout of Table 1: Ciprijanovic et al. (2021).",
    )
    write_text(page, out_dir / "report.html")
    return out_dir / "report.html"


def _check(results):
    """Raise a ValueError where the input contradicts itself."""
    missing, unknown = REQUIRED - set(results), set(results) - REQUIRED - OPTIONAL
    if missing or unknown:
        wrong = ", ".join(sorted(missing)) or ", ".join(sorted(unknown))
        raise ValueError(f"results of a morphology report {'lack' if missing else 'have unknown'} {wrong}")
    names = [run["name"] for run in results["runs"]]
    if not 1 <= len(names) <= MAX_RUNS or len(set(names)) < len(names):
        raise ValueError(f"a report takes 1 to {MAX_RUNS} runs of different names, got {', '.join(names) or 'none'}")
    shown = [*names, *(run["name"] for run in results.get("others") or ())]
    twice = sorted({name for name in shown if shown.count(name) > 1})
    if twice:
        raise ValueError(f"two runs of a report are named {', '.join(twice)}; rename the folder of one")
    first = results["runs"][0]["scores"]
    for run in [*results["runs"], *(results.get("others") or ())]:
        if run["table"].meta["origin"] != results["origin"]:
            raise ValueError(f"{run['name']}: origin is {run['table'].meta['origin']}, not {results['origin']}")
        for key in ("n_galaxies", "n_groups", "classes"):
            if run["scores"][key] != first[key]:
                raise ValueError(
                    f"{run['name']}: {key} is {run['scores'][key]}, that of {names[0]} is {first[key]}; report runs of "
                    "one dataset together"
                )


def _save(figure, stem):
    """The figure written as PNG and PDF beside the page; the PNG's bytes."""
    save_figure(figure, stem.with_name(f"{stem.name}.pdf"))
    path = stem.with_name(f"{stem.name}.png")
    save_figure(figure, path)
    return path.read_bytes()


def _sample_figures(results, title):
    """Section, file name, caption and drawing of what the galaxies look like and what made their labels."""
    examples, sample, reference = (results.get(key) for key in ("examples", "sample", "reference"))
    figures = []
    if examples is None:
        reason = results.get("note") or "no images were given"
        figures.append(("Examples", "", f"Left out: {reason}.", None))
    else:
        y10, y1, label = (np.asarray(examples[key]) for key in ("image_y10", "image_y1", "label"))
        figures.append((
            "Examples", "examples",
            f"{title}. A row for each label, in pairs: a galaxy with ten years of exposure and the same galaxy with "
            "one, r band. One arcsinh stretch for all panels, set by the noise of Y10; laid out as Ciprijanovic et al. "
            "(2021), Fig. 1, where every panel has a stretch of its own.",
            lambda: morph_images.examples_figure(y10, y1, label, CLASS_NAMES, title),
        ))  # fmt: skip
        for number, name in enumerate(CLASS_NAMES):
            figures += _sheet(y10[label == number], y1[label == number], name, title)
    if sample and not np.isfinite(np.asarray(sample["gini"], float)).any():
        figures.append(("Labels", "", "Left out: Gini and M20 of these galaxies are not known.", None))
    elif sample:
        contours = f" Contours hold 50 and 90 % of {reference['name']}." if reference else ""
        figures.append((
            "Labels", "gini_m20",
            f"{title}, the whole sample: Gini and M20 of the noise-free i image, coloured by the label they give. "
            "Dashed: mergers above it; dash-dotted: ellipticals above it (Lotz et al. 2008). "
            f"{morph_text.count_failed(sample)}{contours}",
            lambda: morph_figures.gini_m20_plane(
                sample["gini"], sample["m20"], sample["label"], CLASS_NAMES, title,
                (reference["gini"], reference["m20"]) if reference else None, (reference or {}).get("name", ""),
            ),
        ))  # fmt: skip
    return figures


def _sheet(y10, y1, name, title):
    """The contact sheet of a class, or that there is none."""
    n_shown = min(len(y10), morph_images.N_SHEET)
    if n_shown == 0:
        return [("Contact sheets", "", f"No galaxy with label {name} among the examples.", None)]
    caption = (
        f"{title} with label {name}: {n_shown} of the examples in Y10 (left) and the same in Y1 (right), as i, r, g "
        "colours with one arcsinh stretch for both (Lupton et al. 2004)."
    )
    above = f"{title}: {name}"
    return [("Contact sheets", f"sheet_{name}", caption, lambda: morph_images.contact_sheet(y10, y1, above))]


def _score_figures(results, scores, title):
    """The same of how good the networks are, what their latents look like and how they were trained."""
    n = morph_text.sample_size(scores)
    histories = {run["name"]: [_columns(rows) for rows in run["histories"]] for run in results["runs"]}
    return [
        ("Accuracy", "accuracy",
         f"{title}, {n}. Bars: mean over seeds with its 95 % interval (test galaxies and scatter of the seeds); "
         "circles: the seeds. Dashed: always the most frequent class. Dotted: how often the labels from g and i agree, "
         "which is about as far as labels can be trusted.",
         lambda: morph_figures.accuracy_bars(scores, title)),
        ("Confusion", "confusion",
         f"{title}, {n}. Share of each label (class by Gini and M20) given each class, all seeds together; below it "
         "galaxies, mean over seeds.",
         lambda: morph_figures.confusion_matrices(scores, title)),
        ("Latent space", "isomap", _isomap_caption(results, title), lambda: _isomap(results["runs"], title)),
        ("Calibration", "reliability",
         f"{title}, {n}. Share that is right against confidence (the largest probability) of single networks, all "
         f"seeds together, in bins of at least {morph_figures.MIN_IN_BIN} galaxies a seed; below the line networks are "
         "too sure of themselves. Lower panels: where the confidences lie.",
         lambda: morph_figures.reliability_diagram(scores, title)),
        ("Training", "training",
         f"{title}: training and validation, a line for each seed. The training curves are means over an epoch while "
         "weights change. The validation accuracy on Y1 is watched, never used: labels of Y1 enter neither the "
         "training nor the choice of the weights.",
         lambda: morph_figures.morph_training_curves(histories, title)),
    ]  # fmt: skip


def _isomap_caption(results, title):
    """What the isomap shows."""
    n_shown = min(morph_isomap.N_GALAXIES, len(results["runs"][0]["table"]))
    return (
        f"{title}: isomap of the latents of the first seed, {n_shown} random test galaxies, Y10 and Y1 together "
        f"({morph_isomap.N_NEIGHBOURS} neighbours). Filled and large is Y10, open and small is Y1, as in Ciprijanovic "
        "et al. (2021); above coloured by the class given, below by the true one, grey where unknown. Axes have no "
        "unit and differ from run to run. Trustworthiness is 1 where neighbours on the plane are those in latent space."
    )


def _isomap(runs, title):
    """Isomaps of all runs."""
    tables = {run["name"]: run["table"] for run in runs}
    embeddings = {name: morph_isomap.embed(table["latent_y10"], table["latent_y1"]) for name, table in tables.items()}
    given = [
        {name: np.asarray(table[f"probability_{suffix}"])[:, 0].argmax(axis=1) for name, table in tables.items()}
        for suffix in ("y10", "y1")
    ]
    label = {name: np.asarray(table["label"]) for name, table in tables.items()}
    return morph_isomap.isomap_figure(embeddings, *given, label, class_names(runs[0]["table"]), title)


def _columns(rows):
    """Rows of a history as one array for each column."""
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]} if rows else {"epoch": np.array([])}
