import h5py
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.formats.binning import read_layout
from photoz_morph.photoz.formats.others import open_others
from photoz_morph.photoz.predictions import write_predictions
from tests.support.reports import photoz_predictions

EDGES = np.linspace(0, 0.4, 41)
IDS = np.arange(10**17, 10**17 + 5)
PDF = np.random.default_rng(0).dirichlet(np.ones(40), 5)


def whole(found):
    return np.concatenate([pdf for _, pdf, _, _ in found.parts(2)])


def test_arrays_with_edges_or_nodes_and_ids(tmp_path):
    np.savez(tmp_path / "a.npz", pz=PDF, bins=EDGES, ID=IDS)
    found = open_others(tmp_path / "a.npz")
    np.testing.assert_allclose(whole(found), PDF, atol=1e-6)
    assert list(found.ids) == list(IDS) and found.grid.n_bins == 40 and found.point == ""
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["out/pdf"], file["out/zgrid"], file["out/object_id"] = PDF * 100, 0.5 * (EDGES[1:] + EDGES[:-1]), IDS
    found = open_others(tmp_path / "a.hdf5")
    assert found.grid.z_min == pytest.approx(0.005) and list(found.ids) == list(IDS)
    assert sum(facts["n_rescaled"] for *_, facts in found.parts(2)) == 5  # node values that integrate to 0.98


def test_a_table_of_pdfs_needs_its_grid(tmp_path):
    Table({"objid": IDS, "pdf": PDF}).write(tmp_path / "t.fits")
    with pytest.raises(ValueError, match="grid of its PDFs of 40 values is unknown; give it with --grid"):
        open_others(tmp_path / "t.fits")
    with pytest.raises(ValueError, match="has 40 values per galaxy, where the grid of bins from 0 to 1 needs 39"):
        open_others(tmp_path / "t.fits", layout=read_layout("bins=0,1,39"))
    np.testing.assert_allclose(whole(open_others(tmp_path / "t.fits", layout=read_layout("bins=0,0.4,40"))), PDF,
                               atol=1e-6)  # fmt: skip


def test_parquet_of_this_package_says_its_edges_to_readers_of_tables(tmp_path):
    table = photoz_predictions(n=9)
    write_predictions(table, tmp_path / "t.parquet")
    found = open_others(tmp_path / "t.parquet")
    np.testing.assert_allclose(whole(found), table["pdf"], atol=1e-6)


def test_point_estimates_are_found_or_named(tmp_path):
    Table({"id": ["a", "b"], "Z_B": [0.1, -99.0], "other": [0.3, 0.4]}).write(tmp_path / "t.csv")
    found = open_others(tmp_path / "t.csv")
    ((_, pdf, z_phot, _),) = found.parts()
    assert pdf is None and found.grid is None and found.point == "Z_B"
    np.testing.assert_array_equal(z_phot, [0.1, np.nan])
    assert open_others(tmp_path / "t.csv", point="OTHER").point == "other"


def test_what_is_missing_is_said(tmp_path):
    Table({"a": [1], "b": [2.0]}).write(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="neither PDFs .* nor point estimates .* among a, b"):
        open_others(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="--id names column c, the file has a, b"):
        open_others(tmp_path / "t.csv", id_name="c", point="b")
    with pytest.raises(ValueError, match="unknown suffix"):
        open_others(tmp_path / "t.txt")
    with pytest.raises(FileNotFoundError, match="t.npz: no such file"):
        open_others(tmp_path / "t.npz")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.sampled_from(["pdf", "grid", "edges", "id", "z_phot", "bins"]),
        st.tuples(st.lists(st.integers(0, 4), max_size=3), st.sampled_from(["f8", "i8", "S3", "U2", "?", "c16"])),
    )
)
def test_arrays_of_any_shape_are_read_or_refused_in_one_line(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("odd") / "a.npz"
    np.savez(path, **{name: np.ones(shape, dtype) for name, (shape, dtype) in arrays.items()})
    try:
        list(open_others(path).parts())
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
