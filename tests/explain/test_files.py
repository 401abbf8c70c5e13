import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.explain.files import GALAXIES, is_stored, read_stored, start_folder, write_stored

TABLE = Table({"obj_id": [5, 7], "reason": ["best", "widest PDF"], "removal": [0.25, np.nan]})


def stored(folder):
    table = TABLE.copy()
    table.meta = {"method": "lime", "n_member": 2}
    maps = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2)
    write_stored(folder, GALAXIES, table, {"attribution": maps, "mask": maps[..., 0] > 5})
    return maps


def test_what_is_written_is_read_back(tmp_path):
    maps = stored(tmp_path)
    found = read_stored(tmp_path, GALAXIES)
    assert np.array_equal(found.arrays["attribution"], maps)
    assert np.array_equal(found.arrays["mask"].astype(bool), maps[..., 0] > 5)
    assert found.table["reason"].tolist() == ["best", "widest PDF"] and np.isnan(found.table["removal"][1])
    assert found.table.meta["method"] == "lime" and found.table.meta["n_member"] == 2


def test_a_folder_of_other_settings_is_refused(tmp_path):
    start_folder(tmp_path / "a", {"target": "mean", "galaxies": (1, 2)})
    start_folder(tmp_path / "a", {"target": "width", "galaxies": (1, 2)})  # nothing was computed yet
    stored(tmp_path / "a")
    start_folder(tmp_path / "a", {"target": "width", "galaxies": [1, 2]})
    with pytest.raises(ValueError, match="with other target; give another --name"):
        start_folder(tmp_path / "a", {"target": "mean", "galaxies": [1, 2]})


@settings(max_examples=30)
@given(st.integers(0, 11519), st.integers(0, 255), st.booleans())
def test_a_damaged_file_is_told_in_a_line(tmp_path_factory, place, value, is_cut):
    folder = tmp_path_factory.mktemp("damaged")
    stored(folder)
    path = folder / f"{GALAXIES}.fits"
    content = bytearray(path.read_bytes())
    if is_cut:
        content = content[: place % len(content)]
    else:
        content[place % len(content)] = value
    path.write_bytes(content)
    try:
        read_stored(folder, GALAXIES)
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        assert not is_stored(folder, GALAXIES)


def test_a_missing_file_is_not_stored(tmp_path):
    assert not is_stored(tmp_path, "lime")
    with pytest.raises(FileNotFoundError, match="lime.fits: no such file"):
        read_stored(tmp_path, "lime")
