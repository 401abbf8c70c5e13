"""Baselines of maps, fields and parameters on a dataset: learnt on training images, for the test images.

Maps of stars and dust are told from each pixel alone, parameters from the power spectrum, and fields are restored by
the Wiener filter.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.blend.baselines.power_ridge import fit_power_ridge
from photoz_morph.blend.baselines.wiener import measured_prior, wiener_filter
from photoz_morph.blend.dataset import sky_sigma_of
from photoz_morph.blend.maps.pixelwise import fit_pixel_maps, predict_pixel_maps
from photoz_morph.blend.maps.predictions import map_predictions, read_map_predictions, write_map_predictions
from photoz_morph.blend.maps.truth import answers_of, read_truth
from photoz_morph.datasets.reading import content_hash
from photoz_morph.system.locks import one_owner

MODELS = {"maps": "pixelwise", "field": "wiener", "parameters": "power_ridge"}
CHUNK = 50  # images that are predicted at once


@one_owner("folder")
def update_map_baselines(builder, folder, seed=0, progress=True):
    """Predictions of the test images of a dataset for each of its answers; files that are there are kept.

    Parameters
    ----------
    builder : tfds builder
        Of a dataset with an answer, see `maps.truth.answers_of`.
    folder : path-like
        Of the files, such as pixelwise.fits; made if missing. One that is missing, broken, or of another dataset or
        seed is made anew.
    seed : int
        Of the choice of pixels and the boosting.
    progress : bool

    Returns
    -------
    dict of str to MapPredictions
        By the names of `MODELS`.

    Raises
    ------
    ValueError
        If too few images can train.
    """
    found = {}
    for answer in answers_of(builder):
        path = Path(folder) / f"{MODELS[answer]}.fits"
        meta = {
            "dataset": builder.name, "origin": builder.info.metadata["origin"], "model": MODELS[answer],
            "split": "test", "data_id": content_hash(builder), "seed": seed,
        }  # fmt: skip
        found[MODELS[answer]] = _current(path, meta)
        if found[MODELS[answer]] is None:
            found[MODELS[answer]] = predict_baseline(builder, answer, meta, seed, progress)
            write_map_predictions(found[MODELS[answer]], path)
    return found


def predict_baseline(builder, answer, meta, seed=0, progress=True):
    """Predictions of the test images, learnt on the training images.

    Parameters
    ----------
    builder : tfds builder
    answer : str
        Of `maps.truth.answers_of`.
    meta : dict
        Facts for the header, as `maps.predictions.map_predictions` needs them.
    seed, progress
        As for `update_map_baselines`.

    Returns
    -------
    MapPredictions

    Raises
    ------
    ValueError
        If too few images can train.
    """
    train, test = (read_truth(builder, answer, split) for split in ("train", "test"))
    try:
        predict = {"maps": _pixelwise, "field": _wiener, "parameters": _power_ridge}[answer](builder, train, seed)
    except ValueError as error:
        raise ValueError(f"{builder.data_dir}: {error}") from error
    values, n = [], len(test.images)
    with tqdm(total=n, desc=MODELS[answer], unit=" images", disable=not progress) as bar:
        for low in range(0, n, CHUNK):
            values.append(predict(test.images[low : low + CHUNK], test.inside[low : low + CHUNK]))
            bar.update(len(values[-1]))
    return map_predictions(test, np.concatenate(values), meta)


def _pixelwise(builder, train, seed):
    """Function of galaxies and of the pixels that count, learnt pixel by pixel."""
    sigma = sky_sigma_of(builder)
    models = fit_pixel_maps(train.images, train.values, train.inside, sigma, seed=seed)
    return lambda images, inside: predict_pixel_maps(models, images, inside, sigma)


def _power_ridge(builder, train, seed):
    """Function of fields, learnt on their power spectra."""
    ridge = fit_power_ridge(train.images[..., 0], train.values)
    return lambda images, inside: ridge.posterior(images[..., 0])


def _wiener(builder, train, seed):
    """Function of observations, with the mean and the power spectrum of the training fields."""
    metadata = builder.info.metadata
    mean, power = measured_prior(train.values[..., 0])
    beam, noise = float(metadata["beam_fwhm"]), float(metadata["noise"])
    return lambda images, inside: wiener_filter(images, mean, power, beam, noise)[..., None]


def _current(path, facts):
    """Predictions in a file; None if they are missing, broken or of other facts."""
    try:
        predictions = read_map_predictions(path)
    except (ValueError, FileNotFoundError):
        return None
    meta = predictions.table.meta
    return predictions if all(meta.get(key) == value for key, value in facts.items()) else None
