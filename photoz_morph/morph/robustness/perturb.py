"""Accuracy of the networks of a morphology run under physical perturbations of increasing severity.

`perturb_run` saves its results in `perturbations.json` of the run folder after each kind of perturbation; an
interrupted run resumes with the first missing kind.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.metrics.classification import predicted_class
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts, with_defence
from photoz_morph.morph.robustness.perturbation_scores import (
    clean_scores,
    mean_scores,
    read_perturbations,
    severity_scores,
    write_perturbations,
)
from photoz_morph.robustness.perturbations.registry import PERTURBATIONS, observing_context, perturb
from photoz_morph.runs.folder import finished_members, read_run, run_provenance, weights_hash
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import code_version

FILE_NAME = "perturbations.json"
N_IMAGES = 500  # our choice: errors of 0.01 to 0.02, less for differences on the same galaxies


def perturb_run(
    run_dir, kinds=None, n_images=None, data_dir=None, defence=None, seed=0, overwrite=False, progress=True
):
    """Score the networks of a run on ten-year images of test galaxies under each kind of perturbation.

    Parameters
    ----------
    run_dir : path-like
    kinds : sequence of str, optional
        Keys of `PERTURBATIONS`; by default all. Finished kinds are kept.
    n_images : int, optional
        Number of labelled test galaxies, drawn with `seed`; by default at most 500.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.
    seed : int
        Of the selection of galaxies, the perturbations and the bootstrap.
    overwrite : bool
        Discard earlier results; otherwise earlier results with other settings are an error.
    progress : bool

    Returns
    -------
    dict
        Content of `perturbations.json`: `data` ("simulated"), `origin`, `survey`, `adaptation`, `config`, `classes`;
        `settings`; `galaxies` (lists of obj_id, copy, group_id, label); `clean`, from `clean_scores`; `kinds`, by name:
        title, unit, none and `severities`, a list of dicts with the severity and the scores of `severity_scores`; and
        `mean`, from `mean_scores`.

    Raises
    ------
    ValueError
        If a kind is unknown, the file holds results with other settings, or the dataset does not match the run.
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    kinds = _checked_kinds(kinds)
    context = observing_context(trained_on, config.survey)
    paths = finished_members(run_dir, MorphConfig)[0]
    builder = dataset.open_run_dataset(trained_on, data_dir)
    columns, rows = _choose(builder, config.data.classes, N_IMAGES if n_images is None else n_images, seed)
    settings = {
        "domain": "Y10", "seed": seed, "n_images": len(rows), **defence_facts(config, defence),
        "networks": [path.parent.name for path in paths], "weights": [weights_hash(path) for path in paths],
        "mocks": trained_on["mocks"],
    }  # fmt: skip
    path = with_defence(Path(run_dir) / FILE_NAME, config, defence)
    result = None if overwrite else _earlier(path, settings)
    result = result or _empty(path.resolve().parent.name, config, trained_on["origin"], settings, columns)
    result |= run_provenance(trained_on, paths) | {"code": code_version()}
    kinds = [name for name in kinds if name not in result["kinds"]]
    if not kinds:
        return result
    images = _images(builder, rows)
    classifiers = [ImageClassifier(network) for network in load_classifiers(run_dir, defence)]
    n_passes = 1 + sum(len(PERTURBATIONS[name].severities) for name in kinds)
    with tqdm(total=n_passes * len(paths) * len(rows), desc="perturb", unit=" images", disable=not progress) as bar:
        clean = _classes(classifiers, images, bar)
        result["clean"] = clean_scores(clean == columns["label"][:, None], columns["group_id"], seed)
        for name in kinds:
            bar.set_postfix_str(name)
            result["kinds"][name] = _kind_scores(name, images, columns, clean, classifiers, context, seed, bar)
            # In the order of the registry, whatever was done first.
            result["kinds"] = {key: result["kinds"][key] for key in PERTURBATIONS if key in result["kinds"]}
            result["mean"] = mean_scores(result)
            write_perturbations(result, path)
    return result


