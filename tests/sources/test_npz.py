import pickle
import subprocess
import sys

import numpy as np
import pytest

from photoz_morph.sources import source as source_module
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import LSST, SDSS
from tests.support.sources import sdss_arrays


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(source_module, "PARTITION_ROWS", 4)


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_the_public_file_comes_back_in_order_with_its_columns(tmp_path, small_partitions):
    images, labels, table = sdss_arrays(10)
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    source = open_source(tmp_path / "sdss.npz")
    assert (source.survey, source.origin, source.n_rows) == (SDSS, "stacked", 10)
    assert [part.name for part in source.partitions] == ["rows-00000", "rows-00001", "rows-00002"]
    parts = [partition.read() for partition in pickle.loads(pickle.dumps(source.partitions))]
    assert np.array_equal(np.concatenate([part for part, _ in parts]), images)
    read = {name: np.concatenate([np.asarray(part[name]) for _, part in parts]) for name in parts[0][1].colnames}
    assert np.array_equal(read["obj_id"], labels["specObjID"]) and np.array_equal(read["group_id"], read["obj_id"])
    assert np.array_equal(read["z_spec"], labels["z"]) and np.array_equal(read["ebv"], labels["EBV"])
    assert np.array_equal(read["zphot"], labels["zphot"]) and np.isnan(read["ra"]).all() and not read["flag"].any()
    # With Galactic dust, as everywhere in the package: dereddened magnitude plus extinction.
    np.testing.assert_allclose(read["mags"], table["mags"], rtol=1e-12)
    few, few_table = source.partitions[1].read(np.array([3, 0, 1]))
    assert np.array_equal(few, images[[7, 4, 5]]) and list(few_table["obj_id"]) == list(labels["specObjID"][[7, 4, 5]])
    assert list(source.partitions[2].read_table()["obj_id"]) == list(labels["specObjID"][8:])


def test_opening_says_which_column_was_taken_for_which(tmp_path):
    images, labels, _ = sdss_arrays(2)
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    with pytest.warns(UserWarning, match="specObjID is taken for obj_id.*z is taken for z_spec"):
        open_source(tmp_path / "sdss.npz")


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_a_folder_of_the_unpacked_arrays_is_the_same(tmp_path):
    images, labels, _ = sdss_arrays(3)
    np.save(tmp_path / "cube.npy", images), np.save(tmp_path / "labels.npy", labels)
    for path in (tmp_path, tmp_path / "cube.npy"):
        read, table = open_source(path, "sdss", "simulated").partitions[0].read()
        assert np.array_equal(read, images) and np.array_equal(table["z_spec"], labels["z"])


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_a_bad_row_keeps_its_place_with_the_reason(tmp_path):
    images, labels, _ = sdss_arrays(4)
    images[1, 5, 6, 2] = np.nan
    images[2, :3, 0, 4] = np.inf
    labels["z"][3], labels["EBV"][0] = -99, -0.5
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    read, table = open_source(tmp_path / "sdss.npz").partitions[0].read()
    assert list(table["flag"]) == [1, 1, 1, 0] and np.isnan(read[:3]).all() and np.array_equal(read[3], images[3])
    assert list(table["flag_reason"]) == ["ebv is -0.5", "1 pixels in band r are not finite",
                                          "3 pixels in band z are not finite", ""]  # fmt: skip
    assert np.isnan(table["z_spec"][3]) and list(table["obj_id"]) == list(labels["specObjID"])


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_the_fingerprint_changes_with_a_pixel(tmp_path):
    images, labels, _ = sdss_arrays(2)
    prints = []
    for value in (1.0, 1.0, 2.0):
        images[0, 0, 0, 0] = value
        np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
        prints.append(open_source(tmp_path / "sdss.npz").fingerprint)
    assert prints[0] == prints[1] != prints[2]


def arrays(**changes):
    images, labels, _ = sdss_arrays(3)
    return {"cube": images, "labels": labels} | changes


@pytest.mark.parametrize(
    "made, message",
    [
        (lambda path: np.savez_compressed(path, **arrays()), "compressed.*unzip sdss.npz -d sdss"),
        (lambda path: np.savez(path, cube=np.zeros((3, 64, 64, 5))), "no array labels"),
        (lambda path: np.savez(path, **arrays(cube=np.zeros((3, 64, 64, 4)))), "cubes of shape .64, 64, 4."),
        (lambda path: np.savez(path, **arrays(cube=np.zeros((3, 32, 32, 5)))), "32 x 32 pixels, sdss needs 64 x 64"),
        (lambda path: np.savez(path, **arrays(cube=np.zeros((2, 64, 64, 5)))), "2 galaxies and labels 3"),
        (lambda path: np.savez(path, **arrays(labels=np.zeros(3))), "no array of records"),
        (lambda path: np.savez(path, **arrays(labels=np.array([{}] * 3, object))), "Python objects"),
        (lambda path: path.write_bytes(b"PK\3\4 no"), "cannot be read as NumPy arrays"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, made, message):
    path = tmp_path / "sdss.npz"
    made(path)
    with pytest.raises((ValueError, OSError), match=message) as caught:
        open_source(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_bands_of_another_survey_or_a_truncated_array_are_refused(tmp_path):
    images, labels, _ = sdss_arrays(3)
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    with pytest.raises(ValueError, match="3 planes .* lsst in bands g,r,i; give another --survey"):
        open_source(tmp_path / "sdss.npz", LSST)
    np.save(tmp_path / "labels.npy", labels), np.save(tmp_path / "cube.npy", images)
    (tmp_path / "cube.npy").write_bytes((tmp_path / "cube.npy").read_bytes()[:-4])
    with pytest.raises(ValueError, match="cube.npy: .*truncated"):
        open_source(tmp_path / "cube.npy")


READ = """
import resource, sys
from photoz_morph.sources.formats import open_source
import astropy_healpix, photoz_morph.catalogs.dust
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
source = open_source(sys.argv[1])
for partition in source.partitions:
    partition.read()
print(source.n_rows, peak() - before)
"""


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_one_pass_takes_the_memory_of_one_partition(tmp_path):
    images, labels, _ = sdss_arrays(100)
    np.save(tmp_path / "labels.npy", np.tile(labels, 100))
    with open(tmp_path / "cube.npy", "wb") as file:  # 820 MB, in the file holes beyond the first galaxies
        header = {"descr": "<f4", "fortran_order": False, "shape": (10_000, 64, 64, 5)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(images.tobytes())
        file.truncate(file.tell() + 9_900 * images[0].nbytes)
    printed = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, text=True, check=True).stdout
    n_rows, peak_mb = map(float, printed.split())
    assert n_rows == 10_000 and peak_mb < 400  # a partition is 82 MB, twice while its stamps are made
