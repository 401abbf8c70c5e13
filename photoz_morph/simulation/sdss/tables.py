"""The shipped tables of real SDSS galaxies that the simulation starts from."""

import importlib.resources

import numpy as np


def load_table(name):
    """Arrays of a table shipped in photoz_morph/data."""
    with (importlib.resources.files("photoz_morph") / "data" / name).open("rb") as file:
        return dict(np.load(file))