def _checked_kinds(kinds):
    """Names of the kinds in the order of the registry."""
    unknown = [name for name in kinds or () if name not in PERTURBATIONS]
    if unknown:
        raise ValueError(f"no perturbation {unknown[0]!r}; choose from {', '.join(PERTURBATIONS)}")
    return [name for name in PERTURBATIONS if kinds is None or name in kinds]


def _choose(builder, classes, n_images, seed):
    """Columns of the selected test galaxies, and their rows in the dataset."""
    if n_images < 2:
        raise ValueError(f"n_images is {n_images}; an error needs at least 2 galaxies")
    columns = reading.read_columns(builder, "test")
    label = dataset.class_index(columns["label"], classes)
    rows = np.flatnonzero(np.asarray(columns["label"]) >= 0)
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:n_images])
    chosen = {name: np.asarray(columns[name])[rows] for name in ("obj_id", "copy", "group_id")}
    return {**chosen, "label": np.asarray(label)[rows]}, rows


def _images(builder, rows):
    """Ten-year images of the test galaxies in `rows`, shape (n, size, size, n_bands) [nJy]."""
    batches, first, found = dataset.domain_images(builder, "test", "y10", BATCH_SIZE), 0, []
    for batch in batches.as_numpy_iterator():
        inside = rows[(rows >= first) & (rows < first + len(batch))]
        found.append(batch[inside - first])
        first += len(batch)
    return np.concatenate(found)


def _empty(name, config, origin, settings, columns):
    """Results before the first kind."""
    return {
        "data": ORIGINS[origin], "origin": origin, "survey": config.survey, "adaptation": config.adaptation.name,
        "config": name, "classes": list(config.class_names), "settings": settings,
        "galaxies": {name: values.tolist() for name, values in columns.items()},
        "clean": None, "kinds": {}, "mean": None,
    }  # fmt: skip


def _earlier(path, settings):
    """Earlier results or None; a ValueError if their settings differ."""
    if not path.exists():
        return None
    result = read_perturbations(path)
    different = [name for name in settings if result["settings"].get(name) != settings[name]]
    different += [
        f"severities of {name}"
        for name, kind in result["kinds"].items()
        if [row["severity"] for row in kind["severities"]] != list(getattr(PERTURBATIONS.get(name), "severities", ()))
    ]
    if different:
        old, new = result["settings"].get(different[0], "others"), settings.get(different[0], "others")
        raise ValueError(
            f"{path}: made with another {', '.join(different)} ({old}, now {new}); give the same, or --overwrite "
            "to start again"
        )
    return result


def _classes(classifiers, images, bar, change=None):
    """Class given to each image by each network, shape (n, n_networks), or -1; each image is perturbed only once."""
    classes, batch_size = [], min(BATCH_SIZE, len(images))
    for first in range(0, len(images), batch_size):
        # The last batch is filled with the first images: for another batch size TensorFlow would compile all networks.
        rows = np.arange(first, first + batch_size) % len(images)
        batch = change(rows) if change else images[rows]
        n_new = min(batch_size, len(images) - first)
        probability = [classify([batch], 0, lambda _, n_new=n_new: bar.update(n_new))[0] for classify in classifiers]
        classes.append(predicted_class(np.stack(probability, axis=1))[:n_new])
    return np.concatenate(classes)


def _kind_scores(name, images, columns, clean, classifiers, context, seed, bar):
    """Scores of one kind at all its severities."""
    kind, label = PERTURBATIONS[name], columns["label"][:, None]
    rows_of_scores = []
    for severity in kind.severities:

        def change(rows, severity=severity):
            return perturb(name, images[rows], columns["obj_id"][rows], severity, context, seed)

        given = _classes(classifiers, images, bar, change)
        scores = severity_scores(given == label, clean == label, given == clean, columns["group_id"], seed)
        rows_of_scores.append({"severity": severity, **scores})
    return {"title": kind.title, "unit": kind.unit, "none": kind.none, "severities": rows_of_scores}
