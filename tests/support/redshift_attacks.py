"""Toy attacks on redshifts."""

import numpy as np
from astropy.table import Table

from photoz_morph.photoz.robustness.attack_files import COLUMNS
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def attacked(electrons, victim="ensemble", seed=0, **meta):
    """An attack that moves galaxies by so many electrons in one pixel, NaN where it does not; table and images."""
    electrons, rng = np.asarray(electrons, float), np.random.default_rng(seed)
    n, moved = len(electrons), np.isfinite(electrons)
    z_phot = rng.uniform(0.1, 0.2, n)
    after = np.where(moved, z_phot + 0.08, z_phot)
    table = Table({
        "obj_id": np.arange(n), "group_id": np.arange(n), "fold": np.zeros(n, int), "z_spec": z_phot, "moved": moved,
        "n_hits": moved.astype(int), "electrons": electrons, "sigma": electrons / 20, "caught": moved,
        "queries": np.full(n, 100), "slopes": np.full(n, 5),
    })  # fmt: skip
    for name, value in (("row", 20), ("column", 40), ("band", 1)):
        table[f"hit_{name}"] = np.where(moved, value, -1)[:, None] * np.array([1, 0]) - np.array([0, 1])
    change = np.where(moved, electrons / 1000, 0)
    table["hit_change"] = change[:, None] * np.array([1.0, 0])
    for suffix, z in (("", z_phot), ("_attacked", after)):
        pdf = np.exp(-0.5 * ((GRID.midpoints - z[:, None]) / 0.01) ** 2)
        table[f"pdf{suffix}"] = pdf / pdf.sum(axis=1, keepdims=True)
        table[f"z_phot{suffix}"], table[f"z_lower{suffix}"], table[f"z_upper{suffix}"] = z, z - 0.01, z + 0.01
    table.meta = {
        "victim": victim, "criteria": "z_phot", "measure": "electrons", "unseen": False, "search": "gradient",
        "n_hits": 2, "n_member": 6 if victim == "ensemble" else 1, "origin": "simulated", **meta,
    }  # fmt: skip
    assert set(COLUMNS) == set(table.colnames)
    original = rng.normal(0, 0.05, (n, 64, 64, 5)).astype(np.float32)
    images = {"original": original, "attacked": original.copy()}
    images["attacked"][:, 20, 40, 1] += change
    return table, images
