"""Report of a morphology run, or of two arms, in one call: evaluates the runs, reads a few images, and calls `report`.

`report` itself takes arrays and never loads TensorFlow, which the dataset needs; this module joins the two.
"""

from pathlib import Path

import numpy as np

from photoz_morph.datasets import reading
from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph import dataset
from photoz_morph.morph.baselines.of_run import update_baselines
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.few_labels import few_label_scores
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import SKY_DOMAINS, row_keys
from photoz_morph.morph.report.latent_results import latent_results
from photoz_morph.morph.report.page import morph_report
from photoz_morph.morph.report.results import MorphResults, read_run_results
from photoz_morph.morph.report.text import BANNERS
from photoz_morph.morph.robustness.latent_files import seed_ratio
from photoz_morph.morph.robustness.network_queries import scaling_softening
from photoz_morph.report.few_labels import write_few_labels
from photoz_morph.robustness.latents.church_windows import pixel_church_window
from photoz_morph.robustness.perturbations.registry import PERTURBATIONS, observing_context, perturbation_examples
from photoz_morph.runs.folder import read_run
from photoz_morph.runs.scores import write_scores

EXAMPLES_PER_CLASS = 32
FEW_LABEL_COLUMNS = {"macro_f1": ("macro-F1", 1, 3), "accuracy": ("accuracy", 1, 3)}
SAMPLE_COLUMNS = ("gini", "m20", "label", "label_g", "intended_type")
PIXEL_WINDOW_STEP = 0.03  # our choice: 5,476 images a run, seconds with a small network


def report_few_labels(run_dirs, source, labels_of, out_dir, reason="", progress=True):
    """Write `few_labels.json` and the page of a few-label curve.

    Parameters
    ----------
    run_dirs : dict of (str, int, int) to path-like
        Run folders with predictions, by method, number of labels and repeat; those of "source" have 0 labels.
    source : path-like
        Run that the transfers started from.
    labels_of : {"source", "target"}
    out_dir : path-like
        Made if missing.
    reason : str
        Why the source itself is not among them, as the end of a sentence.
    progress : bool

    Returns
    -------
    Path
        The page.
    """
    origin = read_run(next(iter(run_dirs.values())), MorphConfig)[1]["origin"]
    curve = few_label_scores(run_dirs, labels_of)
    curve |= {"galaxies": f"{curve['data']} galaxies, {curve['domain']}", "source": str(source), "no_source": reason}
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    write_scores(curve, Path(out_dir) / "few_labels.json")
    is_real = curve["data"] == "real"
    banner = BANNERS["observed" if is_real else "simulated" if origin == "composites" else origin]
    return write_few_labels(curve, out_dir, FEW_LABEL_COLUMNS, banner, is_real, progress)


def report_morph_run(run_dir, against=None, out_dir=None, data_dir=None, defences=(), progress=True):
    """Write the report of a run that has predictions.

    Parameters
    ----------
    run_dir : path-like
    against : path-like, optional
        Run of the other arm, on the same test galaxies.
    out_dir : path-like, optional
        By default `report` in the run folder.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on. If that is missing, the report says so and shows no
        galaxies.
    defences : sequence of path-like
        Further runs, of the same test galaxies, for the table of defences.
    progress : bool

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FileNotFoundError
        If a folder is not a run folder, has no finished network or no predictions.
    """
    folders = [Path(path) for path in (run_dir, against) if path]
    runs = [run_results(folder) for folder in folders]
    config, facts = read_run(run_dir, MorphConfig)
    latents, shown = latent_results(runs), {}
    others = [run_results(Path(path)) for path in defences]
    comparison = None
    if against:
        comparison = compare_morph(*(run["table"] for run in runs), names=[run["name"] for run in runs])
    try:
        builder = dataset.open_run_dataset(facts, data_dir)
    except FileNotFoundError:
        if data_dir:
            raise
        shown["note"] = f"the dataset is missing in {facts['path']}; give its folder with --data-dir"
    else:
        shown["examples"] = _composites(builder, config) if dataset.is_composite(builder) else _examples(builder)
        shown["sample"] = _sample(builder)
        shown["pixel_windows"] = _pixel_windows(dict(zip(folders, runs)), latents.triplets, builder)
        if any(run["perturbations"] for run in runs):
            context = observing_context(facts, config.survey)
            shown["perturbed"] = _perturbed(shown["examples"]["image_y10"][0], context)
    baselines, note = baseline_results(folders[0], runs, data_dir, progress)
    results = MorphResults(runs, facts["origin"], comparison, others=others, latents=latents,
                           seed_ratios=seed_ratios(runs), baselines=baselines, baseline_note=note, **shown)  # fmt: skip
    return morph_report(results, out_dir or Path(run_dir) / "report", progress)


def run_results(run_dir):
    """Read and evaluate a run, as `MorphResults.runs` holds it."""
    run = read_run_results(run_dir)
    defended = {name: {"scores": evaluate_morph(part["table"]), "latent": part["latent"]}
                for name, part in run["defended"].items()}  # fmt: skip
    return {**run, "scores": evaluate_morph(run["table"]), "defended": defended}


