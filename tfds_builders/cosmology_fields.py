"""TFDS dataset of fields of matter, their observations and the parameters behind them; `blend build` writes it."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.shards.multifields import read_multifield
from photoz_morph.simulation.cosmology.observing import ObservationSettings, observe_logarithms
from photoz_morph.system.provenance import code_version
from tfds_builders.examples import ExampleBuilder, build_parts, split_counts

PARTITION = 100  # maps that are read at once


class CosmologyFields(ExampleBuilder):
    """Logarithms of maps of a simulated field, in splits `train`, `validation` and `test` (70 : 10 : 20).

    `field` is ln of the map, `image` an observation of it: the field behind a beam, with noise, 0 in holes; and 1 where
    it is seen. The split is the stable hash of `group_id`, the number of the simulation, so that all maps of one
    simulation are in one split.
    """

    facts = {"size": 64, "parameters": "Omega_m,sigma_8"}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make maps with `blend simulate --kind fields`, or get those of CAMELS."

    def _info(self):
        size, n_parameters = self.facts["size"], len(self.facts["parameters"].split(","))
        cubes = {"image": (size, size, 2), "field": (size, size, 1)}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    name: tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")
                    for name, shape in cubes.items()
                }
                | {"parameters": tfds.features.Tensor(shape=(n_parameters,), dtype=np.float32)}
                | {name: np.int64 for name in ("obj_id", "group_id")}
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(**self.facts, code=code_version()),
            citation="Villaescusa-Navarro et al. 2022, ApJS 259, 61 (layout); Coles & Jones 1991 (log-normal fields)",
        )



def build(maps, data_dir, overwrite=False, progress=True, pipeline=None, observation=ObservationSettings()):
    """Build the dataset from maps in the layout of CAMELS.

    Parameters
    ----------
    maps : path-like
        Maps_FIELD_SUITE_SET_z=Z.npy beside its params_SET_SUITE.txt, or a folder of one such pair.
    data_dir : path-like
        The dataset is written to data_dir/cosmology_fields/1.0.0.
    overwrite : bool
        Whether to replace an existing dataset.
    progress : bool
        Whether to show a progress bar.
    pipeline : callable, optional
        As for `lsst_blends.build`.
    observation : ObservationSettings
        How fields are observed; the noise is in units of ln of the maps.

    Returns
    -------
    dict of str to int
        Fields in each split.

    Raises
    ------
    FileNotFoundError
        If there are no maps.
    ValueError
        If the dataset exists, a file is damaged, a pixel has no logarithm, or a split would be empty.
    """
    path = find_maps(maps)
    found = read_multifield(path)
    counts = split_counts(path, found.simulation, "simulations", "give more")
    field, suite = path.stem.split("_")[1:3]
    facts = {
        "size": found.maps.shape[1], "parameters": ",".join(found.names), "quantity": field, "suite": suite,
        "survey": "", "origin": "simulated", **asdict(observation),
    }  # fmt: skip
    n = len(found.maps)
    parts = [(path, first, min(first + PARTITION, n), observation) for first in range(0, n, PARTITION)]
    build_parts(
        CosmologyFields, facts, parts, part_examples, n, path.parent, data_dir, overwrite, progress, pipeline, "fields"
    )  # fmt: skip
    return counts


def find_maps(path):
    """Path of the maps in a folder of one such file, or of themselves.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If there are several.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    found = sorted(path.glob("Maps_*.npy"))
    if not found:
        raise FileNotFoundError(f"{path}: no Maps_*.npy in it; make some with `blend simulate --kind fields`")
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise ValueError(f"{path}: holds {names}; give one of them, such as {found[0]}")
    return found[0]


def part_examples(part, splits=SPLITS):
    """Iterate over the fields of a part (maps, first row, end, observation) in some splits: name of the split, key of
    the order, example."""
    path, first, end, observation = part
    found = read_multifield(path)
    rows = np.arange(first, end)
    of_rows = assign_split(found.simulation[rows])
    rows = rows[np.isin(of_rows, splits)]
    if len(rows) == 0:
        return
    observed, truth = observe_logarithms(found.read_logarithms(rows), rows, observation)
    for number, row in enumerate(rows):
        example = {
            "image": observed[number], "field": truth[number],
            "parameters": found.parameters[row].astype(np.float32),
            "obj_id": np.int64(row), "group_id": np.int64(found.simulation[row]),
        }  # fmt: skip
        yield str(of_rows[row - first]), str(row), example
