"""Fluxes and shapes of detected sources in every band, in apertures of the detection image (SExtractor's dual mode).

A source has its flux within the Kron ellipse (FLUX_AUTO), with a choice of what to do about pixels of other sources,
and within its own pixels (FLUX_ISO). Colours, radii, concentration and asymmetry are what a classifier learns from.
"""

import numpy as np
import sep
from scipy import ndimage

from photoz_morph.blend.baselines.detection import SepSettings, detect, detection_image, subtract_background
from photoz_morph.blend.scenes.scene import sigma_map

KRON_FACTOR = 2.5  # of the Kron radius: PHOT_AUTOPARAMS of SExtractor
KRON_LIMIT = 6.0  # radii within which it is measured; likewise
MIN_RADIUS = 1.75  # pixel; a smaller ellipse is a circle of this: half of SExtractor's PHOT_AUTOPARAMS 3.5
FRACTIONS = (0.2, 0.5, 0.8)  # of the flux within the radii; Conselice (2003), Eq. 10, for the concentration
COLUMNS = {
    "flux": "bands", "flux_error": "bands", "flux_segment": "bands", "flux_segment_error": "bands", "kron_radius": (),
    "radii": (len(FRACTIONS),), "asymmetry": (),
}  # fmt: skip


def measured_sources(image, sigma=None, settings=SepSettings(), mesh=64):
    """Detect and measure the sources of an image.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands), optional
        Noise of an image whose sky is subtracted; by default sky and noise are measured.
    settings : SepSettings
    mesh : int
        Side of the meshes of the sky [pixel]; see `detection.subtract_background`.

    Returns
    -------
    sources : Table
    segmentation : ndarray of int32, shape (height, width)
        As from `measure` and `detection.detect`.
    """
    if sigma is None:
        image, sigma = subtract_background(image, ~np.isfinite(image).all(axis=-1), mesh)
    sources, segmentation = detect(image, sigma, settings)
    return measure(image, sigma, sources, segmentation, settings), segmentation


def sources_of(job):
    """`measured_sources` of the arguments in a tuple, for worker processes, which need no TensorFlow for it."""
    return measured_sources(*job)


def measure(image, sigma, sources, segmentation, settings=SepSettings()):
    """Add fluxes and shapes to a table of sources.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
        Sky subtracted.
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
    sources : Table
        From `detection.detect` with the same settings; a copy is returned.
    segmentation : ndarray of int, shape (height, width)
    settings : SepSettings

    Returns
    -------
    Table
        With `flux`, `flux_error` of the Kron ellipse and `flux_segment`, `flux_segment_error` of the source's own
        pixels, each of shape (n_bands,) [unit of the image]; `kron_radius` [a, b]; `radii`, shape (3,) [pixel], of the
        circles with a fifth, half and four fifths of the flux of the detection image, NaN where that is not positive;
        `asymmetry`.
    """
    image, sources = np.asarray(image, float), sources.copy()
    n_bands = image.shape[-1]
    pixels, _, is_bad = detection_image(image, sigma, settings.combine)
    noise = np.where(is_bad[..., None], 1, sigma_map(sigma, image.shape)).astype(np.float32)
    planes = np.concatenate([np.where(is_bad[..., None], 0, image), pixels[..., None]], axis=-1).astype(np.float32)
    boxes = [box or (slice(0, 0),) * 2 for box in ndimage.find_objects(segmentation, len(sources))]
    rows = [
        _measure_one(planes, noise, is_bad, segmentation, number, source, box, settings.mask_type)
        for number, (source, box) in enumerate(zip(sources, boxes), start=1)
    ]
    for name, shape in COLUMNS.items():
        shape = (n_bands,) if shape == "bands" else shape
        sources[name] = np.array([row[name] for row in rows], float).reshape(len(sources), *shape)
    return sources


