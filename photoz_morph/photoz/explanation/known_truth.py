"""What a network looks at where the truth is known: simulated galaxies, taken apart and changed one thing at a time.

Each galaxy is simulated again from its identifier, with its noiseless light by parts. Attribution is summed over the
pixels where bulge, disk, neighbours or nothing shine, and the galaxy is shown again without its neighbours, inclined,
reddened, moved, and with one band of another galaxy: the redshift is that of the galaxy all the time, so what the
answer moves is the network's.
"""

from functools import partial

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.explain.attribution.integrated_gradients import integrated_gradients
from photoz_morph.explain.files import is_stored, read_stored, write_stored
from photoz_morph.explain.sky import measure_sky
from photoz_morph.simulation.sdss.changes import KnownObject
from photoz_morph.surveys import SDSS

KNOWN_TRUTH = "known_truth"
REGIONS = ("bulge", "disk", "neighbours", "sky")
ISOPHOTE = 1.0  # sigma of the sky that the noiseless light of an object reaches inside its isophote
EBV, SHIFTS, AXIS_RATIO = 0.05, (1.0, 2.0), (0.9, 0.3)  # our choices: mag, pixels, face-on and edge-on
NEIGHBOUR_SIGMA = 30.0  # light of neighbours in the stamp from which one counts as there [sigma of a pixel in r]
N_AT_ONCE = 50  # galaxies simulated and kept in memory together
TOLERANCE = 0.05  # sigma of the sky by which a galaxy that is simulated again may differ


def measure_known_truth(folder, seen, score, config, n_steps=24, progress=True):
    """Measure a network on simulated galaxies with their truth; what is in the folder is kept.

    Parameters
    ----------
    folder : path-like
    seen : galaxies.Seen
    score : Score
        Of a redshift, such as the mean of the PDF.
    config : PhotozConfig
    n_steps : int
        Of integrated gradients.
    progress : bool

    Returns
    -------
    Table
        One row per galaxy; see docs/formats.md.

    Raises
    ------
    ValueError
        If the galaxies are not of this version's simulation of the survey.
    """
    ids = seen.columns["obj_id"]
    if is_stored(folder, KNOWN_TRUTH):
        table = read_stored(folder, KNOWN_TRUTH).table
        if np.array_equal(table["obj_id"], ids):
            return table
    if config.survey.bands != SDSS.bands:
        raise ValueError(f"survey {config.survey.name} is not simulated; --science needs galaxies of `photoz simulate`")
    parts = []
    with tqdm(total=len(ids), desc="known truth", unit=" galaxies", disable=not progress) as bar:
        for start in range(0, len(ids), N_AT_ONCE):
            rows = np.arange(start, min(start + N_AT_ONCE, len(ids)))
            parts.append(_measured(seen.rows(rows), score, config, n_steps))
            bar.update(len(rows))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns |= _swapped_bands(seen, score, config.survey.bands)
    table = Table({"obj_id": ids, "group_id": seen.columns["group_id"], "z_spec": seen.columns["z_spec"], **columns})
    table.meta["regions"] = ",".join(REGIONS)
    write_stored(folder, KNOWN_TRUTH, table, {})
    return table


def _measured(seen, score, config, n_steps):
    """Columns of some galaxies."""
    objects = [_known(obj_id, image, config) for obj_id, image in zip(seen.columns["obj_id"], seen.inputs["image"])]
    inputs = seen.inputs
    clean = score(inputs)
    masks = np.stack([_region_of(one) for one in objects])
    # What is compared with: the true sky of the stamp, its noise without any object.
    sky = np.stack([one.image - one.target - one.neighbours for one in objects])
    found = integrated_gradients(score, inputs, {"image": sky, "ebv": np.zeros_like(inputs["ebv"])}, n_steps)
    maps, light = np.abs(found["image"]), np.stack([np.maximum(one.target + one.neighbours, 0) for one in objects])
    columns = {"target": clean, "is_early": np.array([one.galaxy.is_early for one in objects])}
    shares = {"attribution": maps, "flux": light, "pixels": np.ones_like(maps)}
    for name, values in shares.items():
        total = values.sum(axis=(1, 2, 3))
        parts = [np.sum(values * (masks == number), axis=(1, 2, 3)) for number in range(len(REGIONS))]
        columns[f"{name}_share"] = np.stack(parts, axis=1) / np.maximum(total, 1e-30)[:, None]
    columns["attribution_sum"] = np.stack(
        [np.sum(found["image"] * (masks == number), axis=(1, 2, 3)) for number in range(len(REGIONS))], axis=1
    )
    columns["attribution_ebv"] = found["ebv"]
    for name, change in CHANGES.items():
        images, ebv, applies = change(objects, inputs["ebv"])
        moved = score({**inputs, "image": images.astype(np.float32), "ebv": ebv.astype(np.float32)}) - clean
        columns[name] = np.where(applies, moved, np.nan)
    return columns


