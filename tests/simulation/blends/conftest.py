import pytest

from photoz_morph.simulation.blends.parents import load_parents


@pytest.fixture(scope="session")
def parents(blend_pool_dir):
    """Pool of 40 galaxies of seed 3."""
    return load_parents(str(blend_pool_dir), 3, 40)
