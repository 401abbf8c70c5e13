"""Physical perturbations of galaxy images, with severities in the units of a detector.

`PERTURBATIONS` holds each kind by name. A kind is a function from images in nJy, as of `mocks.observe`, to
images; its effect on a galaxy depends on (seed, kind, obj_id) and the severity alone. Hot and dead
pixels, cosmic rays, columns and trails are in `detector_defects`, all else in `image_changes`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photoz_morph.robustness.perturbations import detector_defects as defects
from photoz_morph.robustness.perturbations import image_changes as changes
from photoz_morph.robustness.perturbations.observing import ObservingContext, observing_context

__all__ = ["PERTURBATIONS", "ObservingContext", "Perturbation", "observing_context", "perturb", "perturbation_examples"]


@dataclass(frozen=True)
class Perturbation:
    """A kind of perturbation.

    Attributes
    ----------
    name, title, unit : str
        Key, name in figures, and unit of the severity.
    severities : tuple of float
        From mild to severe; our choice.
    none : float
        Severity that leaves images unchanged.
    function : callable
        (images, obj_ids, severity, context, seed) to images; see `perturb`.
    """

    name: str
    title: str
    unit: str
    severities: tuple
    none: float
    function: Callable


_KINDS = (
    # To be compared with the noise of a camera pixel of sky in ten years: 175, 377 and 446 e- in g, r and i.
    ("hot_pixel", "hot pixel", "electrons", (1e3, 3e3, 1e4, 3e4, 1e5), 0, defects.hot_pixel),
    ("dead_pixel", "dead pixel", "fraction of the exposure", (0.01, 0.03, 0.1, 0.3, 1), 0, defects.dead_pixel),
    ("cosmic_ray", "cosmic-ray track", "electrons", (1e4, 2e4, 5e4, 1e5, 2e5), 0, defects.cosmic_ray),
    ("bad_column", "bad column", "electrons per camera pixel", (1e2, 3e2, 1e3, 3e3, 1e4), 0, defects.bad_column),
    ("saturation_bleed", "bleed trail", "electrons", (1e6, 3e6, 1e7, 2e7, 5e7), 0, defects.saturation_bleed),
    ("bit_flip", "bit flip", "bit (1 the lowest of 32)", (4, 8, 12, 16, 20), 0, changes.bit_flip),
    ("rice", "RICE compression", r"step [noise $\sigma$]", (1 / 16, 1 / 4, 1, 2, 4), 0, changes.rice),
    ("jpeg", "JPEG", "quality", (95, 75, 50, 25, 10), 100, changes.jpeg),
    ("background", "background offset", r"offset [$\sigma_\mathrm{sky}$]", (0.1, 0.3, 1, 2, 3), 0, changes.background),
    ("psf", "PSF broadening", "FWHM [arcsec]", (0.5, 1, 1.5, 2, 3), 0, changes.psf),
    ("exposure", "shorter exposure", "years", (8, 5, 3, 2, 1), 10, changes.exposure),
    ("shift", "astrometric shift", "shift [arcsec]", (0.2, 0.5, 1, 2, 5), 0, changes.shift),
)
PERTURBATIONS = {kind[0]: Perturbation(*kind) for kind in _KINDS}


def perturb(name, images, obj_ids, severity, context, seed=0):
    """Images under one perturbation.

    Parameters
    ----------
    name : str
        A key of `PERTURBATIONS`.
    images : ndarray, shape (n, size, size, n_bands)
        [nJy]
    obj_ids : ndarray of int, shape (n,)
        Not negative.
    severity : float
        In the unit of the kind; `none` leaves the images unchanged.
    context : ObservingContext
        How the images were observed.
    seed : int

    Returns
    -------
    ndarray, shape (n, size, size, n_bands), float32
        NaN throughout an image with a pixel that is not finite.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if name not in PERTURBATIONS:
        raise ValueError(f"no perturbation {name!r}; there are {', '.join(PERTURBATIONS)}")
    kind, images = PERTURBATIONS[name], np.asarray(images, np.float32)
    if severity == kind.none:
        return images.copy()
    bad = ~np.isfinite(images).all(axis=(1, 2, 3))  # integers of a FITS or JPEG file cannot hold NaN
    changed = kind.function(np.where(bad[:, None, None, None], 0, images), obj_ids, severity, context, seed)
    changed[bad] = np.nan
    return changed


def perturbation_examples(image, obj_id, context, seed=0):
    """One galaxy under every kind at each of its severities.

    Parameters
    ----------
    image : ndarray, shape (size, size, n_bands)
        [nJy]
    obj_id : int
    context : ObservingContext
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n_severities, size, size, n_bands)
        By the name of the kind.
    """
    examples = {}
    for name, kind in PERTURBATIONS.items():
        each = [perturb(name, image[None], [obj_id], severity, context, seed)[0] for severity in kind.severities]
        examples[name] = np.stack(each)
    return examples
