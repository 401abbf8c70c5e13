"""A small sample of galaxies with maps."""

from contextlib import contextmanager

import pytest

from photoz_morph.simulation.populations import sample
from photoz_morph.simulation.populations.sample import MapSettings, simulate_maps

N_MAPS = 60
SETTINGS = MapSettings(size=32, seed=3)


@contextmanager
def few_encounters():
    """All mergers are views of two encounters, of which each takes a second to simulate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "N_ENCOUNTERS", 2)
        yield


def make_maps(folder):
    """Write the shards of the sample."""
    with few_encounters():
        simulate_maps(folder, N_MAPS, SETTINGS, n_processes=1, progress=False)
