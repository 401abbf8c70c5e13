"""One object of the simulated morphology sample: candidates are drawn until one is accepted.

The type of an object is drawn with fixed probabilities, and a merger's encounter from a fixed pool. Then candidates
k = 0, 1, 2, ... of that type are drawn and Gini and M20 of their PSF-convolved i image are measured; each is accepted
with a probability that depends on these two alone (importance resampling), such that the accepted objects follow the
distribution of TNG100 galaxies. Everything is a function of (seed, index).
"""

from collections import Counter
from dataclasses import fields, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from photoz_morph.mocks.labels import ELLIPTICAL, MERGER, SPIRAL, gini_m20
from photoz_morph.mocks.observe import convolve_native
from photoz_morph.simulation.morphology.encounters import load_encounter
from photoz_morph.simulation.morphology.galaxies import draw_elliptical, draw_spiral
from photoz_morph.simulation.morphology.mergers import draw_merger
from photoz_morph.simulation.morphology.populations import FIELD_PIXELS
from photoz_morph.surveys import LSST
from photoz_morph.system.threads import one_thread

__all__ = [
    "N_ENCOUNTERS",
    "REASONS",
    "TYPE_FRACTIONS",
    "AcceptanceTable",
    "draw_accepted",
    "draw_candidate",
    "draw_type",
    "measure",
]

# Spiral, elliptical, merger: half the mergers look like one of the others in (G, M20).
TYPE_FRACTIONS = (0.42, 0.16, 0.42)
N_ENCOUNTERS = 256  # of one seed; every merger is a view of one of them
REASONS = ("empty", "not_measured", "resampled")
MIN_GINI = 0.3  # below lie flat plates and fragments; the lowest of 22,031 good TNG100 galaxies is 0.31
MAX_CANDIDATES = 2000  # the table accepts 2 % at least, so an object that needs more is a bug of the generator
STREAM = 1  # not that of the type; 0 would be: NumPy treats [seed, index] and [seed, index, 0] alike
WEIGHTS = Path(str(resources.files("photoz_morph") / "data" / "morphology_weights.npz"))
# The i band alone, in which labels are measured; g and r are made for accepted candidates only.
I_BAND = LSST.bands.index("i")
LSST_I = replace(
    LSST,
    **{
        field.name: (getattr(LSST, field.name)[I_BAND],)
        for field in fields(LSST)
        if isinstance(getattr(LSST, field.name), tuple)
    },
)


class AcceptanceTable:
    """Probability of acceptance on a grid of Gini and M20, made by `scripts/make_morphology_weights.py`."""

    def __init__(self, path=WEIGHTS):
        with np.load(path) as stored:
            self.gini, self.m20, self.acceptance = stored["gini"], stored["m20"], stored["acceptance"]

    def __call__(self, gini, m20):
        """Probability of acceptance at each point, that of the nearest cell."""
        row = np.searchsorted((self.gini[1:] + self.gini[:-1]) / 2, gini)
        return self.acceptance[row, np.searchsorted((self.m20[1:] + self.m20[:-1]) / 2, m20)]


def draw_type(seed, index):
    """Intended type of an object, and the encounter of which it is a view (-1 unless a merger)."""
    rng = np.random.default_rng([seed, index])
    intended_type = int(rng.choice(len(TYPE_FRACTIONS), p=TYPE_FRACTIONS))
    return intended_type, int(rng.integers(N_ENCOUNTERS)) if intended_type == MERGER else -1


def draw_candidate(seed, index, k, intended_type, encounter):
    """Candidate k of an object, and the generator that drew it.

    Parameters
    ----------
    seed, index, k : int
    intended_type : int
    encounter : Encounter or None
        Needed for a merger.

    Returns
    -------
    galaxy : StellarMaps
    rng : numpy.random.Generator
    """
    rng = np.random.default_rng([seed, index, STREAM, k])
    if intended_type == MERGER:
        return draw_merger(encounter, rng), rng
    return {SPIRAL: draw_spiral, ELLIPTICAL: draw_elliptical}[intended_type](rng), rng


def measure(galaxy):
    """Gini and M20 of the i image after the LSST PSF, or the reason why they cannot be used.

    Returns
    -------
    gini, m20 : float
    reason : str
        "" for a usable measurement, "empty" or "not_measured".
    """
    light = galaxy.band_image("i")
    if not (np.isfinite(light).all() and light.max() > 0):
        return np.nan, np.nan, "empty"
    padded = convolve_native(light[..., None], LSST_I)[0]
    inside = slice((len(padded) - FIELD_PIXELS) // 2, (len(padded) + FIELD_PIXELS) // 2)
    gini, m20, is_good = gini_m20(padded[inside, inside])
    return gini, m20, "" if is_good and gini >= MIN_GINI else "not_measured"


def draw_accepted(seed, index, encounter_dir):
    """First accepted candidate of an object.

    Parameters
    ----------
    seed, index : int
    encounter_dir : path-like
        Cache of encounters.

    Returns
    -------
    galaxy : StellarMaps
    intended_type, encounter_index : int
        As `draw_type` gives them.
    rejected : Counter
        Number of candidates rejected before it, by reason (`REASONS`).

    Raises
    ------
    RuntimeError
        If none of 2,000 candidates is accepted.
    """
    intended_type, encounter_index = draw_type(seed, index)
    encounter = None
    rejected = Counter()
    with one_thread():
        if intended_type == MERGER:
            encounter = _encounter(str(encounter_dir), seed, encounter_index)
        for k in range(MAX_CANDIDATES):
            galaxy, rng = draw_candidate(seed, index, k, intended_type, encounter)
            gini, m20, reason = measure(galaxy)
            if not reason and rng.random() < _acceptance()(gini, m20):
                return galaxy, intended_type, encounter_index, rejected
            rejected[reason or "resampled"] += 1
    raise RuntimeError(
        f"galaxy {index} of seed {seed}: none of {MAX_CANDIDATES} candidates was accepted ({dict(rejected)}); "
        f"choose another seed, or remake {WEIGHTS.name} with scripts/make_morphology_weights.py"
    )


@lru_cache(maxsize=1)
def _acceptance():
    return AcceptanceTable()


@lru_cache(maxsize=32)
def _encounter(encounter_dir, seed, index):
    """Encounter from the cache; a process keeps the last 32."""
    return load_encounter(encounter_dir, seed, index)
