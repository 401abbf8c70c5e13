"""Damaged and odd files of every format: an error of one line that names the file, or flagged rows; nothing else."""

import shutil
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS

TINY = replace(SDSS, name="tiny", bands=("g", "r"), stamp_size=4, frames=None)
FUZZ = settings(max_examples=40, deadline=None, derandomize=True, database=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
CUBES = np.random.default_rng(1).normal(size=(3, 2, 4, 4)).astype(np.float32)
COLUMNS = {"obj_id": np.arange(3), "ra": np.full(3, 10.0), "dec": np.zeros(3), "z_spec": np.full(3, 0.1)}
LABELS = np.array([(1, 10.0, 0.0, 0.1), (2, 11.0, 0.0, 0.2), (3, 12.0, 0.0, 0.3)],
                  [("specObjID", int), ("ra", float), ("dec", float), ("z", float)])  # fmt: skip


def write_npz(folder):
    np.savez(folder / "a.npz", cube=CUBES, labels=LABELS)
    return folder / "a.npz"


def write_npy(folder):
    np.save(folder / "cube.npy", CUBES), np.save(folder / "labels.npy", LABELS)
    return folder / "labels.npy"


def write_hdf5(folder):
    with h5py.File(folder / "a.hdf5", "w") as file:
        file["image"] = CUBES
        for name, values in COLUMNS.items():
            file[name] = values
        file.attrs["unit"] = "nJy"
    return folder / "a.hdf5"


def write_hats(folder):
    images = pa.array([{"flux": cube.tolist(), "band": ["g", "r"], "scale": [0.396] * 2} for cube in CUBES])
    pq.write_table(pa.table(COLUMNS | {"image": images}), folder / "a.parquet", write_page_checksum=True)
    return folder / "a.parquet"


def write_stack(folder):
    (folder / "catalog.csv").write_text("obj_id,ra,dec\n0,10,0\n")
    hdu = fits.PrimaryHDU(CUBES[0], fits.Header({"BANDS": "g,r", "BUNIT": "nanomaggy", "CRVAL1": 1.0, "CD1_1": 1.1e-4,
                                                 "CD2_2": 1.1e-4}))  # fmt: skip
    hdu.writeto(folder / "0.fits")
    return folder / "0.fits"


def write_catalog(folder):
    return write_stack(folder).with_name("catalog.csv")


WRITERS = (write_npz, write_npy, write_hdf5, write_hats, write_stack, write_catalog)


def read_all(path):
    """Open and read; the error if there is one, which must be of one line and name a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for partition in open_source(path, TINY).partitions:
                images, table = partition.read()
                assert images.shape == (len(table), 4, 4, 2) and len(table) == partition.n_rows
                bad = ~np.isfinite(images).all(axis=(1, 2, 3))
                assert np.array_equal(bad, table["flag"] == 1) and all(table["flag_reason"][bad] != "")
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and str(path.parent) in str(error)
        return error
    return None


@pytest.mark.parametrize("write", WRITERS)
def test_a_whole_file_is_read(tmp_path, write):
    path = write(tmp_path)
    assert read_all(path if path.suffix in (".npz", ".hdf5", ".parquet", ".npy") else tmp_path) is None


@pytest.mark.parametrize("write", WRITERS)
def test_a_damaged_file_is_an_error_of_one_line_or_flagged(tmp_path, write):
    (tmp_path / "whole").mkdir()
    path = write(tmp_path / "whole")
    whole = path.read_bytes()
    # Headers are at one end of a file, in a zip archive and Parquet at the other.
    near = st.integers(0, min(600, len(whole)) - 1)
    place = st.one_of(near, near.map(lambda at: len(whole) - 1 - at), st.integers(0, len(whole) - 1))
    damage = st.tuples(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=4),
                       st.one_of(st.none(), st.integers(0, len(whole))))  # fmt: skip

    @FUZZ
    @given(damage)
    def read_damaged(damage):
        changes, length = damage
        content = bytearray(whole)
        for at, value in changes:
            content[at] = value
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / path.name).write_bytes(bytes(content[:length]))
        is_file = path.suffix in (".npz", ".hdf5", ".parquet", ".npy")
        read_all(folder / path.name if is_file else folder)

    read_damaged()


VALUES = st.one_of(st.none(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.just("-99"))


@FUZZ
@given(st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), min_size=1, max_size=4))
def test_odd_catalogues_are_an_error_of_one_line_or_flagged(tmp_path, rows):
    (tmp_path / "0.fits").exists() or write_stack(tmp_path)
    lines = [",".join("" if value is None else str(value).replace("\n", " ") for value in row) for row in rows]
    (tmp_path / "catalog.csv").write_text("obj_id,ra,dec,ebv,file\n" + "\n".join(f"{line},0.fits" for line in lines),
                                          errors="replace")  # fmt: skip
    read_all(tmp_path)
