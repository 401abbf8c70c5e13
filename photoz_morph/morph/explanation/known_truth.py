"""What a network looks at where the truth is known: simulated mergers, taken apart and observed without some parts.

Each merger is simulated again from its identifier, with the shares of its light that come from the primary, the
companion and the tides. Attribution is summed over the pixels where each is most of the light, and the stamp is shown
without the companion, without the tails and without both, under the same noise.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.explain.attribution.integrated_gradients import integrated_gradients
from photoz_morph.explain.files import is_stored, read_stored, write_stored
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.sky import measure_sky
from photoz_morph.explain.targets import class_probability, logit_margin
from photoz_morph.mocks.exposure import stamp_binning
from photoz_morph.mocks.labels import MERGER
from photoz_morph.mocks.observe import expected_image, noiseless_stamp
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC, Scene
from photoz_morph.simulation.morphology.merger_parts import PARTS, merger_parts
from photoz_morph.simulation.seeds import INDICES_PER_SEED
from photoz_morph.surveys import LSST

KNOWN_TRUTH = "known_truth"
REGIONS = (*PARTS, "sky")
ISOPHOTE = 1.0  # sigma of the sky that the noiseless light reaches inside the isophote
CHANGES = {"without_companion": (0, 2), "without_tails": (0, 1), "primary_alone": (0,)}  # parts that are kept
# Sigma of the sky: largest median deviation of the bright pixels of a stamp, whose photons count as noise, too, from
# the scene that is made again.
TOLERANCE = 5.0


def measure_known_truth(folder, builder, network, depth, classes, n, encounter_dir=None, n_steps=24, progress=True):
    """Measure a network on simulated test mergers with their truth; what is in the folder is kept.

    Parameters
    ----------
    folder : path-like
    builder : tfds builder
    network : keras.Model
    depth : {"y10", "y1"}
    classes : str
        See `dataset.class_index`.
    n : int
        Mergers, one of each encounter, that are labelled so.
    encounter_dir : path-like, optional
        Cache of encounters, such as `encounters` beside the scenes; by default in the folder.
    n_steps : int
        Of integrated gradients.
    progress : bool

    Returns
    -------
    Table
        One row per merger; see docs/formats.md.

    Raises
    ------
    ValueError
        If the galaxies are not simulated by this version, the network has no mergers, or there are none.
    """
    facts = builder.info.metadata
    if facts["origin"] != "simulated" or "binning" not in facts:
        raise ValueError(
            f"{builder.data_dir}: galaxies are {facts['origin']}; --science needs those of `morph simulate`"
        )
    if classes == "spiral_elliptical":
        raise ValueError("the networks know no mergers; --science needs a run with the class merger")
    columns = reading.read_columns(builder, "test")
    is_merger = (columns["label"] == MERGER) & (columns["intended_type"] == MERGER)
    is_first = np.zeros(len(is_merger), bool)
    found = np.flatnonzero(is_merger)
    is_first[found[np.unique(columns["group_id"][found], return_index=True)[1]]] = True
    rows = np.flatnonzero(is_first)[:n]
    if not len(rows):
        raise ValueError(f"{builder.data_dir}: no test galaxy is a simulated merger that is labelled so")
    ids = columns["obj_id"][rows]
    if is_stored(folder, KNOWN_TRUTH):
        table = read_stored(folder, KNOWN_TRUTH).table
        if np.array_equal(table["obj_id"], ids):
            return table
    images = _images(builder, depth, rows)
    made, shown = [], {name: [] for name in CHANGES}
    for obj_id, image in zip(tqdm(ids, desc="known truth", unit=" mergers", disable=not progress), images):
        parts, stamps = _observed(int(obj_id), facts, encounter_dir or Path(folder) / "encounters")
        _check(int(obj_id), image, stamps["all"])
        made.append(_regions(parts, stamps["all"], image, facts))
        for name in CHANGES:
            shown[name].append(image + (stamps[name] - stamps["all"]))
        made[-1]["clean_sky"] = image - stamps["all"]
    inputs = {"image": images}
    if "domain" in network.input:
        inputs["domain"] = np.full(len(images), dataset.DOMAINS.index(depth), np.int32)
    table = _measured(network, dataset.class_index(MERGER, classes), inputs, made, shown, n_steps)
    for name in ("separation", "time_myr", "mass_ratio"):
        if name in columns:
            table[name] = columns[name][rows]
    table.add_column(columns["group_id"][rows], 0, "group_id")
    table.add_column(ids, 0, "obj_id")
    table.meta["regions"] = ",".join(REGIONS)
    write_stored(folder, KNOWN_TRUTH, table, {})
    return table


def _measured(network, merger, inputs, made, shown, n_steps):
    """Shares of the attribution, and what the answers do."""
    margin, probability = Score(network, logit_margin(merger)), Score(network, class_probability(merger))
    sky = {"image": np.stack([one["clean_sky"] for one in made]).astype(np.float32)}
    maps = integrated_gradients(margin, inputs, sky, n_steps)["image"]
    regions = np.stack([one["regions"] for one in made])
    light = np.stack([one["light"] for one in made])
    table = Table({"margin": margin(inputs), "probability": probability(inputs)})
    for name, values in {"attribution": np.abs(maps), "flux": light, "pixels": np.ones_like(maps)}.items():
        parts = [np.sum(values * (regions == number), axis=(1, 2, 3)) for number in range(len(REGIONS))]
        table[f"{name}_share"] = np.stack(parts, axis=1) / values.sum(axis=(1, 2, 3))[:, None]
    table["attribution_sum"] = np.stack(
        [np.sum(maps * (regions == number), axis=(1, 2, 3)) for number in range(len(REGIONS))], axis=1
    )
    table["light_of_parts"] = np.stack([one["of_parts"] for one in made])
    for name, images in shown.items():
        given = {**inputs, "image": np.stack(images).astype(np.float32)}
        table[name] = margin(given) - table["margin"]
        table[f"{name}_probability"] = probability(given) - table["probability"]
    return table


def _images(builder, depth, rows):
    """Stamps of some test galaxies."""
    kept, n_read = [], 0
    for batch in dataset.domain_images(builder, "test", depth, BATCH_SIZE):
        own = rows[(rows >= n_read) & (rows < n_read + len(batch))] - n_read
        kept.append(batch.numpy()[own])
        n_read += len(batch)
        if n_read > rows[-1]:
            break
    return np.concatenate(kept)


def _observed(obj_id, facts, encounter_dir):
    """Parts of a merger, and noiseless stamps of all of it and of those that are kept in each change."""
    seed, index = divmod(obj_id, INDICES_PER_SEED)
    parts, stamps = merger_parts(seed, index, encounter_dir), {}
    for name, kept in {"all": None, **CHANGES}.items():
        share = 1 if kept is None else parts.shares[list(kept)].sum(axis=0)[..., None]
        scene = Scene(np.asarray(parts.image * share, np.float32), NATIVE_PIXEL_KPC, obj_id, obj_id)
        stamps[name] = noiseless_stamp(expected_image(scene), LSST, facts["binning"], facts["fieldkpc"])
    return parts, stamps


def _check(obj_id, image, noiseless):
    """Raise a ValueError if a stamp is not of the scene that was made again."""
    sigma = measure_sky(image[None])[1][0]
    bright = noiseless > 3 * sigma
    deviation = np.median((np.abs(image - noiseless) / sigma)[bright]) if bright.any() else 0.0
    if deviation > TOLERANCE:
        raise ValueError(
            f"galaxy {obj_id} of the dataset is not what this version simulates under its number; simulate the scenes "
            "again, or leave out --science"
        )


def _regions(parts, noiseless, image, facts):
    """Number of the region of each stamp pixel in each band, the light, and the shares of the parts in it."""
    block, size = stamp_binning(facts["fieldkpc"], LSST), LSST.stamp_size
    side = block * size
    first = (len(parts.image) - side) // 2
    light = parts.image.sum(axis=-1) * parts.shares
    if first < 0:
        margin = (-first, side - len(parts.image) + first)
        light = np.pad(light, [(0, 0), margin, margin])
        first = 0
    light = light[:, first : first + side, first : first + side].reshape(len(PARTS), size, block, size, block)
    light = light.sum(axis=(2, 4))
    sigma = measure_sky(image[None])[1][0]
    regions = np.where(noiseless > ISOPHOTE * sigma, light.argmax(axis=0)[..., None], len(PARTS))
    of_parts = light.sum(axis=(1, 2)) / max(light.sum(), 1e-30)
    return {"regions": regions, "light": np.maximum(noiseless, 0), "of_parts": of_parts}
