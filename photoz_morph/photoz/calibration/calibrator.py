"""Calibrator of redshift PDFs: pooling, temperature, recalibration and conformal intervals, of arrays.

    calibrator, report = fit_calibrator(pdf, z_spec, grid)
    calibrated = calibrator.pdf(new_pdf, grid)

takes anybody's PDFs on a `RedshiftGrid`, one for each galaxy or one of each member of an ensemble. The galaxies it is
fitted to must not be among those the PDFs were trained on. All scores that it reports, and the conformal intervals, are
cross-fitted: each galaxy is calibrated by the others.
"""

from dataclasses import dataclass, field

import numpy as np

from photoz_morph.metrics.checks import checked, checked_pdf
from photoz_morph.metrics.redshifts.pdf_scores import crps
from photoz_morph.metrics.redshifts.pdf_scores import pit as pit_of
from photoz_morph.metrics.redshifts.pit_tests import pit_ks
from photoz_morph.metrics.redshifts.point_scores import residuals
from photoz_morph.photoz.calibration.conformal import LEVELS, conformal_bounds, conformal_radius
from photoz_morph.photoz.calibration.pit_map import PitMap, choose_pit_map, fit_pit_map
from photoz_morph.photoz.calibration.pooling import choose_pooling, fit_temperature, log_scores, pooled, tempered

N_PARTS = 5  # of the cross-validation
MIN_GROUPS = 2 * N_PARTS  # galaxies of different parents


@dataclass(frozen=True)
class Calibrator:
    """What turns the PDFs of an ensemble into calibrated ones.

    Attributes
    ----------
    pooling : str
        See `pooling.POOLINGS`.
    temperature : float
    pit_map : PitMap
    radii : dict of float to float
        Of the conformal intervals, by level.
    """

    pooling: str = "arithmetic"
    temperature: float = 1.0
    pit_map: PitMap = field(default_factory=PitMap)
    radii: dict = field(default_factory=dict)

    def pdf(self, member_pdf, grid):
        """Calibrated PDFs.

        Parameters
        ----------
        member_pdf : ndarray, shape (n_members, n, n_bins) or (n, n_bins)
        grid : RedshiftGrid

        Returns
        -------
        ndarray, shape (n, n_bins), float64
            NaN where the PDF of a member is.
        """
        pdf = pooled(_members(member_pdf), self.pooling)
        return self.pit_map.pdf(tempered(pdf, self.temperature), grid)

    def bounds(self, pdf, grid):
        """Ends of the conformal intervals of calibrated PDFs; see `conformal.conformal_bounds`."""
        return conformal_bounds(pdf, grid, self.radii)


def fit_calibrator(member_pdf, z_spec, grid, group_id=None, levels=LEVELS):
    """Fit a calibrator to galaxies with known redshift.

    Parameters
    ----------
    member_pdf : ndarray, shape (n_members, n, n_bins) or (n, n_bins)
        PDFs of each member, or one for each galaxy.
    z_spec : ndarray, shape (n,)
        On the grid.
    grid : RedshiftGrid
    group_id : ndarray, shape (n,), optional
        Same for all copies of one parent, which are calibrated together.
    levels : sequence of float
        Stated coverage of the conformal intervals.

    Returns
    -------
    calibrator : Calibrator
    report : dict
        `n_galaxies`, `n_groups`, `pooling_scores`, `map_gains` (see `choose_pit_map`), `before` and `after` with the
        `crps`, `log_score`, `pit_ks`, `pit_sd` and `bias` of the arithmetic mean and of the cross-fitted PDFs.
    cross_fitted : ndarray, shape (n, n_bins)
        PDF of each galaxy by a calibrator fitted to the others.

    Raises
    ------
    ValueError
        If the input is empty, not finite, of the wrong shape or outside the grid, or of too few galaxies.
    """
    member_pdf, z_spec = _members(member_pdf), checked(z_spec, "z_spec")
    for pdf in member_pdf:
        checked_pdf(pdf, grid)
    if z_spec.shape != (member_pdf.shape[1],):
        raise ValueError(f"z_spec has shape {z_spec.shape}, the {member_pdf.shape[1]} PDFs need one each")
    grid.bin_index(z_spec)
    part, n_groups = _parts(group_id, len(z_spec))
    pooling, scores = choose_pooling(member_pdf, z_spec, grid)
    mean = pooled(member_pdf, pooling)
    fitted = tempered(mean, scores[pooling]["temperature"])
    kind, prior, gains = choose_pit_map(fitted, pit_of(z_spec, fitted, grid), grid, part)

    def fit(rows):
        temperature = fit_temperature(mean[rows], z_spec[rows], grid)
        warmed = tempered(mean[rows], temperature)
        return Calibrator(
            pooling, temperature, fit_pit_map(warmed, pit_of(z_spec[rows], warmed, grid), grid, kind, prior)
        )

    cross_fitted = np.empty_like(mean)
    for left_out in np.unique(part):
        rows = part == left_out
        cross_fitted[rows] = fit(~rows).pdf(member_pdf[:, rows], grid)
    whole, pit = fit(np.ones(len(part), bool)), pit_of(z_spec, cross_fitted, grid)
    calibrator = Calibrator(
        pooling, whole.temperature, whole.pit_map, {level: conformal_radius(pit, level) for level in levels}
    )
    report = {
        "n_galaxies": len(z_spec), "n_groups": n_groups, "pooling_scores": scores, "map_gains": gains,
        "before": scores_of(z_spec, pooled(member_pdf, "arithmetic"), grid),
        "after": scores_of(z_spec, cross_fitted, grid),
    }  # fmt: skip
    return calibrator, report, cross_fitted


def scores_of(z_spec, pdf, grid):
    """Scores of PDFs that calibration is about: a dict of str to float."""
    pit = pit_of(z_spec, pdf, grid)
    return {
        "crps": float(crps(z_spec, pdf, grid).mean()),
        "log_score": float(log_scores(z_spec, pdf, grid).mean()),
        "pit_ks": float(pit_ks(pit)),
        "pit_sd": float(pit.std()),
        "bias": float(residuals(grid.expectation(pdf), z_spec).mean()),
    }


def _members(member_pdf):
    """PDFs with an axis of members, shape (n_members, n, n_bins)."""
    member_pdf = np.asarray(member_pdf, float)
    return member_pdf[None] if member_pdf.ndim == 2 else member_pdf


def _parts(group_id, n_galaxies):
    """Part of the cross-validation of each galaxy, whole groups in one, and the number of groups."""
    groups, group = np.unique(np.arange(n_galaxies) if group_id is None else group_id, return_inverse=True)
    if len(groups) < MIN_GROUPS:
        raise ValueError(
            f"{len(groups)} galaxies of different parents to calibrate on, at least {MIN_GROUPS} are needed; raise "
            "data.n_validation"
        )
    return (np.random.default_rng(len(groups)).permutation(len(groups)) % N_PARTS)[group.ravel()], len(groups)
