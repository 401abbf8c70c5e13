"""Tables of images for RAIL, and the stage that trains on them."""

import numpy as np
from rail.core.data import TableHandle

from photoz_morph.rail import PhotozMorphInformer
from tests.support.samples import TINY, colour_stacks

SMALLEST = (*TINY, "model.blocks=[[4, 8]]", "train.epochs=1")


def image_table(n_galaxies, first_id=0):
    """Flattened images and their columns, as RAIL's readers give a group of an HDF5 file."""
    images, table = colour_stacks(n_galaxies, first_id)
    columns = {"ebv": "ebv", "redshift": "z_spec", "object_id": "obj_id"}
    return {"images": images.reshape(n_galaxies, -1)} | {name: np.array(table[ours]) for name, ours in columns.items()}


def inform(folder, table, name, **parameters):
    options = {"n_members": 2, "origin": "simulated", "config_overrides": list(SMALLEST), **parameters}
    stage = PhotozMorphInformer.make_stage(name=name, model=str(folder / f"{name}.zip"), **options)
    return stage.inform(TableHandle("input", data={"photometry": table}))
