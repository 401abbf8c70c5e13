#!/usr/bin/env python
"""Make tests/data/tng100_gini_m20.npz: Gini, M20 and flags of all 25,005 galaxies of the TNG100 catalogues.

Run it as `scripts/make_tng_labels.py FOLDER` with the folder of morphs_snap095_g.hdf5, morphs_snap095_i.hdf5,
morphs_snap099_g.hdf5 and morphs_snap099_i.hdf5 (github.com/gsnyder206/deepmerge-mocks). The values are those of the
files, the -99 of failed measurements included.
"""

import sys
from pathlib import Path

import h5py
import numpy as np

OUTPUT = Path(__file__).resolve().parents[1] / "tests" / "data" / "tng100_gini_m20.npz"
SNAPSHOTS = (95, 99)


def main(folder):
    columns = {"snapshot": [], "subhalo_id": []}
    for snapshot in SNAPSHOTS:
        for band, suffix in (("i", ""), ("g", "_g")):
            with h5py.File(Path(folder) / f"morphs_snap{snapshot:03d}_{band}.hdf5") as file:
                for name in ("gini", "m20", "flag"):
                    columns.setdefault(name + suffix, []).append(file[name][()])
                subhalo_id = file["subfind_id"][()]
        columns["snapshot"].append(np.full(len(subhalo_id), snapshot))
        columns["subhalo_id"].append(subhalo_id)
    types = {"snapshot": np.uint8, "flag": np.uint8, "flag_g": np.uint8, "subhalo_id": np.int32}
    columns = {name: np.concatenate(parts).astype(types.get(name, np.float32)) for name, parts in columns.items()}
    np.savez_compressed(OUTPUT, **columns)
    print(f"{OUTPUT}: {len(columns['gini'])} galaxies, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
