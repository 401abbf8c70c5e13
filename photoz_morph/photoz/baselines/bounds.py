"""What a simulation knows of its galaxies, as features for a regression: bounds on what can be learnt from the pixels.

The same small network is trained on them as on magnitudes, with the same galaxies. Its scores bound those of any method
that sees the pixels: "true structure" beside the measured magnitudes; one efficient measurement of all that the pixels
hold ("pixel information"); and structure and magnitudes without noise, which no pixels give.
"""

from pathlib import Path

import numpy as np

from photoz_morph.photoz.baselines.local_linear import photometric_features
from photoz_morph.simulation.sdss.information import measure_sample

TRUTH = ("true_mags", "r_e", "axis_ratio", "bulge_to_total", "is_early")  # columns of a simulated dataset
PART_SIZE = 250  # galaxies of a file of measurements: four seconds of one core
FOLDER = "information"  # in that of the dataset


def structure_features(columns):
    """True structure of galaxies: ln of the half-light radius, axis ratio, bulge-to-total ratio and type, shape (n, 4).

    Parameters
    ----------
    columns : dict of str to ndarray, first axis n
        Of a dataset. NaN where the truth is not known.
    """
    radius = np.asarray(columns["r_e"], float)
    others = [np.asarray(columns[name], float) for name in TRUTH[2:]]
    return np.column_stack([np.log(np.where(radius > 0, radius, np.nan)), *others])


def measured_information(builder, columns, n_needed, survey, progress=True):
    """Efficient measurements of the first galaxies of each fold, from `simulation.sdss.information`.

    Those that have been made before are kept beside the dataset, in the folder `information`.

    Parameters
    ----------
    builder : tfds builder
    columns : dict of str to ndarray, first axis n
        Of all its galaxies, fold after fold, with `fold`.
    n_needed : list of int
        Number of galaxies for each fold.
    survey : Survey
    progress : bool

    Returns
    -------
    rows : ndarray of int, shape (n_measured,)
        Of the measured galaxies.
    dict of str to ndarray, first axis n_measured
        As from `measure_sample`.

    Raises
    ------
    ValueError
        If the galaxies are not those that this version simulates.
    OSError
        If the folder cannot be written to.
    """
    parts, rows = {}, []
    for fold, needed in enumerate(n_needed):
        in_fold = np.flatnonzero(columns["fold"] == fold)
        for number in range(-(-needed // PART_SIZE)):
            chosen = in_fold[number * PART_SIZE : (number + 1) * PART_SIZE]
            names = ["obj_id", "n_frames", "true_mags", *(["psf_fwhm"] if "psf_fwhm" in columns.keys() else [])]
            parts[f"fold_{fold}-{number:05d}"] = {name: np.asarray(columns[name][chosen]) for name in names}
            rows.append(chosen)
    return np.concatenate(rows), measure_sample(Path(builder.data_dir) / FOLDER, parts, survey, progress=progress)


def pixel_features(information, ebv, survey):
    """Best estimates of what the pixels hold, with the population as prior, and how well they are known.

    Parameters
    ----------
    information : dict of str to ndarray, first axis n
        From `measure_sample`.
    ebv : ndarray, shape (n,)
        E(B-V) of the map [mag].
    survey : Survey

    Returns
    -------
    ndarray, shape (n, 2 n_bands + 7)
        Dereddened reference magnitude and colours; share of the inner parts in each band; ln size, ln axis ratio and
        Sersic index; ln errors of the first, the reference and the last magnitude and of the share in the reference
        band.

    Notes
    -----
    The prior is the normal distribution with the mean and covariance of the true parameters: a Wiener filter. It keeps
    what cannot be measured, such as the profile of a bulge without light, at the mean of the population.
    """
    true, fisher = information["parameters"], information["fisher"]
    n_bands, reference = survey.n_bands, survey.bands.index(survey.reference_band)
    # A share may be the same in all galaxies: the covariance is kept from being singular.
    precision = np.linalg.inv(np.cov(true, rowvar=False) + 1e-8 * np.eye(true.shape[1]))
    covariance = np.linalg.inv(fisher + precision)
    estimate = np.einsum("nij,nj->ni", covariance, information["measured"] + precision @ true.mean(axis=0))
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[:, [0, reference, n_bands - 1, n_bands + reference]]
    colours = photometric_features(estimate[:, :n_bands], ebv, survey)
    return np.column_stack([colours, estimate[:, n_bands:], np.log(error)])
