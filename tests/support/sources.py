"""Public data sets in small: files of the layouts that `photoz_morph.sources` reads."""

import numpy as np

from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks


def sdss_arrays(n_galaxies, first_id=0):
    """Images and labels as in the public `sdss.npz`, and the table that they were made from."""
    images, table = colour_stacks(n_galaxies, first_id)
    columns = {
        "z": table["z_spec"], "EBV": table["ebv"], "specObjID": np.asarray(table["obj_id"]) + 299489677444933632,
        "zphot": np.asarray(table["z_spec"]) + 0.01, "primtarget": np.full(n_galaxies, 64),
        "subclass": np.full(n_galaxies, "STARFORMING"),
        **{f"dered_petro_{band}": np.asarray(table["mags"])[:, number] - 0.1 for number, band in enumerate(SDSS.bands)},
        **{f"extinction_{band}": np.full(n_galaxies, 0.1) for band in SDSS.bands},
    }  # fmt: skip
    columns = {name: np.asarray(values) for name, values in columns.items()}
    labels = np.empty(n_galaxies, [(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        labels[name] = values
    return images, labels, table
