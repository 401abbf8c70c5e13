import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.catalogs.array_files import open_arrays, table_of_arrays


def columns_of(path):
    with open_arrays(path) as arrays:
        return table_of_arrays(arrays, path)


def test_arrays_of_groups_and_structured_arrays_are_columns(tmp_path):
    path = tmp_path / "a.hdf5"
    rows = np.array([(7, 0.1), (8, 0.2)], [("id", "i8"), ("z", "f8")])
    with h5py.File(path, "w") as file:
        file["photometry/mag_u"] = [20.0, 21.0]
        file["names"] = [b"a", b"\xe9"]
        file["table"] = rows
        file["one/flux"], file["two/flux"] = [1.0, 2.0], [3.0, 4.0]
        file["grid"], file["version"] = np.arange(5.0), 3
    table = columns_of(path)
    assert set(table.colnames) == {"mag_u", "names", "id", "z", "one/flux", "two/flux"}
    assert list(table["id"]) == [7, 8] and table["names"][0] == "a"
    assert list(table["two/flux"]) == [3.0, 4.0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_gives_its_arrays(tmp_path, save):
    save(tmp_path / "a.npz", id=np.arange(3), z=np.zeros(3), pdf=np.ones((3, 4)))
    assert columns_of(tmp_path / "a.npz")["pdf"].shape == (3, 4)


def test_objects_of_python_are_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", id=np.array([{}], object))
    with pytest.raises(ValueError, match="a.npz: cannot be read as arrays"):
        columns_of(tmp_path / "a.npz")


def test_a_file_without_columns_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.ones((3, 4, 5)))
    with pytest.raises(ValueError, match="no arrays with one value per galaxy"):
        columns_of(tmp_path / "a.npz")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from([".npz", ".hdf5"]))
def test_a_damaged_file_is_one_line(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, id=np.arange(9), z=np.linspace(0, 1, 9))
    else:
        with h5py.File(path, "w") as file:
            file["id"], file["z"] = np.arange(9), np.linspace(0, 1, 9)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        columns_of(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
