"""Images of Gaussian sources with their truth, for the tests of `photoz_morph.blend`."""

from dataclasses import replace

import numpy as np
from astropy.table import Table

from photoz_morph.blend.deblended import LEVELS, deblended_table
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.blend.predictions import blend_predictions
from photoz_morph.blend.report.results import BlendResults, choose_examples
from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.metrics.deblending import coverage_terms, sample_intervals
from photoz_morph.simulation.blends.truth import SourceImage, measure_sources

SIGMA = np.array([3.0, 4.0])


def gaussian_light(places, fluxes, widths, shape):
    """Noise-free images, shape (n, *shape, 2), of Gaussians sampled at the centres of pixels."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    light = [
        np.exp(-0.5 * (((rows - y) / sy) ** 2 + ((columns - x) / sx) ** 2)) / (2 * np.pi * sy * sx)
        for (y, x), (sy, sx) in zip(places, widths)
    ]
    return np.array(light)[..., None] * np.reshape(fluxes, (-1, 1, 1, 2))


def gaussian_sources(places, flux, widths=None, shape=(64, 64), seed=0):
    """Image of sources of equal flux, half of it in each of two bands; its noise; the images of the sources."""
    widths = widths or [(2.0, 2.0)] * len(places)
    light = gaussian_light(places, [[flux / 2, flux / 2]] * len(places), widths, shape)
    noise = np.random.default_rng(seed).normal(size=(*shape, 2)) * SIGMA
    return (light.sum(axis=0) + noise).astype(np.float32), SIGMA, light


def scene_of(light, label, seed=0, name="scene"):
    """Scene of noise-free sources, shape (n, height, width, 2), with the chain's truth."""
    noise = np.random.default_rng(seed).normal(size=light.shape[1:]) * SIGMA
    instances, columns = measure_sources([SourceImage(one) for one in light], light.shape[1:3], SIGMA)
    grid = np.indices(light.shape[1:3])
    total = np.maximum(light.sum(axis=(1, 2, 3)), 1e-9)
    truth = Table({axis: np.einsum("nijb,ij->n", light, positions) / total for axis, positions in zip("yx", grid)})
    truth["kind"] = label
    for column, values in columns.items():
        truth[column] = values
    image = (light.sum(axis=0) + noise).astype(np.float32)
    return Scene(name, ("g", "r"), image, SIGMA, None, truth, instances, light)


def blended_scene(separation=7.0, flux=20_000, seed=0):
    """Two equal Gaussians that overlap."""
    places = [(32.0, 28.0), (32.0, 28.0 + separation)]
    light = gaussian_light(places, [[flux / 2, flux / 2]] * 2, [(2.0, 2.0)] * 2, (64, 64))
    return scene_of(light, [1, 2], seed)


def random_scenes(n, seed, n_sources=8, shape=(64, 64)):
    """Scenes of round blue sources, of class 1, and of extended red ones, of class 3, some blended."""
    rng = np.random.default_rng(seed)
    scenes = []
    for number in range(n):
        k = rng.integers(3, n_sources)
        places = rng.uniform(6, np.array(shape) - 6, (k, 2))
        if k > 4:
            places[1] = places[0] + rng.uniform(4, 7) * np.array([1, -1]) / np.sqrt(2)
        label = rng.choice([1, 3], k)
        widths = np.where(label[:, None] == 1, 1.5, rng.uniform(1.8, 3.0, (k, 2)))
        flux = 10 ** rng.uniform(2.8, 4.5, k)
        blue = np.where(label == 1, 0.6, 0.4) + rng.normal(0, 0.03, k)
        light = gaussian_light(places, np.stack([flux * blue, flux * (1 - blue)], axis=1), widths, shape)
        scenes.append(scene_of(light, label, seed=1000 * seed + number, name=f"scene {number}"))
    return scenes


META = {"dataset": "gaussians", "origin": "simulated", "survey": "lsst", "bands": "g,i", "unit": "nJy", "zeropt": 31.4,
        "model": "truth"}  # fmt: skip


def numbered(scenes):
    """Scenes as those of a dataset, with numbers and the magnitudes of their sources."""
    made = []
    for number, scene in enumerate(scenes):
        truth = scene.truth.copy()
        truth["mags"] = META["zeropt"] - 2.5 * np.log10(np.asarray(truth["flux_in_image"], float))
        made.append(replace(scene, truth=truth, obj_id=100 + number, group_id=100 + number))
    return made


