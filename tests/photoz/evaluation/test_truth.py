import h5py
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.evaluation.truth import identifiers, match, read_truth

IDS = np.array([9_007_199_254_740_993, 7, 12])  # the first is beyond what floats hold


def truth_of(folder, columns, name="truth.fits", **options):
    Table(columns).write(folder / name, overwrite=True)
    return read_truth(folder / name, **options)


@pytest.mark.filterwarnings("ignore:.*is taken for")
@pytest.mark.parametrize("name", ["t.fits", "t.csv", "t.parquet", "t.hdf5", "t.npz"])
def test_catalogues_of_any_format_give_ids_and_redshifts(tmp_path, name):
    columns = {"objID": IDS, "redshift": np.array([0.1, 0.2, 0.3]), "petro_r": np.array([17.0, 16.0, 15.0])}
    path = tmp_path / name
    if name == "t.npz":
        np.savez(path, **columns)
    elif name == "t.hdf5":
        with h5py.File(path, "w") as file:
            for key, values in columns.items():
                file[f"photometry/{key}"] = values
    else:
        Table(columns).write(path)
    truth = read_truth(path)
    assert list(truth.ids) == list(truth.table["obj_id"]) == list(IDS) and truth.id_name == "objID"
    np.testing.assert_array_equal(truth.table["z_spec"], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(truth.table["petro_r"], [17, 16, 15])


def test_magnitudes_groups_and_reddening_come_along(tmp_path):
    columns = {"obj_id": IDS, "z_spec": [0.1, 0.2, 0.3], "group_id": [1, 1, 2], "ebv": [0.1, 0.2, 0.3]}
    columns |= {f"modelMag_{band}": [20.0, -9999.0, 19.0] for band in "ugriz"}
    table = truth_of(tmp_path, columns).table
    assert list(table["group_id"]) == [1, 1, 2] and table["mags"].shape == (3, 5)
    assert np.isnan(table["mags"][1]).all() and table["mags"][0, 0] == 20


@pytest.mark.filterwarnings("ignore:.*E\\(B-V\\) of 1 galaxies")
def test_unknown_reddening_of_magnitudes_is_that_of_the_map(tmp_path):
    columns = {"obj_id": [1, 2], "z_spec": [0.1, 0.2], "ra": [150.0, 150.0], "dec": [2.0, 2.0], "ebv": [np.nan, 0.5]}
    table = truth_of(tmp_path, columns | {f"mag_{band}": [20.0, 19.0] for band in "ugriz"}).table
    assert 0.005 < table["ebv"][0] < 0.05 and table["ebv"][1] == 0.5


def test_matched_by_number_in_any_order_and_counted(tmp_path):
    truth = truth_of(tmp_path, {"obj_id": IDS, "z_spec": [0.1, np.nan, 0.3]})
    row, facts = match(np.array([12, 5, 9_007_199_254_740_993]), 3, "p.npz", truth)
    assert list(row) == [2, -1, 0]
    assert facts["n_matched"] == 2 and facts["n_without_truth"] == 1
    assert facts["n_missing"] == 0  # the one left has no z_spec


def test_text_and_numbers_match_each_other(tmp_path):
    truth = truth_of(tmp_path, {"id": ["7", "12", "NGC 1"], "z_spec": [0.1, 0.2, 0.3]}, "t.csv")
    row, _ = match(np.array([12, 7]), 2, "p", truth)
    assert list(row) == [1, 0]
    row, _ = match(np.array([b"NGC 1 ", b"7"]), 2, "p", truth)
    assert list(row) == [2, 0]


def test_without_identifiers_rows_match_by_order_only_if_their_numbers_agree(tmp_path):
    truth = truth_of(tmp_path, {"z_spec": [0.1, 0.2, 0.3]})
    with pytest.warns(UserWarning, match="3 rows of p and .* are matched by their order"):
        row, facts = match(IDS, 3, "p", truth)
    assert list(row) == [0, 1, 2] and facts["matched_by"] == "row order"
    with pytest.raises(ValueError, match="p has 2 rows where .*truth.fits has 3; name the column"):
        match(None, 2, "p", truth)


def test_repeated_and_foreign_identifiers_are_refused(tmp_path):
    truth = truth_of(tmp_path, {"obj_id": IDS, "z_spec": [0.1, 0.2, 0.3]})
    with pytest.raises(ValueError, match="p: id 7 occurs 2 times"):
        match(np.array([7, 7, 12]), 3, "p", truth)
    with pytest.raises(ValueError, match="none of its 2 galaxies is in .* \\(id 1, 2 against obj_id"):
        match(np.array([1, 2]), 2, "p", truth)
    with pytest.raises(ValueError, match="obj_id 7 occurs 2 times"):
        truth_of(tmp_path, {"obj_id": [7, 7], "z_spec": [0.1, 0.2]})


def test_a_catalogue_without_redshifts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="column z_spec is missing"):
        truth_of(tmp_path, {"obj_id": [1]})
    with pytest.raises(ValueError, match="z_spec is unknown for all 2"):
        truth_of(tmp_path, {"obj_id": [1, 2], "z_spec": [np.nan, -9999]})
    with pytest.raises(ValueError, match="no column name, only obj_id, z_spec; name it with --truth-id"):
        truth_of(tmp_path, {"obj_id": [1], "z_spec": [0.1]}, id_name="name")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_truth(tmp_path / "nothing.fit")


def test_floats_that_have_rounded_identifiers_are_refused():
    assert list(identifiers(np.array([1.0, 2.0]), "p")) == [1, 2]
    with pytest.raises(ValueError, match="p: id holds floats"):
        identifiers(np.array([1e17, 2.0]), "p")
    with pytest.raises(ValueError, match="p: n is empty in row 2"):
        identifiers(MaskedColumn([1, 2], mask=[False, True], name="n"), "p")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=4), st.none(), st.binary(max_size=3)), max_size=5
    )
)
def test_identifiers_of_any_objects_are_unique_keys_or_refused(values):
    column = np.array([None, *values], object)[1:]
    try:
        keys = identifiers(column, "p")
    except ValueError as error:
        assert str(error).startswith("p: ")
        return
    assert keys.shape == column.shape and keys.dtype.kind in "iU"
    for key, value in zip(keys, values):
        if isinstance(value, int):
            assert int(key) == value
