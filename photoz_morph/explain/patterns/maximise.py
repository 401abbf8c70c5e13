"""Images that a network answers with more of a target: activation maximisation.

From noise it is the network's idea of a class or redshift; from a galaxy, the change that would raise its redshift.
What changes is counted in sigma of the sky, so that all bands weigh alike, and images stay in the unit of the survey.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.explain.gradients import BATCH_SIZE, Score, named, unnamed
from photoz_morph.explain.patterns.regularisers import blurred, rolled, streams

MOMENTUM, SCATTER, TINY = 0.9, 0.999, 1e-12  # Adam's (Kingma & Ba 2015), whose step is the same for any size of target


@dataclass(frozen=True)
class Maximised:
    """Images made for a target.

    Attributes
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
        [image unit]
    change : ndarray, shape (n, rows, columns, n_bands)
        From the start [sigma of the sky].
    before, after : ndarray, shape (n,)
        Target at the start and of the images, without any shift.
    """

    images: np.ndarray
    change: np.ndarray
    before: np.ndarray
    after: np.ndarray


def maximise(
    network, target, inputs, sky_sigma, weight=1e-5, from_start=True, n_steps=200, step=0.1, jitter=0, blur_sigma=0.0,
    blur_every=10, limit=None, objects=None, seed=0, image="image", batch_size=BATCH_SIZE,
):  # fmt: skip
    """Change images so that a target becomes as large as a penalty on the change allows.

    Parameters
    ----------
    network : callable
        See `gradients.Score`.
    target : callable
        See `targets`; the negative of one lowers it.
    inputs : ndarray or dict of ndarray
        Where to start, such as `regularisers.sky_noise` or galaxies; what is not the image stays.
    sky_sigma : array_like, shape (n_bands,)
        [image unit]
    weight : float
        lambda, of the sum over all pixels and bands of the squares that are penalised [target per sigma^2].
    from_start : bool
        Whether squares are of the change, which asks for the least change of a galaxy; else of the image itself, which
        asks for the faintest image.
    n_steps : int
    step : float
        First step of a pixel [sigma of the sky]; steps become smaller as a cosine does.
    jitter : int
        Largest shift, anew in each step, under which the image must hold [pixel].
    blur_sigma : float
        Width of a Gaussian by which the change is blurred [pixel].
    blur_every : int
        Steps from one blurring to the next; the last tenth of the steps has none.
    limit : float, optional
        Largest change of a pixel [sigma of the sky].
    objects : ndarray of int, shape (n,), optional
        Identifiers, on which the shifts depend; by default 0, 1 ...
    seed : int
    image : str
        Name of the image among the inputs.
    batch_size : int

    Returns
    -------
    Maximised

    Raises
    ------
    ValueError
        If a number is out of range, the bands are others, or the target is not finite at the start.

    Notes
    -----
    arg max S(I) - lambda ||I||^2 (Simonyan, Vedaldi & Zisserman 2014, Eq. 1), with the jitter of Mordvintsev, Olah &
    Tyka (2015) and the blurring of Yosinski et al. (2015), by Adam.
    """
    given = named(inputs)
    name = image if image in given else next(iter(given))
    start, sky_sigma = np.asarray(given[name], np.float64), np.asarray(sky_sigma, np.float64)
    _check(start, sky_sigma, weight, n_steps, step, jitter, blur_sigma, blur_every)
    objects = np.arange(len(start)) if objects is None else np.asarray(objects)
    shifts_of = streams(objects, seed, "jitter")
    score = Score(network, target, batch_size)

    def with_image(images):
        return unnamed({**given, name: images.astype(np.float32)}, inputs)

    before = score(inputs)
    if not np.isfinite(before).all():
        bad = int(np.argmin(np.isfinite(before)))
        raise ValueError(f"the target of galaxy {objects[bad]} is {before[bad]} at the start; check its inputs")
    change = np.zeros_like(start)
    mean, scatter = np.zeros_like(start), np.zeros_like(start)
    for number in range(n_steps):
        images = start + change * sky_sigma
        shifts = np.stack([rng.integers(-jitter, jitter + 1, 2) for rng in shifts_of])
        _, gradient = score.value_and_gradient(with_image(rolled(images, shifts)))
        slope = rolled(np.asarray(named(gradient)[name], np.float64), -shifts) * sky_sigma
        slope -= 2 * weight * (change if from_start else images / sky_sigma)
        mean += (1 - MOMENTUM) * (slope - mean)
        scatter += (1 - SCATTER) * (slope**2 - scatter)
        direction = mean / (1 - MOMENTUM ** (number + 1))
        direction /= np.sqrt(scatter / (1 - SCATTER ** (number + 1))) + TINY
        change += step * (1 + np.cos(np.pi * number / n_steps)) / 2 * direction
        if blur_sigma and (number + 1) % blur_every == 0 and number < 0.9 * n_steps:
            change = blurred(change, blur_sigma)
        if limit is not None:
            change = np.clip(change, -limit, limit)
    images = (start + change * sky_sigma).astype(np.float32)
    return Maximised(images, change.astype(np.float32), before, score(with_image(images)))


def _check(start, sky_sigma, weight, n_steps, step, jitter, blur_sigma, blur_every):
    """Raise a ValueError for numbers out of range."""
    if start.ndim != 4 or sky_sigma.shape != start.shape[-1:]:
        raise ValueError(f"sky_sigma has shape {sky_sigma.shape}, the images {start.shape}; give one value a band")
    if not (np.isfinite(sky_sigma) & (sky_sigma > 0)).all():
        raise ValueError(f"sky_sigma is {sky_sigma.tolist()}; it must be positive in each band")
    lowest = {"weight": (weight, 0), "n_steps": (n_steps, 1), "jitter": (jitter, 0), "blur_sigma": (blur_sigma, 0),
              "blur_every": (blur_every, 1)}  # fmt: skip
    for name, (value, least) in lowest.items():
        if not value >= least:
            raise ValueError(f"{name} is {value}; it must be at least {least}")
    if not step > 0:
        raise ValueError(f"step is {step}; it must be positive")