def true_detections(scene):
    """The sources of a scene as if they were all found, and their map."""
    truth = scene.truth
    table = Table({name: np.array(truth[name]) for name in ("y", "x", "box", "n_visible")})
    table["score"] = np.asarray(truth["snr"], float)
    table["flux"] = np.asarray(truth["flux_in_image"], float)
    table["probability"] = np.eye(5)[np.asarray(truth["kind"])]
    return table, scene.instances.copy()


def predicted(scenes, change=lambda number, table, segmentation: (table, segmentation), **meta):
    """Predictions that are the truth of numbered scenes, changed image by image."""
    parts = [change(number, *true_detections(scene)) for number, scene in enumerate(scenes)]
    ids = [scene.obj_id for scene in scenes]
    return blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), META | meta)


def without_some(number, table, segmentation):
    """The first `number` % 3 sources of an image are not found."""
    n = number % 3
    return table[n:], np.where(segmentation > n, segmentation - n, 0)


def toy_results(scenes, **changes):
    """Results of a network that finds all of numbered scenes, and of `sep`, which does not."""
    network, sep = predicted(scenes, model="unet"), predicted(scenes, without_some, model="sep", settings="{}")
    scores = {name: evaluate_blend(part, scenes, n_bootstrap=50) for name, part in (("net", network), ("sep", sep))}
    threshold = scores["sep"]["score_threshold"]
    examples = [{**example, "method": "net"} for example in choose_examples(sep, scenes, threshold, 4.0)]
    metas = {"net": dict(network.table.meta), "sep for IoU": dict(sep.table.meta)}
    given = {"networks": {"net": scores["net"]}, "baselines": {"source_iou": scores["sep"]}, "examples": examples,
             "metas": metas, "configs": {"net": "task: blend"}}  # fmt: skip
    return BlendResults(**(given | changes))


DEBLENDED_META = {**META, "dataset": "lsst_pairs", "model": "unet_image", "bands": "g,r,i"}


def deblended_galaxies(n, flux_error=0.0, n_samples=0, sample_sigma=0.1, seed=0):
    """Galaxies in the middle of pairs, every second one blended, with fluxes that are wrong by a factor.

    With samples the truth is one more draw of what they are drawn of, if `sample_sigma` is 0.1, relative.
    """
    rng = np.random.default_rng(seed)
    flux = 10 ** rng.uniform(2, 4, (n, 3))
    true = flux * (1 + 0.1 * rng.normal(size=(n, 3))) if n_samples else flux / (1 + flux_error)
    shape = np.column_stack([rng.uniform(2, 4, n), rng.uniform(-0.3, 0.3, (n, 2))])
    columns = {
        "obj_id": np.arange(n), "group_id": np.arange(n), "y": np.full(n, 23.5), "x": np.full(n, 23.5),
        "blendedness": np.where(np.arange(n) % 2, 0.2, 0.001), "mags": 31.4 - 2.5 * np.log10(true), "true_flux": true,
        "flux": flux, "true_shape": shape, "shape": shape * [1.1, 1, 1] + [0, 0.02, 0],
    }  # fmt: skip
    if n_samples:
        samples = flux[:, None] * (1 + sample_sigma * rng.normal(size=(n, n_samples, 3)))
        terms = [coverage_terms(*(one, *sample_intervals(drawn, LEVELS))) for one, drawn in zip(true, samples)]
        columns |= {"flux_sigma": samples.std(axis=1), "flux_samples": samples, "pixel_coverage": np.array(terms)}
    return deblended_table(columns, DEBLENDED_META)


def toy_blends(n, n_samples=5, size=24):
    """Examples of blends for a report: two Gaussians, of which the middle one is predicted 20 % too bright."""
    rng, examples = np.random.default_rng(0), []
    sigma, middle = np.array([3.0, 4.0, 5.0]), (size - 1) / 2
    for number in range(n):
        places = [(middle, middle), (middle, middle + 4 + number)]
        widths = [(2.0, 2.0)] * 2
        light = gaussian_light(places, [[4000, 4000]] * 2, widths, (size, size))[..., [0, 1, 1]]
        truth = light[0]
        drawn = np.array([truth * (1 + rng.normal(0.2, 0.1)) + rng.normal(size=truth.shape) * sigma
                          for _ in range(n_samples)])  # fmt: skip
        image = light.sum(axis=0) + rng.normal(size=truth.shape) * sigma
        examples.append({
            "role": ("best", "median", "worst")[number % 3], "row": number, "error": 0.2, "blendedness": 0.3,
            "bands": ("g", "r", "i"), "sigma": sigma, "image": image, "truth": truth, "galaxy": 1.2 * truth,
            "samples": drawn,
        })  # fmt: skip
    return examples
