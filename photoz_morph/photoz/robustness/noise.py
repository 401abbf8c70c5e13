"""What a pixel of a stack stands for: electrons, the noise of its sky, and how dark a pixel can be."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StackNoise:
    """Of galaxies; shapes (n, n_bands), NaN where unknown.

    Attributes
    ----------
    electrons_per_unit : ndarray
        Electrons, of all exposures of the stack together, in one image unit.
    sky_sigma : ndarray
        Standard deviation of a pixel of empty sky [image unit].
    sky : ndarray
        Sky that was subtracted from a pixel [image unit].
    """

    electrons_per_unit: np.ndarray
    sky_sigma: np.ndarray
    sky: np.ndarray

    def per_unit(self, measure):
        """Electrons, or standard deviations of the sky, in one image unit."""
        return self.electrons_per_unit if measure == "electrons" else 1 / self.sky_sigma

    def rows(self, rows):
        """That of some of the galaxies."""
        return StackNoise(self.electrons_per_unit[rows], self.sky_sigma[rows], self.sky[rows])


def stack_noise(survey, columns):
    """Noise of the stacks of galaxies of a prepared dataset.

    Parameters
    ----------
    survey : Survey
        Its `gain`, `sky_sigma` and `sky_brightness` where the description has them.
    columns : dict of str to ndarray, shape (n, n_bands)
        `n_frames` and `sky_sigma` of the galaxies where known; the mean of n exposures holds n times the electrons of
        one, and has the noise of one over sqrt(n).

    Returns
    -------
    StackNoise
    """
    n = len(columns["obj_id"])
    n_frames = _known(columns.get("n_frames"), np.ones((n, survey.n_bands)))
    unknown = np.full(survey.n_bands, np.nan)
    gain, sigma = (unknown if part is None else np.asarray(part, float) for part in (survey.gain, survey.sky_sigma))
    sky = unknown
    if survey.sky_brightness is not None:
        per_arcsec2 = 10 ** (-0.4 * (np.asarray(survey.sky_brightness, float) - survey.zero_point))
        sky = per_arcsec2 * survey.pixel_scale**2
    return StackNoise(
        gain * n_frames,
        _known(columns.get("sky_sigma"), sigma / np.sqrt(n_frames)),
        np.broadcast_to(sky, n_frames.shape),
    )


def check_noise(noise, survey, measure, is_unseen):
    """Raise a ValueError if a measure, or a criterion of what is seen, needs what the survey's description lacks."""
    needed = {"gain": measure == "electrons", "sky_sigma": measure == "sigma" or is_unseen}
    values = {"gain": noise.electrons_per_unit, "sky_sigma": noise.sky_sigma}
    for name, is_needed in needed.items():
        if is_needed and not np.all(np.isfinite(values[name]) & (values[name] > 0)):
            remedy = "take --measure sigma" if name == "gain" else "take --measure electrons without --unseen"
            raise ValueError(f"survey {survey.name}: its description has no {name}; add it there, or {remedy}")


def _known(values, default):
    """Values where they are known and positive, else others."""
    if values is None:
        return default
    values = np.asarray(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, default)
