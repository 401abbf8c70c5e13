"""Predictions of a run that takes blends apart: the galaxy in the middle of each image, by its networks."""

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from photoz_morph.blend import dataset
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.deblended import BAND, LEVELS, deblended_table, galaxy_of, middle_source
from photoz_morph.blend.finding.finder import compiled
from photoz_morph.blend.predict import BATCH_SIZE, in_batches, load_networks, run_meta
from photoz_morph.datasets.reading import n_galaxies
from photoz_morph.metrics.deblending import adaptive_moments, coverage_terms, sample_intervals
from photoz_morph.runs.folder import read_run

N_SAMPLES = 99  # quantiles of the levels lie at whole ranks or near; our choice
SAMPLES, PIXELS = range(2)  # streams of random numbers of an image


class Deblender:
    """Gives the galaxy in the middle of images by the networks of one config.

    Parameters
    ----------
    networks : list of keras.Model
        One, or an ensemble: images are their mean, samples those of all.
    n_samples : int
        Samples of an image, of networks that draw any.
    """

    def __init__(self, networks, n_samples=N_SAMPLES):
        self.networks, self._functions = networks, [compiled(network) for network in networks]
        self._draws = draws_of(n_samples, len(networks)) if hasattr(networks[0], "n_latent") else None

    def __call__(self, images, obj_ids):
        """Images of galaxies.

        Parameters
        ----------
        images : ndarray, shape (n, size, size, n_bands)
        obj_ids : sequence of int
            Of which the samples are a function.

        Returns
        -------
        galaxies : ndarray, shape (n, size, size, n_bands)
        samples : ndarray, shape (n, n_samples, size, size, n_bands), or None
            With the noise of their pixels.
        """
        galaxies, samples = [], []
        for number, function in enumerate(self._functions):
            inputs = {"image": ops.convert_to_tensor(images)}
            if self._draws:
                shape = self._draws[number], self.networks[number].n_latent
                inputs["noise"] = ops.convert_to_tensor(latent_noise(obj_ids, number, shape))
            outputs = {name: ops.convert_to_numpy(values) for name, values in function(inputs).items()}
            galaxies.append(galaxy_of(outputs))
            if self._draws:
                samples.append(with_pixel_noise(outputs["samples"], outputs["sample_sigmas"], obj_ids, number))
        return np.mean(galaxies, axis=0), np.concatenate(samples, axis=1) if samples else None


def draws_of(n_samples, n_networks):
    """Samples of each network of an ensemble, the first ones drawing what is left over."""
    return [n_samples // n_networks + (number < n_samples % n_networks) for number in range(n_networks)]


def latent_noise(obj_ids, number, shape):
    """Standard normal numbers of images for network `number`, shape (n, *shape); fewer draws are the first of more."""
    noise = [np.random.default_rng([SAMPLES, number, obj_id]).normal(size=shape) for obj_id in obj_ids]
    return np.array(noise, np.float32).reshape(len(obj_ids), *shape)


def with_pixel_noise(samples, sigmas, obj_ids, number):
    """Samples of network `number`, shape (n, n_draws, ...), with the noise of their pixels."""
    return np.stack([
        one + sigma * np.random.default_rng([PIXELS, number, obj_id]).standard_normal(one.shape, np.float32)
        for one, sigma, obj_id in zip(samples, sigmas, obj_ids)
    ])  # fmt: skip


def predict_galaxies(run_dir, data_dir=None, split="test", n_samples=N_SAMPLES, progress=True):
    """Free the galaxies in the middle of the images of a split from their neighbours.

    Parameters
    ----------
    run_dir : path-like
        Of a network that takes blends apart.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    split : {"test", "validation", "train"}
    n_samples : int
        Samples of an image, of a probabilistic U-Net; 39 or more for an interval of 95 %.
    progress : bool

    Returns
    -------
    Table
        As from `deblended.deblended_table`.

    Raises
    ------
    ValueError
        If the dataset is not the one the run was trained on, or there are too few samples.
    """
    config, trained_on = read_run(run_dir, BlendConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    band = dataset.bands_of(builder).index(BAND)
    deblend = Deblender(load_networks(run_dir), n_samples)
    threshold = np.sqrt(np.sum(np.square(dataset.sky_sigma_of(builder))))
    rows = []
    with tqdm(total=n_galaxies(builder, split), desc="predict", unit=" images", disable=not progress) as bar:
        for scenes in in_batches(dataset.read_scenes(builder, split, with_source_images=True), BATCH_SIZE):
            images, ids = np.stack([scene.image for scene in scenes]), [scene.obj_id for scene in scenes]
            galaxies, samples = deblend(images, ids)
            for number, scene in enumerate(scenes):
                drawn = None if samples is None else samples[number]
                rows.append(_row(scene, galaxies[number], drawn, band, threshold))
            bar.update(len(scenes))
    keras.backend.clear_session()
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    meta = run_meta(run_dir, builder) | {"split": split, "networks": len(deblend.networks)}
    return deblended_table(columns, meta | ({"n_sample": n_samples} if "flux_samples" in columns else {}))


def _row(scene, galaxy, samples, band, threshold):
    """Columns of one image."""
    source = middle_source(scene.truth, len(scene.image))
    truth, light = scene.truth[source], scene.source_images[source]
    y, x = float(truth["y"]), float(truth["x"])
    row = {
        "obj_id": np.int64(scene.obj_id), "group_id": np.int64(scene.group_id), "y": y, "x": x,
        "blendedness": np.float32(truth["blendedness"]), "mags": np.asarray(truth["mags"], np.float32),
        "true_flux": light.sum(axis=(0, 1), dtype=float), "flux": galaxy.sum(axis=(0, 1), dtype=float),
        "true_shape": adaptive_moments(light[..., band], y, x)[2:],
        "shape": adaptive_moments(galaxy[..., band], y, x)[2:],
    }  # fmt: skip
    if samples is None:
        return row
    fluxes = samples.sum(axis=(1, 2), dtype=float)
    is_seen = galaxy.sum(axis=-1) > threshold
    intervals = sample_intervals(samples[:, is_seen].reshape(len(samples), -1), LEVELS)
    terms = coverage_terms(light[is_seen].ravel(), *intervals)
    return {**row, "flux_sigma": fluxes.std(axis=0, ddof=1), "flux_samples": fluxes, "pixel_coverage": terms}
