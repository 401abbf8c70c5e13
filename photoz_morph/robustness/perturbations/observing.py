"""Stamps in terms of the camera: electrons, sky and pixels of the exposure.

`mocks.observe` turns electrons into stamps; `ObservingContext` converts back. All arrays have one entry per band.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from photoz_morph.mocks.exposure import check_observing, electron_rate, sky_rate, stamp_binning
from photoz_morph.surveys import VisitSurvey, get_survey


@dataclass(frozen=True)
class ObservingContext:
    """Observing conditions of a set of stamps.

    Attributes
    ----------
    survey : VisitSurvey
    years : float
        Years of observation summed in the stamps.
    binning : {"sample", "sum"}
        See `mocks.observe`.
    field_kpc : float
        Side of a stamp at the distance of the scenes.
    """

    survey: VisitSurvey
    years: float = 10
    binning: str = "sample"
    field_kpc: float = 100.0

    def __post_init__(self):
        check_observing(self.survey, [self.years], self.binning, self.field_kpc)

    @property
    def block(self):
        """Camera pixels along the side of a stamp pixel."""
        return stamp_binning(self.field_kpc, self.survey)

    @property
    def pixel_arcsec(self):
        """Side of a stamp pixel [arcsec]."""
        return self.block * self.survey.pixel_scale

    @property
    def n_pixels(self):
        """Camera pixels whose electrons a stamp pixel holds: one of a block if sampled, all of them if summed."""
        return 1 if self.binning == "sample" else self.block**2

    @property
    def njy_per_electron(self):
        """Flux of a stamp pixel [nJy] that one electron of the whole exposure stands for."""
        weight = self.block**2 / self.n_pixels
        return weight / (electron_rate(self.survey) * self._exposure_s)

    @property
    def sky_electrons(self):
        """Electrons of the sky in a camera pixel, in the whole exposure."""
        return sky_rate(self.survey) * self._exposure_s

    @property
    def read_variance(self):
        """Variance of the read noise of a camera pixel, in the whole exposure [e-^2]."""
        return self.survey.visits(self.years) * self.survey.read_noise**2

    @property
    def sky_sigma(self):
        """Standard deviation of a stamp pixel of empty sky [nJy]."""
        return np.sqrt(self.n_pixels * (self.sky_electrons + self.read_variance)) * self.njy_per_electron

    @property
    def _exposure_s(self):
        return self.survey.visits(self.years) * self.survey.visit_time_s


def observing_context(dataset, survey, years=10):
    """Context of the stamps of a prepared dataset.

    Parameters
    ----------
    dataset : dict
        From `dataset.json` of a run folder: "path", and "mocks" with the header of its mocks.
    survey : str
    years : float

    Returns
    -------
    ObservingContext

    Raises
    ------
    ValueError
        If the dataset does not say how its stamps were binned, as released arrays do not.
    """
    mocks = dataset.get("mocks", {})
    missing = [name for name in ("binning", "fieldkpc") if name not in mocks]
    if missing:
        raise ValueError(
            f"{dataset['path']}: does not say {' and '.join(missing)} of its stamps, so that nothing is known of their "
            "electrons; take a run trained on the output of `morph mock`, or for an attack --bounds data"
        )
    return ObservingContext(get_survey(survey), years, mocks["binning"], float(mocks["fieldkpc"]))


def galaxy_rngs(kind, obj_ids, seed):
    """Random generator of each galaxy for a kind of perturbation, independent of other galaxies, kinds and severities.

    The same pixel is hit at every severity, so that a curve against severity differs in the severity alone.
    """
    stream = zlib.crc32(kind.encode())
    return [np.random.default_rng([seed, stream, int(obj_id)]) for obj_id in obj_ids]