def _known(obj_id, image, config):
    """The object of a stack, which must come out as it is in the dataset."""
    simulation = config.simulation
    made = KnownObject(obj_id, config.survey, simulation.deep_fraction)
    sigma = measure_sky(image[None])[1][0]
    scale = TOLERANCE * np.where(sigma > 0, sigma, 1)
    if made.image.shape != image.shape or np.any(np.abs(made.image - image) > scale):
        raise ValueError(
            f"galaxy {obj_id} of the dataset is not what this version simulates under its number; --science needs the "
            "dataset of `photoz simulate` with the run's simulation.deep_fraction and the survey's seeing"
        )
    return made


def _region_of(one):
    """Number of the region of each pixel in each band, shape (rows, columns, n_bands)."""
    sigma = measure_sky(one.image[None])[1][0]
    inside, other = one.target > ISOPHOTE * sigma, one.neighbours > ISOPHOTE * sigma
    region = np.where(2 * one.bulge > one.target, 0, 1)
    region = np.where(other & (one.neighbours > one.target), 2, region)
    return np.where(inside | other, region, 3)


def _every(images, ebv):
    return np.stack(images), ebv, np.ones(len(images), bool)


def _without_neighbours(objects, ebv):
    images, _, _ = _every([one.without_neighbours() for one in objects], ebv)
    return images, ebv, _have_neighbours(objects)


def _have_neighbours(objects):
    """Whether there is light of neighbours in a stamp to speak of."""
    r = SDSS.bands.index("r")
    sigma = [measure_sky(one.image[None])[1][0, r] for one in objects]
    return np.array([one.neighbours[..., r].sum() > NEIGHBOUR_SIGMA * noise for one, noise in zip(objects, sigma)])


def _inclined(objects, ebv, axis_ratio, with_dust):
    is_disk = np.array([not one.galaxy.is_early for one in objects])
    images = [one.inclined(axis_ratio, with_dust) if disk else one.image for one, disk in zip(objects, is_disk)]
    return np.stack(images), ebv, is_disk


# Name of each change -> (objects, E(B-V)) to images, E(B-V), and of which galaxies it says something.
CHANGES = {
    "without_neighbours": _without_neighbours,
    "face_on": partial(_inclined, axis_ratio=AXIS_RATIO[0], with_dust=False),
    "edge_on": partial(_inclined, axis_ratio=AXIS_RATIO[1], with_dust=False),
    "face_on_with_dust": partial(_inclined, axis_ratio=AXIS_RATIO[0], with_dust=True),
    "edge_on_with_dust": partial(_inclined, axis_ratio=AXIS_RATIO[1], with_dust=True),
    "dust_told": lambda objects, ebv: _every([one.image for one in objects], ebv + EBV),
    "dust_in_pixels": lambda objects, ebv: _every([one.reddened(EBV) for one in objects], ebv),
    "dust_in_both": lambda objects, ebv: _every([one.reddened(EBV) for one in objects], ebv + EBV),
    **{
        f"moved_{shift:g}": partial(
            lambda objects, ebv, shift: _every([one.moved(shift, 0.0) for one in objects], ebv), shift=shift
        )
        for shift in SHIFTS
    },
}


def _swapped_bands(seen, score, bands):
    """Change of the target when a band is that of another parent's galaxy, of each band."""
    clean, groups = score(seen.inputs), np.asarray(seen.columns["group_id"])
    order = np.roll(np.argsort(groups, kind="stable"), len(groups) // 2)
    partner = np.empty(len(groups), int)
    partner[np.argsort(groups, kind="stable")] = order
    columns, applies = {}, groups != groups[partner]
    for number, band in enumerate(bands):
        images = np.array(seen.inputs["image"])
        images[..., number] = images[partner, ..., number]
        moved = score({**seen.inputs, "image": images}) - clean
        columns[f"band_{band}_of_another"] = np.where(applies, moved, np.nan)
    return columns
