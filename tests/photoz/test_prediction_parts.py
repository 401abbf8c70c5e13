"""Predictions read in parts are those that are read as a whole, in every format."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.prediction_parts import PredictionParts, group_share, rows_of, sample_predictions
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from tests.support.predictions import trial_predictions

FORMATS = ("p.fits", "p.parquet", "p.hdf5", "p.hats", "compact.fits", "compact.parquet", "compact.hats")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One table in every format, with a flagged galaxy and text."""
    folder = tmp_path_factory.mktemp("parts")
    table = trial_predictions(0.02, n=230)
    for name in ("z_phot", "z_median", "z_mode", "z_lower", "z_upper", "pdf"):
        table[name][17] = np.nan
    table["flag"][17] = 1
    table["flag_reason"] = np.where(np.arange(230) == 17, "no frame", "")
    table["group_id"] = np.arange(230) // 3
    for name in FORMATS:
        if name.endswith("hats"):
            pytest.importorskip("hats")
        write_predictions(table, folder / name, 1e-3 if name.startswith("compact") else None)
    return folder


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("part_rows", [1, 50, 230, 1000])
def test_parts_joined_are_the_whole_table(files, name, part_rows):
    if part_rows == 1 and name != "p.fits":
        part_rows = 7
    parts = PredictionParts(files / name, part_rows)
    whole, grid = read_predictions(files / name)
    assert parts.grid == grid and parts.n_rows == len(whole) == 230
    assert parts.template.colnames == whole.colnames and parts.template.meta == whole.meta
    found = list(parts.tables())
    assert max(map(len, found)) <= part_rows
    order = np.argsort(np.concatenate([np.asarray(part["obj_id"]) for part in found]))  # HATS is in its own order
    if not name.endswith("hats"):
        assert np.array_equal(order, np.argsort(whole["obj_id"]))
    for column in whole.colnames:
        values = np.concatenate([np.asarray(part[column]) for part in found])[order]
        expected = np.asarray(whole[column])[np.argsort(whole["obj_id"])]
        np.testing.assert_array_equal(values, expected, err_msg=column)
        assert found[0][column].unit == whole[column].unit, column


@pytest.mark.parametrize("name", FORMATS)
def test_only_the_columns_asked_for_are_read(files, name):
    parts = PredictionParts(files / name, 100)
    for wanted in (["obj_id", "z_spec"], ["pdf", "flag", "obj_id"]):
        tables = list(parts.tables([*wanted, "absent"]))
        assert all(set(part.colnames) == set(wanted) for part in tables)
        assert sum(map(len, tables)) == 230


@pytest.mark.parametrize("name", ["p.fits", "p.parquet", "p.hdf5"])
def test_a_damaged_file_is_named_in_one_line(files, name, tmp_path):
    content = (files / name).read_bytes()
    for keep in (0, 100, len(content) // 2, len(content) - 3000):
        (tmp_path / name).write_bytes(content[:keep])
        with pytest.raises(ValueError, match=f"{name}: not a predictions table, or truncated .*; predict again"):
            list(PredictionParts(tmp_path / name).tables())
    with pytest.raises(FileNotFoundError, match="no such file"):
        PredictionParts(tmp_path / "absent.fits")


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), name=st.sampled_from(FORMATS[:3]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_changed_byte_gives_rows_or_one_line(files, tmp_path_factory, where, flip, name):
    content = bytearray((files / name).read_bytes())
    content[int(where * len(content))] ^= flip
    path = tmp_path_factory.mktemp("flipped") / name
    path.write_bytes(content)
    try:
        assert sum(map(len, PredictionParts(path, 100).tables())) >= 0
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)


def test_shares_of_groups_are_uniform_and_those_of_seeds_unrelated():
    shares = np.stack([group_share(np.arange(100_000) + 1237648720693755918, seed) for seed in (0, 1)])
    for share in shares:
        counts = np.histogram(share, 20, (0, 1))[0]
        assert np.sum((counts - 5000.0) ** 2 / 5000) < 43.8  # chi-square of 19, p = 0.001
    assert abs(np.corrcoef(shares)[0, 1]) < 0.01
    assert abs(np.corrcoef(shares[0, :-1], shares[0, 1:])[0, 1]) < 0.01


def test_a_sample_has_whole_groups_and_is_the_same_in_every_format(files):
    whole = read_predictions(files / "p.fits")[0]
    found = [sample_predictions(PredictionParts(files / name, 40), 100, seed=3) for name in ("p.fits", "p.hats")]
    taken = np.unique(found[0]["group_id"])
    assert 50 < len(found[0]) < 150 and found[0].meta["sampled"] == pytest.approx(100 / 230)
    assert len(found[0]) == np.isin(whole["group_id"], taken).sum()
    assert set(found[0]["obj_id"]) == set(found[1]["obj_id"])
    assert set(rows_of(PredictionParts(files / "p.parquet"), found[0]["obj_id"])["obj_id"]) == set(found[0]["obj_id"])
    everything = sample_predictions(PredictionParts(files / "p.fits"), 1000)
    assert len(everything) == 230 and "sampled" not in everything.meta
