"""Headers that declare more than their files hold: refused at once, without the memory."""

import bz2
import gzip
import io
import tracemalloc
import zipfile
from contextlib import contextmanager

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.catalogs.table_files import read_table_file
from photoz_morph.system.fits import open_fits
from photoz_morph.system.sizes import check_fits, check_hdf5, check_npz, check_parquet, check_ratio, check_zip
from photoz_morph.system.tables import read_fits, read_parquet, write_fits

MOST_MEMORY = 30e6  # bytes; the sizes declared below are of gigabytes


@contextmanager
def refused(message):
    """A ValueError without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            yield
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def table_file(path, **cards):
    """A table of three rows whose header is then changed: keyword -> number."""
    write_fits(Table({"obj_id": [1, 2, 3], "ra": [1.0, 2.0, 3.0], "dec": [1.0, 2.0, 3.0]}), path)
    return with_cards(path, **cards)


def with_cards(path, **cards):
    """A FITS file with the last card of each keyword changed."""
    content = path.read_bytes()
    for keyword, value in cards.items():
        start = content.rindex(f"{keyword:8s}= ".encode())
        content = content[:start] + f"{keyword:8s}= {value:>20}".encode() + content[start + 30 :]
    path.write_bytes(content)
    return path


def open_table(path):
    with open_fits(path, "a shard of stacks") as hdus:
        return Table.read(hdus[1])


@pytest.mark.parametrize("read", [read_table_file, read_fits, open_table])
@pytest.mark.parametrize("cards", [{"NAXIS2": 10**9}, {"PCOUNT": 10**12}, {"TFORM2": "'900000000D'"}], ids=str)
def test_fits_tables_that_declare_too_much_are_refused_by_every_reader(tmp_path, read, cards):
    read(table_file(tmp_path / "good.fits"))  # and what it imports at its first call is in memory
    with refused("HDU 1 declares"):
        read(table_file(tmp_path / "a.fits", **cards))


@pytest.mark.parametrize("compress, suffix", [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_compressed_fits_files_are_checked_by_what_is_in_them(tmp_path, compress, suffix):
    path = table_file(tmp_path / "a.fits")
    packed = tmp_path / f"a.fits{suffix}"
    packed.write_bytes(compress(path.read_bytes()))
    check_fits(packed)
    packed.write_bytes(compress(table_file(path, NAXIS2=10**9).read_bytes()))
    with refused("HDU 1 declares 24 GB of data, the file has .* kB of them; it is truncated or damaged"):
        check_fits(packed)


def test_images_that_declare_too_many_pixels_are_refused(tmp_path):
    fits.writeto(tmp_path / "a.fits", np.zeros((4, 4), np.float32))
    check_fits(tmp_path / "a.fits")
    with refused("HDU 0 declares 400 GB of data"):
        with open_fits(with_cards(tmp_path / "a.fits", NAXIS1=10**6, NAXIS2=10**5), "an image") as hdus:
            hdus[0].data.sum()


@pytest.mark.parametrize("cards", [{"ZNAXIS1": 10**6, "ZNAXIS2": 10**6}, {"ZTILE1": 10**10}], ids=str)
def test_compressed_images_that_declare_too_many_pixels_are_refused(tmp_path, cards):
    levels = np.random.default_rng(0).integers(0, 100, (64, 64)).astype(np.int16)
    image = fits.CompImageHDU(levels, compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits")
    check_fits(tmp_path / "a.fits")
    with refused("compressed (image|tile) of HDU 1 declares"):
        check_fits(with_cards(tmp_path / "a.fits", **cards))


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1"])
def test_images_of_one_value_compress_well_and_pass(tmp_path, compression):
    image = fits.CompImageHDU(np.zeros((3000, 3000), np.int32), compression_type=compression)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits")
    check_fits(tmp_path / "a.fits")


def test_sizes_that_are_no_numbers_are_named(tmp_path):
    with refused("NAXIS2 is -5, no size; it is damaged"):
        check_fits(table_file(tmp_path / "a.fits", NAXIS2=-5))


def test_other_files_and_files_without_end_are_left_to_their_reader(tmp_path):
    for content in (b"", b"not FITS" * 1000, b"SIMPLE  =                    T" + b" " * 5000):
        (tmp_path / "a.fits").write_bytes(content)
        check_fits(tmp_path / "a.fits")


@pytest.mark.parametrize("options", [{"chunks": (1000, 100), "compression": "gzip"}, {}])
def test_hdf5_datasets_that_declare_too_much_are_refused(tmp_path, options):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["ancil/z"] = np.zeros(3)
        file.create_dataset("ancil/bomb", (10**6, 90_000), np.float64, **options)
    with h5py.File(tmp_path / "a.hdf5") as file:
        check_hdf5(file["ancil/z"])
        with refused("dataset ancil/bomb declares 720 GB, more than its 0 bytes can hold"):
            check_hdf5(file)


def test_hdf5_datasets_of_one_value_compress_well_and_pass(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("flag", data=np.zeros(2 * 10**7, np.float64), compression="gzip", shuffle=True)
        file.create_dataset("name", data=["a", "b"])
        file["nothing"] = h5py.Empty("f")
        check_hdf5(file)


def npy(shape, content=b""):
    """An .npy file that declares a shape, with other content."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_of_npz_that_declare_too_much_are_refused(tmp_path, method):
    path = tmp_path / "a.npz"
    for shape, save in (((3,), np.savez), ((3,), np.savez_compressed)):
        save(path, image=np.zeros(shape))
        check_npz(path)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("image.npy", npy((10**6, 10**4), bytes(80)))
    with refused("array image.npy declares 80 GB, its member has .* bytes"):
        check_npz(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_zip_that_declare_too_much_are_refused(tmp_path, method):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("model.json", "{}" * 100)
    with zipfile.ZipFile(path) as archive:
        check_zip(archive, path)
    content = bytearray(path.read_bytes())
    size = content.rindex(b"PK\x01\x02") + 24  # of the uncompressed member, in the central directory
    content[size : size + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive, refused("member model.json declares 2.15 GB"):
        check_zip(archive, path)


def test_parquet_columns_that_declare_too_much_are_refused(tmp_path):
    path, part = tmp_path / "a.parquet", pa.table({"x": np.zeros(10**6)})
    with pq.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(100):
            writer.write_table(part)
    for read in (read_table_file, read_parquet):
        with refused("the footer declares 800 MB, more than its .* kB can hold"):
            read(path)


def test_parquet_columns_of_one_value_beside_others_pass(tmp_path):
    pq.write_table(pa.table({"obj_id": np.arange(10**6), "flag": np.zeros(10**6)}), tmp_path / "a.parquet")
    check_parquet(pq.read_metadata(tmp_path / "a.parquet"), (tmp_path / "a.parquet").stat().st_size)


def test_small_sizes_always_pass():
    check_ratio(2**26, 0, "dataset x")
    with refused("dataset x declares 67.1 MB, more than its 0 bytes can hold; it is truncated or damaged"):
        check_ratio(2**26 + 1, 0, "dataset x")
