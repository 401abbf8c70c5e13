import numpy as np

from photoz_morph.photoz.explanation.galaxies import Seen, picked
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def seen_of(z_phot, widths, z_spec):
    """Galaxies with Gaussian PDFs, without images."""
    pdf = np.exp(-0.5 * ((GRID.midpoints - np.array(z_phot)[:, None]) / np.array(widths)[:, None]) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    columns = {"z_spec": np.array(z_spec, float), "obj_id": np.arange(len(z_spec))}
    return Seen({"image": np.zeros((len(z_spec), 1, 1, 1))}, columns, pdf[None])


def test_each_reason_takes_its_galaxy():
    seen = seen_of([0.1, 0.2, 0.3, 0.15, 0.2], [0.01, 0.01, 0.05, 0.01, 0.01], [0.1001, 0.3, 0.29, 0.16, 0.28])
    reasons = picked(seen, GRID, 5)
    assert {row: reasons[row] for row in (0, 1, 2, 4)} == {
        0: "best", 1: "worst", 2: "widest PDF", 4: "outlier"
    }  # fmt: skip


def test_a_galaxy_without_a_redshift_is_neither_best_nor_worst():
    reasons = picked(seen_of([0.1, 0.2], [0.01, 0.02], [np.nan, 0.3]), GRID, 2)
    assert reasons[1] == "best" and reasons[0] in ("widest PDF", "random")
