"""The report of a morphology run, or of two arms, with one call: gathers what the run folders and the dataset hold.

`report` itself reads arrays only and never TensorFlow, which the dataset needs; this module joins the two.
"""

from pathlib import Path

import numpy as np

from photoz_morph import morph_pipeline, pipeline
from photoz_morph.morph_evaluation import compare_morph, evaluate_morph
from photoz_morph.morph_predictions import read_morph_predictions
from photoz_morph.morphology_labels import CLASS_NAMES
from photoz_morph.report.morph_report import morph_report
from photoz_morph.run_folder import finished_members, read_history, read_json, read_run, read_sessions

EXAMPLES_PER_CLASS = 32
SAMPLE_COLUMNS = ("gini", "m20", "label", "label_g", "intended_type")


def report_morph_run(run_dir, against=None, out_dir=None, data_dir=None, progress=True):
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
    runs = [_read_run(Path(path)) for path in (run_dir, against) if path]
    _, dataset = read_run(run_dir, "morph")
    results = {"runs": runs, "origin": dataset["origin"], "comparison": None}
    if against:
        names = [run["name"] for run in runs]
        results["comparison"] = compare_morph(*(run["table"] for run in runs), names=names)
    try:
        builder = morph_pipeline.open_dataset(data_dir or dataset["path"])
    except FileNotFoundError:
        if data_dir:
            raise
        results["note"] = f"the dataset is not in {dataset['path']} any more; give its folder with --data-dir"
    else:
        results["examples"] = _examples(builder)
        results["sample"] = _sample(builder)
    return morph_report(results, out_dir or Path(run_dir) / "report", progress)


def _read_run(run_dir):
    """What `morph_report` needs of one run."""
    config, dataset = read_run(run_dir, "morph")
    members = finished_members(run_dir, "morph")[0]
    table = read_morph_predictions(run_dir / "predictions.fits")
    sessions = read_sessions(run_dir)
    environment = read_json(run_dir / "environment.json")
    facts = {
        "galaxies for training, validation, test": ", ".join(map(str, dataset["galaxies_per_split"])),
        "mocks": ", ".join(f"{name} {value}" for name, value in dataset.get("mocks", {}).items()),
        "epochs": str(config.train.epochs),
        "training time [min]": f"{sum(session['seconds'] for session in sessions) / 60:.1f}",
        "peak memory [GB]": f"{max(session['peak_memory_gb'] for session in sessions)}",
        "versions": ", ".join(f"{name} {environment[name]}" for name in ("photoz-morph", "tensorflow", "keras")),
        "devices": ", ".join(environment["devices"]),
    }
    return {
        "name": run_dir.name,
        "config": (run_dir / "config.yaml").read_text(),
        "table": table,
        "scores": evaluate_morph(table),
        "histories": [read_history(path.parent) for path in members],
        "facts": facts,
    }


def _sample(builder):
    """Label measurements of all galaxies, or None where they are not known, as of released arrays."""
    parts = [pipeline.read_columns(builder, split) for split in morph_pipeline.SPLITS]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in SAMPLE_COLUMNS}
    original = np.concatenate([part["copy"] for part in parts]) == 0
    known = original & np.isfinite(columns["gini"])
    return {name: values[known] for name, values in columns.items()} if known.any() else None


def _examples(builder):
    """Test images of both depths, the first ones of each class; TFDS stores them in the order of a hash."""
    label = pipeline.read_columns(builder, "test")["label"]
    rows = np.concatenate([np.flatnonzero(label == index)[:EXAMPLES_PER_CLASS] for index in range(len(CLASS_NAMES))])
    images = {}
    for domain in morph_pipeline.DOMAINS:
        batches = morph_pipeline.domain_images(builder, f"test[:{rows.max() + 1}]", domain, 64)
        images[f"image_{domain}"] = np.concatenate(list(batches.as_numpy_iterator()))[rows]
    return {**images, "label": label[rows]}
