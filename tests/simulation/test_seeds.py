import numpy as np
import pytest

from photoz_morph.simulation.morphology.candidates import N_ENCOUNTERS
from photoz_morph.simulation.morphology.sample import ENCOUNTER_GROUPS
from photoz_morph.simulation.seeds import INDICES_PER_SEED, MAX_SEED, check_seed


def test_identifiers_of_every_seed_fit_in_64_bits_and_belong_to_one_seed():
    largest = MAX_SEED * INDICES_PER_SEED + ENCOUNTER_GROUPS + N_ENCOUNTERS - 1
    assert largest <= np.iinfo(np.int64).max
    assert ENCOUNTER_GROUPS + N_ENCOUNTERS <= INDICES_PER_SEED


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_beyond_the_range_are_refused(seed):
    with pytest.raises(ValueError, match=f"seed is {seed}; choose one from 0 to {MAX_SEED}"):
        check_seed(seed)


def test_the_ends_of_the_range_are_seeds():
    for seed in (0, MAX_SEED):
        check_seed(seed)
