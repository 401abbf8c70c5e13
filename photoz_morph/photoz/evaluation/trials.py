"""Trials of Pasquet et al. (2019), Table 2: their training samples, and the test galaxies each is scored on.

The numbers of the paper are in `PAPER_TABLE_2`; they are of real galaxies.
"""

import re
from dataclasses import dataclass

import numpy as np

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.catalogs.sdss_stripes import survey_stripe

SUSPECT_ZONE = "stripes=38-39"  # Pasquet et al. (2019), Sec. 5: a bias of +0.0033 on 2.4 % of the area
MIN_GALAXIES = 50  # our choice: fewer give no sigma_MAD worth a row
FULL_FRACTION = 0.8


@dataclass(frozen=True)
class Scored:
    """A row of Table 2: n_train and n_test, bias, sigma_MAD, eta (a fraction) and CRPS, None where not given."""

    n_train: int | None
    n_test: int
    bias: float
    sigma_mad: float
    eta: float
    crps: float | None


# Pasquet et al. (2019), Table 2, and k-NN after Beck et al. (2016) on the same objects. From "without zone" on, every
# row leaves the suspect zone out.
PAPER_TABLE_2 = {
    "80 %": Scored(393219, 103306, 0.00010, 0.00912, 0.0031, 0.00674),
    "k-NN": Scored(None, 103306, 0.00062, 0.01350, 0.0134, None),
    "without zone": Scored(393219, 101499, 0.00004, 0.00908, 0.0031, 0.00672),
    "without the widest 10 %": Scored(393219, 91543, 0.00006, 0.00848, 0.0009, 0.00606),
    "without the widest 20 %": Scored(393219, 79897, 0.00005, 0.00789, 0.0006, 0.00556),
    "deep": Scored(393219, 3943, -0.00009, 0.00727, 0.0034, 0.00574),
    "deep, without the widest 20 %": Scored(393219, 3131, 0.00004, 0.00635, 0.0009, 0.00467),
    "50 %": Scored(250000, 252500, 0.00007, 0.00910, 0.0029, 0.00672),
    "20 %": Scored(99001, 385970, -0.00001, 0.00914, 0.0030, 0.00677),
    "2 %": Scored(10100, 434228, -0.00017, 0.01433, 0.0126, 0.01009),
    "trained on deep, tested on shallow": Scored(15771, 478274, 0.00194, 0.01341, 0.0115, 0.00988),
    "trained on deep, tested on deep": Scored(15771, 3942, -0.00002, 0.00795, 0.0038, 0.00622),
    "trained on shallow, tested on shallow": Scored(486560, 97607, 0.00000, 0.00914, 0.0033, 0.00680),
    "trained on shallow, tested on deep": Scored(486560, 19714, -0.00077, 0.00760, 0.0041, 0.00606),
}