def _measure_one(planes, noise, is_bad, segmentation, number, source, box, mask_type):
    """Measurements of one source as a dict; the last of the planes is the detection image."""
    y, x, a, b, theta = (float(source[name]) for name in ("y", "x", "a", "b", "theta"))

    def around(half, first=0):
        """Planes without the neighbours, bad pixels, and the source's position in a window around it."""
        window = tuple(slice(max(int(place - half), 0), int(place + half) + 2) for place in (y, x))
        place = [y - window[0].start, x - window[1].start]
        own = without_others(planes[window][..., first:], segmentation[window], number, *place, mask_type)
        bands = [np.ascontiguousarray(plane) for plane in np.moveaxis(own, -1, 0)]
        return window, bands, np.ascontiguousarray(is_bad[window]), [[place[1]], [place[0]]]

    _, bands, mask, place = around(KRON_LIMIT * a, first=-1)
    kron = float(sep.kron_radius(bands[0], *place, [a], [b], [theta], KRON_LIMIT, mask=mask)[0][0])
    ellipse = [KRON_FACTOR * kron * a, KRON_FACTOR * kron * b, theta]
    if not kron * np.sqrt(a * b) >= MIN_RADIUS:  # NaN too, where the flux of the ellipse is negative
        ellipse = [MIN_RADIUS, MIN_RADIUS, 0.0]
    limit = max(ellipse[0], 2 * MIN_RADIUS)
    window, bands, mask, place = around(limit)
    errors = [*(np.ascontiguousarray(plane) for plane in np.moveaxis(noise[window], -1, 0)), 1.0]
    sums = [  # of whole pixels, as in SExtractor
        sep.sum_ellipse(plane, *place, *ellipse, 1.0, err=error, mask=mask, subpix=1)[:2]
        for plane, error in zip(bands, errors)
    ]
    flux, error = np.array(sums)[..., 0].T
    radii = np.full(len(FRACTIONS), np.nan)
    if flux[-1] > 0:
        radii = sep.flux_radius(bands[-1], *place, [limit], FRACTIONS, normflux=[flux[-1]], mask=mask, subpix=5)[0][0]
    inside = segmentation[box] == number
    return {
        "flux": flux[:-1], "flux_error": error[:-1], "kron_radius": kron, "radii": radii,
        "flux_segment": planes[box][inside][:, :-1].sum(axis=0, dtype=float),
        "flux_segment_error": np.sqrt(np.sum(noise[box][inside] ** 2, axis=0, dtype=float)),
        "asymmetry": _asymmetry(planes[..., -1], segmentation, box, number, y, x),
    }  # fmt: skip


def without_others(image, segmentation, number, y, x, mask_type):
    """Image of a source whose neighbours are left in it, blanked, or replaced (MASK_TYPE of SExtractor).

    Parameters
    ----------
    image : ndarray, shape (height, width, n_planes)
    segmentation : ndarray of int, shape (height, width)
    number : int
        The source's in the map.
    y, x : float
        Its centre [pixel].
    mask_type : {"correct", "blank", "none"}
        Pixels of other sources become those on the opposite side of the source, 0 where these are of another source
        too or outside; become 0; or stay.

    Returns
    -------
    ndarray, shape (height, width, n_planes)
    """
    is_other = (segmentation != number) & (segmentation != 0)
    if mask_type == "none" or not is_other.any():
        return image
    own = np.where(is_other[..., None], 0, image)
    if mask_type == "correct":
        rows, columns = np.nonzero(is_other)
        opposite = _opposite(rows, columns, y, x)
        inside = _inside(opposite, is_other.shape)
        own[rows[inside], columns[inside]] = own[tuple(opposite[:, inside])]
    return own


def _opposite(rows, columns, y, x):
    """Pixels on the other side of a position, shape (2, n)."""
    return np.rint(2 * np.array([[y], [x]])).astype(int) - np.stack([rows, columns])


def _inside(pixels, shape):
    """Whether pixels, shape (2, n), are in an image."""
    return ((pixels >= 0) & (pixels < np.array(shape)[:, None])).all(axis=0)


def _asymmetry(pixels, segmentation, box, number, y, x):
    """Half the difference of a source and its turned image over its flux, in its own pixels (Conselice 2003, Eq. 4)."""
    rows, columns = np.nonzero(segmentation[box] == number)
    rows, columns = rows + box[0].start, columns + box[1].start
    opposite = _opposite(rows, columns, y, x)
    there, inside = np.zeros(len(rows)), _inside(opposite, pixels.shape)
    there[inside] = pixels[tuple(opposite[:, inside])]
    own = pixels[rows, columns].astype(float)
    total = np.abs(own).sum()
    return np.abs(own - there).sum() / (2 * total) if total > 0 else np.nan
