"""The baseline of `sep` on a dataset: tuned on validation images, its classes learnt on training images.

For each metric there are settings of their own, and with them predictions of the test images, in a file that is kept
when the same is asked for again.
"""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.blend.baselines.classes import (
    class_measurements,
    class_probabilities,
    fit_classes,
    matched_classes,
)
from photoz_morph.blend.baselines.photometry import sources_of
from photoz_morph.blend.baselines.tuning import METRICS, tune
from photoz_morph.blend.dataset import read_scenes
from photoz_morph.blend.predictions import blend_predictions, read_blend_predictions, write_blend_predictions
from photoz_morph.datasets.reading import content_hash, n_galaxies
from photoz_morph.shards.blends import CLASS_NAMES
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import map_in_order, process_count

MODEL = "sep"
N_TRIALS = 60
N_TUNED_ON = 100  # validation images; a trial takes some seconds with more


@one_owner("folder")
def update_sep(builder, folder, metrics=tuple(METRICS), n_trials=N_TRIALS, n_tuned_on=N_TUNED_ON, purity=0.95,
               radius=4.0, seed=0, n_processes=None, progress=True):  # fmt: skip
    """Predictions of the test images of a dataset by `sep`, tuned for each metric; files that are there are kept.

    Parameters
    ----------
    builder : tfds builder
        From `dataset.open_dataset`.
    folder : path-like
        Of the files METRIC.fits; made if missing. One that is missing, broken, or of another dataset or other
        parameters is made anew.
    metrics : sequence of str
        Of `tuning.METRICS`.
    n_trials : int
        Random settings before the search one by one.
    n_tuned_on : int
        Validation images.
    purity : float
        At which the completeness is tuned.
    radius : float
        Largest distance of a detection from its source [pixel].
    seed : int
        Of the settings tried and of the boosting.
    n_processes : int, optional
        By default one per core; the result does not depend on it.
    progress : bool

    Returns
    -------
    dict of str to BlendPredictions
        For each metric.

    Raises
    ------
    ValueError
        If a number is out of range, or too few sources can train.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    n_processes, folder = process_count(n_processes), Path(folder)
    if n_trials < 0 or n_tuned_on < 1:
        raise ValueError(f"n_trials is {n_trials}, n_tuned_on {n_tuned_on}; give numbers of settings and of images")
    facts = {
        "data_id": content_hash(builder), "n_trials": n_trials, "n_tuned": n_tuned_on, "purity": purity,
        "radius": radius, "seed": seed,
    }  # fmt: skip
    found = {metric: _current(folder / f"{metric}.fits", {**facts, "metric": metric}) for metric in metrics}
    missing = [metric for metric, predictions in found.items() if predictions is None]
    validation = list(read_scenes(builder, f"validation[:{n_tuned_on}]")) if missing else []
    for metric in missing:
        tuned = tune(validation, metric, n_trials, seed, purity, radius, progress=progress)
        meta = {**facts, "metric": metric, "tuned": tuned.value, "settings": json.dumps(vars(tuned.settings))}
        found[metric] = predict_sep(builder, tuned.settings, meta, radius, seed, n_processes, progress)
        write_blend_predictions(found[metric], folder / f"{metric}.fits")
    return found


def predict_sep(builder, settings, meta=None, radius=4.0, seed=0, n_processes=1, progress=True):
    """Detect and measure the sources of the test images, with classes learnt from those of the training images.

    Parameters
    ----------
    builder : tfds builder
    settings : SepSettings
    meta : dict, optional
        Further facts for the header.
    radius : float
        Largest distance of a detection of a training image from the source whose class it learns [pixel].
    seed, n_processes, progress
        As for `update_sep`.

    Returns
    -------
    BlendPredictions
        With all measurements of `photometry.measure`.

    Raises
    ------
    ValueError
        If too few sources can train.
    """
    metadata = builder.info.metadata
    sizes = {split: n_galaxies(builder, split) for split in ("train", "test")}
    tables, maps, truths, ids = [], [], [], []

    def pixels():
        """Image, noise and settings of each scene, whose truth is kept."""
        for split in sizes:
            for scene in read_scenes(builder, split):
                ids.append((scene.obj_id, scene.group_id))
                truths.append({name: np.asarray(scene.truth[name]) for name in ("y", "x", "kind", "is_target")})
                yield scene.image, scene.sigma, settings

    with tqdm(total=sum(sizes.values()), desc="detect", unit=" images", disable=not progress) as bar:
        for number, (table, segmentation) in enumerate(map_in_order(sources_of, pixels(), n_processes)):
            tables.append(table)
            maps += [segmentation] if number >= sizes["train"] else []
            bar.update()
    train, test = tables[: sizes["train"]], tables[sizes["train"] :]
    label = np.concatenate(matched_classes(train, truths[: sizes["train"]], radius))
    try:
        model = fit_classes(np.concatenate([class_measurements(table) for table in train]), label, seed)
    except ValueError as error:
        raise ValueError(f"{builder.data_dir}: {error}") from error
    for table in test:
        table["probability"] = class_probabilities(model, class_measurements(table), len(CLASS_NAMES))
        table.rename_column("npix", "n_visible")
    obj_id, group_id = np.array(ids[sizes["train"] :]).T
    return blend_predictions({"obj_id": obj_id, "group_id": group_id}, test, maps, {
        "dataset": builder.name, "origin": metadata["origin"], "survey": metadata["survey"],
        "bands": metadata["bands"], "unit": metadata["unit"], "zeropt": float(metadata["zero_point"]), "model": MODEL,
        **(meta or {}),
    })  # fmt: skip


def _current(path, facts):
    """Predictions in a file; None if they are missing, broken or of other facts."""
    try:
        predictions = read_blend_predictions(path)
    except (ValueError, FileNotFoundError):
        return None
    meta = predictions.table.meta
    return predictions if all(meta.get(key) == value for key, value in facts.items()) else None