def in_region(ra, dec, region):
    """Mask of the positions in a region of the sky.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        [deg]
    region : str
        SDSS stripes, "stripes=38-39", or a box, "ra=350-10 dec=-1.25-1.25" [deg]; the second RA may be the smaller.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the text is not a region.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    number = r"([-+]?(?:\d+\.?\d*|\.\d+))"
    stripes = re.fullmatch(r"stripes=(\d+)-(\d+)", region.strip())
    if stripes:
        first, last = map(int, stripes.groups())
        if first > last:
            raise ValueError(f"region {region!r}: the first stripe is beyond the last; write stripes={last}-{first}")
        stripe = survey_stripe(ra, dec)
        return (stripe >= first) & (stripe <= last)
    box = re.fullmatch(rf"ra={number}-{number}\s+dec={number}-{number}", region.strip())
    if not box:
        raise ValueError(f"region {region!r} is neither like stripes=38-39 nor like 'ra=350-10 dec=-1.25-1.25' in deg")
    ra_min, ra_max, dec_min, dec_max = map(float, box.groups())
    if dec_min > dec_max:
        raise ValueError(f"region {region!r}: the first dec is above the second; write the lower one first")
    inside = (ra >= ra_min) & (ra <= ra_max) if ra_min <= ra_max else (ra >= ra_min) | (ra <= ra_max)
    return inside & (dec >= dec_min) & (dec <= dec_max)


def narrowest(width, fraction):
    """Mask of the galaxies that remain when those with the widest PDFs are left out.

    Parameters
    ----------
    width : ndarray, shape (n,)
        q84 - q16 of each PDF.
    fraction : float
        Fraction of the galaxies to leave out.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for widths up to the quantile 1 - fraction of the sample; False for a galaxy without a PDF (NaN).
    """
    width = np.asarray(width, float)
    return width <= np.nanquantile(width, 1 - fraction)


def name_of_trial(config):
    """Name of the trial that a run is, from its config; as `trial_samples` takes it.

    Parameters
    ----------
    config : PhotozConfig

    Returns
    -------
    str
        "80 %" for the reference run, "50 %", "deep", "shallow", "without E(B-V)", or several of these.
    """
    fraction, choices = config.data.train_fraction, []
    if fraction < FULL_FRACTION:
        choices.append(f"{100 * fraction:g} %")
    if config.data.train_on != "all":
        choices.append(config.data.train_on)
    if not config.model.with_ebv:
        choices.append("without E(B-V)")
    return ", ".join(choices) or "80 %"


def select(table, depth="all", without_region=None, widest_removed=0.0):
    """Mask of the galaxies of a predictions table that a trial is scored on.

    Parameters
    ----------
    table : Table
    depth : {"all", "deep", "shallow"}
    without_region : str, optional
        Region to leave out; see `in_region`.
    widest_removed : float
        Fraction of the remaining galaxies to leave out, those with the widest PDFs.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If the table lacks the columns that the selection needs, or the region is not valid.
    """
    needed = ["n_frames"] * (depth != "all") + ["ra", "dec"] * (without_region is not None)
    missing = [name for name in needed if name not in table.colnames]
    if missing:
        raise ValueError(f"the predictions have no column {', '.join(missing)}, which the selection of galaxies needs")
    chosen = at_depth(table["n_frames"], depth) if depth != "all" else np.ones(len(table), bool)
    if without_region is not None:
        chosen &= ~in_region(table["ra"], table["dec"], without_region)
    if widest_removed:
        width = np.asarray(table["z_upper"], float) - np.asarray(table["z_lower"], float)
        if np.isfinite(width[chosen]).any():
            chosen[chosen] = narrowest(width[chosen], widest_removed)
    return chosen


def trial_samples(table, trial, region=SUSPECT_ZONE):
    """Rows of Table 2 that a run gives, with the test galaxies each is scored on.

    Parameters
    ----------
    table : Table
        Predictions of galaxies that can be scored.
    trial : str
        From `name_of_trial`.
    region : str
        Region left out; see `in_region`.

    Returns
    -------
    dict of str to ndarray of bool, shape (n,)
        Rows with fewer than `MIN_GALAXIES` galaxies are omitted, as are those of a depth if `n_frames` is unknown and
        the one without the region if no galaxy lies in it.
    """
    has_position = {"ra", "dec"} <= set(table.colnames)
    region = region if has_position and in_region(table["ra"], table["dec"], region).any() else None
    if trial == "80 %":
        choices = {
            "80 %": ("all", None, 0),
            "without zone": ("all", region, 0),
            "without the widest 10 %": ("all", region, 0.1),
            "without the widest 20 %": ("all", region, 0.2),
            "deep": ("deep", region, 0),
            "deep, without the widest 20 %": ("deep", region, 0.2),
        }
    elif trial in ("deep", "shallow"):
        choices = {f"trained on {trial}, tested on {depth}": (depth, region, 0) for depth in ("shallow", "deep")}
    else:
        choices = {trial: ("all", region, 0)}
    if region is None:
        choices.pop("without zone", None)
    if "n_frames" not in table.colnames:
        choices = {name: choice for name, choice in choices.items() if choice[0] == "all"}
    samples = {name: select(table, *choice) for name, choice in choices.items()}
    return {name: sample for name, sample in samples.items() if sample.sum() >= MIN_GALAXIES}
