"""SDSS survey coordinates and stripe numbers of sky positions."""

import numpy as np

NODE_DEG, ETA_OFFSET_DEG = 95.0, 32.5  # of the survey's system: Stoughton et al. (2002), Sec. 3.2.2
STRIPE_WIDTH_DEG = 2.5


def survey_coordinates(ra, dec):
    """SDSS survey latitude lambda and longitude eta.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        J2000 [deg].

    Returns
    -------
    survey_lambda, survey_eta : ndarray, shape (n,)
        [deg]; lambda from -90 to 90, eta from -58.75 to 301.25, so that stripe numbers are continuous.

    Notes
    -----
    Great circles of constant eta run along stripes. The survey's centre, RA 185, Dec 32.5, is at lambda = eta = 0. The
    survey's own tables let lambda pass 90 in the south, where eta here is that of the other half of the circle.
    """
    ra, dec = np.deg2rad(np.asarray(ra, float) - NODE_DEG), np.deg2rad(np.asarray(dec, float))
    survey_lambda = -np.arcsin(np.clip(np.cos(ra) * np.cos(dec), -1, 1))
    survey_eta = np.rad2deg(np.arctan2(np.sin(dec), np.sin(ra) * np.cos(dec))) - ETA_OFFSET_DEG
    first = -ETA_OFFSET_DEG - 10.5 * STRIPE_WIDTH_DEG  # lower edge of stripe 0; stripe 10 is centred on the equator
    return np.rad2deg(survey_lambda), (survey_eta - first) % 360 + first


def survey_stripe(ra, dec):
    """SDSS stripe number of each position.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        J2000 [deg].

    Returns
    -------
    ndarray of int, shape (n,)
        0 to 143, or -1 where a position is not finite. SDSS imaged 9 to 44 in the north and 76, 82, 86 and others in
        the south; stripes meet at the survey poles (RA 95 and 275, Dec 0), where a neighbour may have scanned the
        galaxy.
    """
    with np.errstate(invalid="ignore"):
        _, survey_eta = survey_coordinates(ra, dec)
    stripe = np.floor((survey_eta + ETA_OFFSET_DEG) / STRIPE_WIDTH_DEG + 10.5)
    return np.where(np.isfinite(stripe), stripe, -1).astype(int)
