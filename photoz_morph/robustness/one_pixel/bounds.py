"""Bounds of the values of an attacked pixel: those of the data, of a detector, or of the paper."""

import numpy as np

from photoz_morph.robustness.one_pixel.searches import Bounds

HELP = "data, paper, sigma:NUMBER or electrons:NUMBER"


def check_bounds(spec):
    """Kind and number of a specification such as "data" or "sigma:30".

    Parameters
    ----------
    spec : str

    Returns
    -------
    kind : {"data", "paper", "sigma", "electrons"}
    number : float or None

    Raises
    ------
    ValueError
        If it is not a specification.
    """
    kind, _, number = str(spec).partition(":")
    try:
        number = float(number) if number else None
    except ValueError:
        number = np.nan
    if kind in ("data", "paper") and number is None:
        return kind, None
    if kind in ("sigma", "electrons") and number is not None and 0 < number < np.inf:
        return kind, number
    raise ValueError(f"bounds are {spec!r}; give {HELP}, the number above 0")


def pixel_bounds(spec, low, high, softening=None, context=None, visible=(-np.inf, np.inf)):
    """Bounds of a pixel, within the values that the network can tell apart.

    Parameters
    ----------
    spec : str
        "data": between the faintest and the brightest pixel of the images, band by band. "paper": the range [0, 1] of
        the published code, in whose scaling no flux is 0.5 and (arcsinh(flux / softening) + 1) / 2 the rest, so from
        -1.18 to 1.18 softenings, deeper below the sky than any real pixel; a network that clips its images, as the
        published one does, sees less of it. "sigma:30": within 30 standard deviations
        of the sky on either side of it. "electrons:1e5": from a pixel that recorded nothing, not even the sky, to one
        that recorded so many electrons more than the sky in the whole exposure.
    low, high : array_like, shape (n_bands,)
        Range of the pixels of the images [nJy].
    softening : float, optional
        Of the arcsinh scaling of the network [nJy]; values between the bounds are spread as it sees them.
    context : ObservingContext, optional
        Of the images; for sigma and electrons.
    visible : tuple of float
        Values at which the network clips its images [nJy]. Beyond them all values look the same to it, and the queries
        of a search that went there would be wasted.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        If the specification is invalid, needs a scaling or a context that is missing, or nothing within the bounds is
        visible.
    """
    kind, number = check_bounds(spec)
    if kind == "paper":
        if softening is None:
            raise ValueError("bounds paper are of an arcsinh scaling, which this network does not have; take data")
        low = np.full(len(low), -np.sinh(1) * softening)
        high = -low
    elif kind != "data":
        if context is None:
            raise ValueError(f"bounds {spec}: nothing is known of the electrons of these images; take data")
        if kind == "sigma":
            low, high = -number * context.sky_sigma, number * context.sky_sigma
        else:
            low = -context.sky_electrons * context.n_pixels * context.njy_per_electron
            high = number * context.njy_per_electron
    low, high = (np.clip(np.asarray(value, float), *visible) for value in (low, high))
    if np.all(low == high):
        raise ValueError(
            f"bounds {spec}: the network clips its images at {visible[0]:.3g} and {visible[1]:.3g} and sees "
            "nothing of these values; take data"
        )
    return Bounds(low, high, softening)
