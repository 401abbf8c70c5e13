"""Parameters of a field from its power spectrum, by ridge regression: what a network has to beat.

Of a Gaussian field the power spectrum is all there is to know, of others it is not.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from photoz_morph.metrics.maps.spectra import power_spectra

N_BINS = 16
DEGREES = (1, 2)  # of the polynomial of the logarithms of the powers; the better by leave-one-out
PENALTIES = np.geomspace(1e-3, 1e5, 17)
MIN_FIELDS = 50


@dataclass(frozen=True)
class PowerRidge:
    """A fitted regression.

    Attributes
    ----------
    model : Pipeline
        From the logarithms of the powers to the parameters.
    sigma : ndarray, shape (n_parameters,)
        Standard deviation of the errors of fields that were left out.
    n_bins : int
    """

    model: Pipeline
    sigma: np.ndarray
    n_bins: int

    def posterior(self, fields):
        """Means and logarithms of standard deviations, shape (n, n_parameters, 2); see `fit_power_ridge`."""
        mean = self.model.predict(_log_powers(fields, self.n_bins)).reshape(len(fields), -1)
        return np.stack([mean, np.broadcast_to(np.log(self.sigma), mean.shape)], axis=-1)


def fit_power_ridge(fields, parameters, n_bins=N_BINS):
    """Learn parameters from power spectra.

    Parameters
    ----------
    fields : ndarray, shape (n, n_pixels, n_pixels)
        Of training, such as ln(1 + delta).
    parameters : ndarray, shape (n, n_parameters)
    n_bins : int
        Of the power spectrum.

    Returns
    -------
    PowerRidge

    Raises
    ------
    ValueError
        If there are fewer than `MIN_FIELDS` fields, or one is constant.

    Notes
    -----
    The degree of the polynomial and the penalty are those with the smallest error, in units of the scatter of the
    parameters, of fields left out one by one.
    """
    parameters = np.asarray(parameters, float)
    if len(fields) < MIN_FIELDS:
        raise ValueError(f"{len(fields)} fields; the ridge regression needs {MIN_FIELDS} or more to learn from")
    powers = _log_powers(fields, n_bins)
    centre, scale = parameters.mean(axis=0), parameters.std(axis=0)
    if not (scale > 1e-9 * np.abs(centre)).all():
        raise ValueError("a parameter is the same for all fields; leave it out")
    best = None
    for degree in DEGREES:
        ridge = RidgeCV(PENALTIES, store_cv_results=True)
        model = make_pipeline(
            StandardScaler(), PolynomialFeatures(degree, include_bias=False), StandardScaler(), ridge
        ).fit(powers, (parameters - centre) / scale)
        errors = ridge.cv_results_[..., list(PENALTIES).index(ridge.alpha_)]  # squares, (n, n_parameters)
        if best is None or errors.mean() < best[0]:
            best = errors.mean(), model, np.sqrt(errors.mean(axis=0)).reshape(-1)
    model = best[1]
    ridge = model[-1]  # back to the unit of the parameters
    ridge.coef_ = np.atleast_2d(ridge.coef_) * scale[:, None]
    ridge.intercept_ = np.atleast_1d(ridge.intercept_) * scale + centre
    return PowerRidge(model, best[2] * scale, n_bins)


def _log_powers(fields, n_bins):
    """Logarithms of the power spectrum of each field, shape (n, n_bins)."""
    powers = power_spectra(fields, n_bins)[1]
    if not (powers > 0).all():
        row = int(np.argmin((powers > 0).all(axis=1)))
        raise ValueError(f"field {row} has no power at some scale, is constant or not finite; leave it out")
    return np.log(powers)
