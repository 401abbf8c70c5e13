"""Predictions of the images of a run by its networks: sources found in whole images; maps, fields or parameters."""

from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from photoz_morph.blend import dataset
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.finding.finder import SourceFinder, compiled
from photoz_morph.blend.maps.networks import ensemble_answers
from photoz_morph.blend.maps.predictions import map_predictions
from photoz_morph.blend.maps.truth import read_truth
from photoz_morph.blend.predictions import blend_predictions
from photoz_morph.datasets.reading import n_galaxies
from photoz_morph.models.loading import in_float32, load_members
from photoz_morph.runs.folder import finished_members, read_run, run_provenance

BATCH_SIZE = 8  # whole images


def load_networks(run_dir):
    """Finished networks of a run, in the order of the seeds; those trained in mixed precision compute in float32.

    Parameters
    ----------
    run_dir : path-like

    Returns
    -------
    list of keras.Model
    """
    return [in_float32(network) for network in load_members(finished_members(run_dir, BlendConfig)[0])]


def predict_sources(run_dir, data_dir=None, split="test", progress=True):
    """Find the sources of the images of a split with the networks of a run, as an ensemble.

    Parameters
    ----------
    run_dir : path-like
        Of a network that finds sources.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    split : {"test", "validation", "train"}
    progress : bool

    Returns
    -------
    BlendPredictions

    Raises
    ------
    ValueError
        If the dataset is not the one the run was trained on.
    """
    config, trained_on = read_run(run_dir, BlendConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    find = SourceFinder(load_networks(run_dir), config, dataset.sky_sigma_of(builder))
    ids, tables, maps = [], [], []
    with tqdm(total=n_galaxies(builder, split), desc="predict", unit=" images", disable=not progress) as bar:
        for scenes in in_batches(dataset.read_scenes(builder, split), BATCH_SIZE):
            for scene, (table, segmentation) in zip(scenes, find(np.stack([scene.image for scene in scenes]))):
                ids.append((scene.obj_id, scene.group_id))
                tables.append(table)
                maps.append(segmentation)
            bar.update(len(scenes))
    keras.backend.clear_session()
    obj_id, group_id = np.array(ids).T
    meta = run_meta(run_dir, builder) | {"split": split, "networks": len(find.networks)}
    return blend_predictions({"obj_id": obj_id, "group_id": group_id}, tables, maps, meta)


def predict_answers(run_dir, data_dir=None, split="test", progress=True):
    """Predict maps, fields or parameters of the images of a split with the networks of a run, as an ensemble.

    Parameters
    ----------
    run_dir : path-like
        Of a network that gives them.
    data_dir, split, progress
        As for `predict_sources`.

    Returns
    -------
    MapPredictions

    Raises
    ------
    ValueError
        If the dataset is not the one the run was trained on.
    """
    config, trained_on = read_run(run_dir, BlendConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    functions = [compiled(network) for network in load_networks(run_dir)]
    truth = read_truth(builder, config.answer, split)
    found = []
    with tqdm(total=len(truth.images), desc="predict", unit=" images", disable=not progress) as bar:
        for images in np.array_split(truth.images, range(BATCH_SIZE, len(truth.images), BATCH_SIZE)):
            found.append(ensemble_answers(functions, images, config.answer))
            bar.update(len(images))
    keras.backend.clear_session()
    meta = run_meta(run_dir, builder) | {"split": split, "networks": len(functions)}
    return map_predictions(truth, np.concatenate(found), meta)


def run_meta(run_dir, builder):
    """Facts of what a run gives for images of a dataset, for the header of its predictions."""
    config, trained_on = read_run(run_dir, BlendConfig)
    metadata = builder.info.metadata
    of_light = {}
    if "bands" in metadata:
        of_light = {key: metadata[key] for key in ("survey", "bands", "unit")}
        of_light["zeropt"] = float(metadata["zero_point"])
    return {
        "dataset": builder.name, "origin": metadata["origin"], **of_light, "model": config.network,
        "config": Path(run_dir).resolve().name,
        **run_provenance(trained_on, finished_members(run_dir, BlendConfig)[0]),
    }  # fmt: skip


def in_batches(items, size):
    """Lists of `size` items, the last one shorter, of an iterable."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