def baseline_results(run_dir, runs, data_dir=None, progress=True):
    """Baselines of the first run, brought up to date, and their comparison with every run.

    Parameters
    ----------
    run_dir : path-like
        Folder of the first of `runs`, in which the baselines are kept.
    runs : list of dict
        From `run_results`.
    data_dir, progress
        As for `update_baselines`.

    Returns
    -------
    baselines : dict of str to dict
        As `MorphResults.baselines`.
    note : str
        Reason why there are none.
    """
    tables, note = update_baselines(run_dir, runs[0]["table"], data_dir, progress)
    return {
        name: {
            "scores": evaluate_morph(table),
            "comparisons": {
                run["name"]: compare_morph(table, run["table"], names=[name, run["name"]]) for run in runs
            },
        }
        for name, table in tables.items()
    }, note


def seed_ratios(runs):
    """Distance from Y10 to Y1 in each run but the first over that in the first, with the scatter of their seeds.

    Returns
    -------
    dict of str to dict
        From `seed_ratio`, by the name of the run; runs whose seeds were not measured are left out.
    """
    seeds = {run["name"]: run["latent"]["seeds"] for run in runs if run["latent"] and run["latent"]["seeds"]}
    first = runs[0]["name"]
    return {name: seed_ratio(seeds[first], found) for name, found in seeds.items() if name != first and first in seeds}


def _sample(builder):
    """Label measurements of all galaxies, or None where unknown, as for released arrays."""
    parts = [reading.read_columns(builder, split) for split in dataset.SPLITS]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in SAMPLE_COLUMNS}
    original = np.concatenate([part["copy"] for part in parts]) == 0
    known = original & np.isfinite(columns["gini"])
    return {name: values[known] for name, values in columns.items()} if known.any() else None


def _examples(builder):
    """Test images of both depths, the first of each class; their order is random, as TFDS sorts by a hash."""
    label = reading.read_columns(builder, "test")["label"]
    rows = np.concatenate([np.flatnonzero(label == index)[:EXAMPLES_PER_CLASS] for index in range(len(CLASS_NAMES))])
    images = {}
    for domain in dataset.DOMAINS:
        batches = dataset.domain_images(builder, f"test[:{rows.max() + 1}]", domain, 64)
        images[f"image_{domain}"] = np.concatenate(list(batches.as_numpy_iterator()))[rows]
    return {**images, "label": label[rows]}


def _composites(builder, config):
    """Test images of composites, the first of each class of both domains, with their classes."""
    examples = {}
    for domain, name in zip(dataset.DOMAINS, SKY_DOMAINS):
        columns = reading.read_columns(builder, dataset.split_of(builder, "test", domain))
        label = dataset.class_index(columns["label"], config.data.classes)
        rows = np.concatenate([np.flatnonzero(label == index)[:EXAMPLES_PER_CLASS]
                               for index in range(len(config.class_names))])  # fmt: skip
        batches = dataset.domain_images(builder, f"test[:{rows.max() + 1}]", domain, 64)
        examples[f"image_{name}"] = np.concatenate(list(batches.as_numpy_iterator()))[rows]
        examples[f"label_{name}"] = label[rows]
    return examples


def _pixel_windows(runs, triplets, builder):
    """Church windows in the arcsinh of the images, of the galaxy whose windows in latent space are shown.

    Parameters
    ----------
    runs : dict of Path to dict
        By their folders.
    triplets : dict of str to (str, int)
        From `triplet_rows`.
    builder : tfds builder

    Returns
    -------
    dict of str to ChurchWindow
        By the name of the run; empty where there is no such galaxy.
    """
    windows = {}
    for folder, run in runs.items():
        if run["name"] in triplets:
            name, row = triplets[run["name"]]
            table, images = run["attacks"][name]
            noisy = _image_of(builder, row_keys(table)[row], "y1")
            network = load_classifiers(folder)[0]
            if "domain" in network.input:  # Y10 and Y1 have scalings of their own and no straight line joins them
                continue
            # In nJy a bright pixel would need but a thin line of the window, as the network takes an arcsinh.
            softening = scaling_softening(network)
            stamps = (images["original"][row], images["attacked"][row], noisy)
            logits = _logits_of(network, run["latent"]["head"], softening)
            window = pixel_church_window(logits, *(np.arcsinh(stamp / softening) for stamp in stamps),
                                         step=PIXEL_WINDOW_STEP)  # fmt: skip
            windows[run["name"]] = window
    return windows


def _image_of(builder, key, domain):
    """Test image of the galaxy with this (obj_id, copy), shape (size, size, n_bands)."""
    columns = reading.read_columns(builder, "test")
    row = list(zip(columns["obj_id"].tolist(), columns["copy"].tolist())).index(key)
    (images,) = dataset.domain_images(builder, f"test[{row}:{row + 1}]", domain, 1).as_numpy_iterator()
    return images[0]


def _logits_of(network, head, softening):
    """Function from the arcsinh of images to the logits of a network, with its head as in latent.json."""
    classify = ImageClassifier(network)
    kernel, bias = np.array(head["kernel"]), np.array(head["bias"])
    return lambda scaled: classify([softening * np.sinh(scaled)])[1] @ kernel + bias


def _perturbed(image, context):
    """A galaxy under every perturbation, as `MorphResults.perturbed`."""
    return {"image": image, "examples": perturbation_examples(image, 0, context), "kinds": PERTURBATIONS}
