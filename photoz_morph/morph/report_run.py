"""The report of a morphology run, or of two arms, with one call: gathers what the run folders and the dataset hold.

`report` itself reads arrays only and never TensorFlow, which the dataset needs; this module joins the two.
"""

from pathlib import Path

import numpy as np

from photoz_morph.datasets import reading
from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.predictions import row_keys
from photoz_morph.morph.report.latent_results import triplet_rows
from photoz_morph.morph.report.page import morph_report
from photoz_morph.morph.report.results import read_results, seed_ratios
from photoz_morph.morph.robustness.pixel_queries import scaling_softening
from photoz_morph.robustness.latents.church_windows import pixel_church_window
from photoz_morph.robustness.perturbations.registry import PERTURBATIONS, observing_context, perturbation_examples
from photoz_morph.runs.folder import read_run

EXAMPLES_PER_CLASS = 32
SAMPLE_COLUMNS = ("gini", "m20", "label", "label_g", "intended_type")
PIXEL_WINDOW_STEP = 0.03  # our choice: 5,476 images a run, seconds with a small network


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
        Prepared dataset; by default the one the run was trained on. If it is not there any more, the report says so
        and shows no galaxies.
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
        If a folder is no run folder, has no finished network or no predictions.
    """
    folders = [Path(path) for path in (run_dir, against) if path]
    runs = [read_results(folder) for folder in folders]
    config, trained_on = read_run(run_dir, MorphConfig)
    results = {"runs": runs, "origin": trained_on["origin"], "comparison": None}
    results["others"] = [read_results(Path(path)) for path in defences]
    results["seed_ratios"] = seed_ratios(runs)
    if against:
        names = [run["name"] for run in runs]
        results["comparison"] = compare_morph(*(run["table"] for run in runs), names=names)
    try:
        builder = dataset.open_run_dataset(trained_on, data_dir)
    except FileNotFoundError:
        if data_dir:
            raise
        results["note"] = f"the dataset is not in {trained_on['path']} any more; give its folder with --data-dir"
    else:
        results["examples"] = _examples(builder)
        results["sample"] = _sample(builder)
        results["pixel_windows"] = _pixel_windows(dict(zip(folders, runs)), builder)
        if any(run["perturbations"] for run in runs):
            context = observing_context(trained_on, config.survey)
            results["perturbed"] = _perturbed(results["examples"]["image_y10"][0], context)
    return morph_report(results, out_dir or Path(run_dir) / "report", progress)


def _sample(builder):
    """Label measurements of all galaxies, or None where they are not known, as of released arrays."""
    parts = [reading.read_columns(builder, split) for split in dataset.SPLITS]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in SAMPLE_COLUMNS}
    original = np.concatenate([part["copy"] for part in parts]) == 0
    known = original & np.isfinite(columns["gini"])
    return {name: values[known] for name, values in columns.items()} if known.any() else None


def _examples(builder):
    """Test images of both depths, the first ones of each class; TFDS stores them in the order of a hash."""
    label = reading.read_columns(builder, "test")["label"]
    rows = np.concatenate([np.flatnonzero(label == index)[:EXAMPLES_PER_CLASS] for index in range(len(CLASS_NAMES))])
    images = {}
    for domain in dataset.DOMAINS:
        batches = dataset.domain_images(builder, f"test[:{rows.max() + 1}]", domain, 64)
        images[f"image_{domain}"] = np.concatenate(list(batches.as_numpy_iterator()))[rows]
    return {**images, "label": label[rows]}


def _pixel_windows(runs, builder):
    """Church windows in the arcsinh of the images, of the galaxy whose windows in latent space are shown.

    Parameters
    ----------
    runs : dict of Path to dict
        By their folders.
    builder : tfds builder

    Returns
    -------
    dict of str to ChurchWindow
        By the name of the run; empty where there is no such galaxy.
    """
    places, windows = triplet_rows(list(runs.values())), {}
    for folder, run in runs.items():
        if run["name"] in places:
            name, row = places[run["name"]]
            table, images = run["attacks"][name]
            noisy = _image_of(builder, row_keys(table)[row], "y1")
            network = load_classifiers(folder)[0]
            if "domain" in network.input:  # Y10 and Y1 have scalings of their own, and no straight way between them
                continue
            # In nJy all of the window but a line is beyond what a bright pixel needs, for the network takes an arcsinh.
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
    """A function from the arcsinh of images to the logits of a network: its head in latent.json on its latents."""
    classify = ImageClassifier(network)
    kernel, bias = np.array(head["kernel"]), np.array(head["bias"])
    return lambda scaled: classify([softening * np.sinh(scaled)])[1] @ kernel + bias


def _perturbed(image, context):
    """A galaxy under every perturbation, as `robustness_report.robustness_figures` takes it."""
    return {"image": image, "examples": perturbation_examples(image, 0, context), "kinds": PERTURBATIONS}
