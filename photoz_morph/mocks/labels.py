"""Gini and M20 of a noiseless image, and the cuts that classify it as spiral, elliptical or merger.

`gini_m20` measures an image, `classify` turns the two numbers into a class. The image is one band, convolved with the
PSF and free of noise and sky, in any linear unit; the definitions are those of Lotz, Primack & Madau (2004),
in the order of operations of statmorph (Rodriguez-Gomez et al. 2019), against which the tests compare.
"""

import numpy as np

from photoz_morph.mocks.segment import galaxy_segment

CLASS_NAMES = ("spiral", "elliptical", "merger")
SPIRAL, ELLIPTICAL, MERGER = range(len(CLASS_NAMES))

MERGER_SLOPE, MERGER_GINI = -0.14, 0.33  # mergers: G > -0.14 M20 + 0.33, Lotz et al. (2008), Sec. 3.2
BULGE_SLOPE, BULGE_GINI = 0.14, 0.80  # E, S0 and Sa: G > 0.14 M20 + 0.80, Lotz et al. (2008), Sec. 3.2
BULGE_SCALE = 5.0  # F(G, M20) is five times the distance: Snyder et al. (2015), Eq. 3


def merger_statistic(gini, m20):
    """Perpendicular distance above the merger cut in the Gini-M20 plane, positive for mergers.

    Notes
    -----
    S(G, M20) = 0.139 M20 + 0.990 G - 0.327: Snyder et al. (2015), Rodriguez-Gomez et al. (2019), Sec. 4.4.
    """
    return (gini - MERGER_SLOPE * m20 - MERGER_GINI) / np.hypot(1, MERGER_SLOPE)


def bulge_statistic(gini, m20):
    """Five times the perpendicular distance above the elliptical cut in the Gini-M20 plane.

    Notes
    -----
    F(G, M20) = -0.693 M20 + 4.95 G - 3.96: Snyder et al. (2015), Rodriguez-Gomez et al. (2019), Sec. 4.4.
    """
    return BULGE_SCALE * (gini - BULGE_SLOPE * m20 - BULGE_GINI) / np.hypot(1, BULGE_SLOPE)


def boundary_distance(gini, m20):
    """Perpendicular distance to the nearer of the two cuts in the Gini-M20 plane."""
    return np.minimum(np.abs(merger_statistic(gini, m20)), np.abs(bulge_statistic(gini, m20)) / BULGE_SCALE)


def classify(gini, m20):
    """Class of each galaxy by the cuts of Lotz et al. (2008).

    Parameters
    ----------
    gini, m20 : ndarray, shape (n,)
        NaN, or an impossible value (the -99 of statmorph), where the measurement failed.

    Returns
    -------
    ndarray of int, shape (n,)
        Index into `CLASS_NAMES`; -1 where the measurement failed.
    """
    gini, m20 = np.asarray(gini, float), np.asarray(m20, float)
    label = np.where(bulge_statistic(gini, m20) > 0, ELLIPTICAL, SPIRAL)
    label = np.where(merger_statistic(gini, m20) > 0, MERGER, label)
    return np.where(is_measured(gini, m20), label, -1)


def is_measured(gini, m20):
    """True where Gini and M20 are possible values: G in [0, 1], M20 finite and above -10; shape (n,)."""
    with np.errstate(invalid="ignore"):
        return (gini >= 0) & (gini <= 1) & (m20 > -10) & np.isfinite(m20)


def gini_m20(image):
    """Gini coefficient and M20 of the galaxy that dominates a noise-free image.

    Parameters
    ----------
    image : ndarray, shape (n_rows, n_columns)
        Flux per pixel in any linear unit, convolved with the PSF, without noise or sky.

    Returns
    -------
    gini, m20 : float
        NaN where they could not be measured.
    ok : bool
        False for an image without light, with a pixel that is not finite, or whose galaxy does not fit in it.

    Notes
    -----
    Lotz, Primack & Madau (2004), Sec. 2, on the pixels of `photoz_morph.mocks.segment`.
    """
    failed = np.nan, np.nan, False
    image = np.asarray(image, float)
    if image.ndim != 2:
        raise ValueError(f"image has shape {image.shape}; give one band, (n_rows, n_columns)")
    if not np.isfinite(image).all() or image.max(initial=0) <= 0:
        return failed
    segment = galaxy_segment(image)
    if segment is None:
        return failed
    values = np.where(segment, image, 0)
    gini, m20 = gini_coefficient(values[segment]), second_moment_of_brightest(values)
    return (gini, m20, True) if is_measured(gini, m20) else failed


def gini_coefficient(values):
    """Gini coefficient of pixel values: 0 where all are equal, 1 where one has all the flux.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    float
        NaN for fewer than two values or no flux.

    Notes
    -----
    Lotz, Primack & Madau (2004), Eq. 6.
    """
    values = np.sort(np.abs(values))
    n = len(values)
    if n < 2 or values[-1] == 0:
        return np.nan
    return float((2 * np.arange(1, n + 1) - n - 1) @ values / ((n - 1) * values.sum()))


def second_moment_of_brightest(image):
    """M20: log10 of the second moment of the brightest pixels with 20 % of the flux over that of all pixels.

    Parameters
    ----------
    image : ndarray, shape (n_rows, n_columns)
        Flux per pixel, zero outside the galaxy's segment.

    Returns
    -------
    float
        NaN where a moment is not positive.

    Notes
    -----
    Lotz, Primack & Madau (2004), Eqs. 7 and 8. The centre that minimises the second moment is the flux-weighted mean.
    """
    rows, columns = np.nonzero(image)
    flux = image[rows, columns]
    total = flux.sum()
    if len(flux) == 0 or total <= 0:
        return np.nan
    moment = flux * ((rows - flux @ rows / total) ** 2 + (columns - flux @ columns / total) ** 2)
    bright_first = np.argsort(flux)[::-1]
    n_brightest = np.searchsorted(np.cumsum(flux[bright_first]), 0.2 * total, side="right") + 1
    brightest = moment[bright_first[:n_brightest]].sum()
    return float(np.log10(brightest / moment.sum())) if brightest > 0 and moment.sum() > 0 else np.nan
