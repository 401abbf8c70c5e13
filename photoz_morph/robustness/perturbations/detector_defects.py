"""Defects of a detector that reached the coadded image: hot and dead pixels, cosmic rays, bad columns, bleed trails.

A visit has one filter, so every defect is in one band, drawn for each galaxy. Severities are in electrons of the whole
exposure of that band, as one visit adds them to the sum of all. A defect lies on pixels of the camera: with binning
"sum" a stamp pixel gets all their electrons, with "sample" only those of the pixel that is kept, which is where the
defect is put. Functions take (images, obj_ids, severity, context, seed); see `registry`.
"""

import numpy as np

from photoz_morph.robustness.perturbations.observing import galaxy_rngs

# A minimum-ionising muon frees about 80 electrons per micrometre of silicon (Damerell 2009, lectures on silicon
# detectors). The CCDs are 100 um thick with pixels of 10 um (lsst.org, focal plane requirements).
ELECTRONS_PER_UM, THICKNESS_UM, PIXEL_UM = 80.0, 100.0, 10.0
FULL_WELL = 1e5  # e-, our choice: LSST prototypes are linear up to there (Baumer & Roodman 2015, abstract)
STEPS_PER_PIXEL = 10  # our choice: along a track


def hot_pixel(images, obj_ids, severity, context, seed=0):
    """One pixel of the camera in one band holds `severity` electrons too many."""
    band, row, column, _ = _places("hot_pixel", images, obj_ids, context, seed)
    return _deposited(images, band, row[:, None], column[:, None], np.full((len(images), 1), severity), context)


def dead_pixel(images, obj_ids, severity, context, seed=0):
    """One pixel of the camera in one band collects nothing during a fraction `severity` of the exposure.

    It lacks the galaxy's light and the sky's, while the sky that is subtracted is that of its neighbours. A visit of
    g is 1 / 80 of ten years, one of r or i 1 / 184.
    """
    band, row, column, _ = _places("dead_pixel", images, obj_ids, context, seed)
    galaxy = np.arange(len(images))
    value = images[galaxy, row // context.block, column // context.block, band].astype(float)
    collected = value / context.njy_per_electron[band] / context.n_pixels + context.sky_electrons[band]
    return _deposited(images, band, row[:, None], column[:, None], -severity * collected[:, None], context)


def cosmic_ray(images, obj_ids, severity, context, seed=0):
    """A muon leaves a straight track of `severity` electrons in one visit.

    The number of electrons is the length of its path through the silicon and so that of its track on the detector,
    sqrt(path^2 - thickness^2): 10,000 electrons are 7.5 camera pixels, 100,000 are 125. Charges do not diffuse.
    The direction on the detector is uniform and the middle of the track in the stamp.
    """
    band, row, column, rngs = _places("cosmic_ray", images, obj_ids, context, seed)
    angle = np.array([rng.uniform(0, 2 * np.pi) for rng in rngs])
    path_um = severity / ELECTRONS_PER_UM
    length = np.sqrt(max(path_um**2 - THICKNESS_UM**2, 0)) / PIXEL_UM
    along = np.linspace(-length / 2, length / 2, int(np.ceil(STEPS_PER_PIXEL * length)) + 1)
    rows = np.floor(row[:, None] + 0.5 + np.sin(angle)[:, None] * along).astype(int)
    columns = np.floor(column[:, None] + 0.5 + np.cos(angle)[:, None] * along).astype(int)
    return _deposited(images, band, rows, columns, np.full(rows.shape, severity / len(along)), context)


def bad_column(images, obj_ids, severity, context, seed=0):
    """Every pixel of one column of the camera in one band holds `severity` electrons too many."""
    band, _, column, _ = _places("bad_column", images, obj_ids, context, seed)
    rows = np.broadcast_to(np.arange(images.shape[1] * context.block), (len(images), images.shape[1] * context.block))
    columns = np.broadcast_to(column[:, None], rows.shape)
    return _deposited(images, band, rows, columns, np.full(rows.shape, severity), context)


def saturation_bleed(images, obj_ids, severity, context, seed=0):
    """A bleed trail of `severity` electrons enters in one visit, from a saturated star above or below the stamp.

    The charge that overflowed fills one pixel of the column after the other to the full well of 100,000 electrons, so
    a million electrons are a trail of ten camera pixels; what is left after the last row leaves the stamp.
    """
    band, _, column, rngs = _places("saturation_bleed", images, obj_ids, context, seed)
    height = images.shape[1] * context.block
    from_above = np.array([rng.integers(2) for rng in rngs])
    filled = np.clip(severity - FULL_WELL * np.arange(height), 0, FULL_WELL)
    rows = np.where(from_above[:, None], np.arange(height)[::-1], np.arange(height))
    columns = np.broadcast_to(column[:, None], rows.shape)
    return _deposited(images, band, rows, columns, np.broadcast_to(filled, rows.shape), context)


def _places(kind, images, obj_ids, context, seed):
    """Band, camera row and camera column of each galaxy's defect, each of shape (n,), and the generators behind them.

    Rows and columns are those of the pixel that "sample" keeps of a block; stamp pixels are equally likely.
    """
    rngs = galaxy_rngs(kind, obj_ids, seed)
    drawn = np.array([rng.integers((images.shape[3], images.shape[1], images.shape[2])) for rng in rngs])
    band, row, column = drawn.reshape(-1, 3).T
    return band, row * context.block + context.block // 2, column * context.block + context.block // 2, rngs


def _deposited(images, band, rows, columns, electrons, context):
    """Images with electrons added to pixels of the camera.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
    band : ndarray of int, shape (n,)
    rows, columns : ndarray of int, shape (n, n_hits)
        On the camera; those beyond the stamp are left out.
    electrons : ndarray, shape (n, n_hits)
    context : ObservingContext
    """
    block = context.block
    inside = (rows >= 0) & (rows < images.shape[1] * block) & (columns >= 0) & (columns < images.shape[2] * block)
    if context.binning == "sample":
        inside &= (rows % block == block // 2) & (columns % block == block // 2)
    galaxy, hit = np.nonzero(inside)
    flux = electrons[galaxy, hit] * context.njy_per_electron[band[galaxy]]
    perturbed = images.astype(np.float64)
    stamp_pixels = (galaxy, rows[galaxy, hit] // block, columns[galaxy, hit] // block, band[galaxy])
    np.add.at(perturbed, stamp_pixels, flux)
    return perturbed.astype(np.float32)
