"""Sources and a model for tests of streaming inference: pixels from a random generator, PDFs from a line of NumPy.

    python -m tests.support.streams OUT [SECONDS] [I/N]

infers `SOURCE` with `MODEL`, and takes that long for each partition.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.table import Table

from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS
from photoz_morph.system.provenance import image_facts

TINY_SDSS = replace(SDSS, stamp_size=4)


@dataclass(frozen=True)
class MadePartition:
    """Galaxies whose pixels, flags and positions follow from their number; every 7th is flagged, some are broken."""

    first: int
    n_rows: int

    @property
    def name(self):
        return f"made-{self.first:05d}-{self.n_rows}"

    def read_table(self):
        ids = np.arange(self.first, self.first + self.n_rows)
        flag = ids % 7 == 3
        return Table(
            {
                "obj_id": ids[::-1], "group_id": ids[::-1], "ra": ids * 37.0 % 360, "dec": ids * 7.0 % 120 - 60,
                "z_spec": np.full(len(ids), np.nan), "ebv": np.where(ids % 5 == 2, np.nan, 0.1),
                "flag": flag.astype(np.int32), "flag_reason": np.where(flag, "no frame covers it", ""),
                "name": np.array([f"{'x' * (number % 9)} galaxy" for number in ids], str),
            }
        )  # fmt: skip

    def read(self, rows=None):
        table = self.read_table()
        images = np.random.default_rng(self.first).random((self.n_rows, *TINY_SDSS.image_shape), np.float32)
        images[np.asarray(table["flag"]) == 1] = np.nan
        images[np.asarray(table["obj_id"]) % 11 == 5, 1, 2, 3] = np.inf
        rows = np.arange(self.n_rows) if rows is None else rows
        return images[rows], table[rows]


def made_source(sizes):
    """Source of partitions of these sizes."""
    starts = np.cumsum([0, *sizes]).tolist()
    partitions = tuple(MadePartition(start, size) for start, size in zip(starts, sizes))
    return SimpleNamespace(
        path=Path("made"), survey=TINY_SDSS, origin="stacked", partitions=partitions, fingerprint="made",
        n_rows=sum(sizes), facts={"engine": "swarp"},
    )  # fmt: skip


class NumpyModel:
    """Stands for an `ExportedModel`: PDFs from the mean of each band and E(B-V), NaN for the brightest galaxies."""

    def __init__(self, folder, seconds=0.0):
        self.folder, self.survey, self.z_phot_bins = Path(folder), TINY_SDSS, "midpoints"
        self.grid, self.seconds = RedshiftGrid(0.0, 0.4, 5), seconds
        self.description = {"model": "inception_photoz", "n_members": 1}
        self.trained_on, self.observing, self.calibrated = image_facts(TINY_SDSS), ("psf_fwhm",), []

    def provenance(self, facts=None):
        return {"model_id": "numpy", "data_id": "", **(facts or {})}

    def predict(self, image, ebv, source="", conditions=None):
        time.sleep(self.seconds)
        assert conditions["psf_fwhm"].shape == (len(image), TINY_SDSS.n_bands)
        assert np.isfinite(image).all() and np.isfinite(ebv).all()
        power = np.exp(image.mean(axis=(1, 2)) + np.asarray(ebv, np.float32)[:, None] * np.arange(5, dtype=np.float32))
        pdf = power / power.sum(axis=1, keepdims=True)
        pdf[image.mean(axis=(1, 2, 3)) > 0.53] = np.nan
        return {"pdf": pdf}


SIZES = (5, 0, 12, 3, 20, 1, 9, 9, 9, 9, 9, 2)


def main(out, seconds="0", share=None):
    from photoz_morph.photoz.infer import infer_source
    from photoz_morph.streaming.owners import owned

    share = share and tuple(map(int, share.split("/")))
    print("begun", flush=True)
    with owned(out, share):
        infer_source(NumpyModel(out, float(seconds)), made_source(SIZES), out, share=share, progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
