import json
import shutil
import sys
import tempfile

import hats
import numpy as np
import pytest
from hats.io.validation import is_valid_catalog
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.formats import hats as hats_files
from photoz_morph.photoz.formats.hats import POINT_NAMES
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.parts import OnePart
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid(0.0, 0.4, 40)
N = 400


def predictions(**changes):
    """Half the galaxies over the sky, half within a degree."""
    rng = np.random.default_rng(3)
    crowd = np.arange(N) % 2 == 0
    columns = {
        "obj_id": rng.permutation(N),
        "ra": np.where(crowd, rng.uniform(180, 181, N), rng.uniform(0, 360, N)),
        "dec": np.where(crowd, rng.uniform(30, 31, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))),
        "name": np.array([f"galaxy {number}" for number in range(N)]),
    } | changes
    pdf = rng.dirichlet(np.ones(GRID.n_bins), N)
    pdf[5] = np.nan
    return predictions_table(columns, pdf, GRID, SDSS, "simulated")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A catalogue of at most 100 rows a file."""
    path = tmp_path_factory.mktemp("hats") / "p.hats"
    hats_files.write_hats(OnePart(predictions()), path, max_rows=100)
    return path


def test_hats_finds_a_valid_catalogue(folder):
    assert is_valid_catalog(folder, strict=True)
    catalogue = hats.read_hats(folder)
    assert len(catalogue) == N and catalogue.catalog_info.ra_column == "ra"
    assert catalogue.has_healpix_column() and catalogue.catalog_info.healpix_column == "_healpix_29"
    assert catalogue.moc is not None and catalogue.catalog_info.total_rows == N


def test_partitions_hold_the_galaxies_of_their_pixel_in_order(folder):
    catalogue = hats.read_hats(folder)
    pixels = catalogue.get_healpix_pixels()
    assert len({pixel.order for pixel in pixels}) > 1  # the crowd is in smaller pixels
    rows = []
    for pixel in pixels:
        part = catalogue.read_pixel_to_pandas(pixel)
        assert 0 < len(part) <= 100
        index = part["_healpix_29"].to_numpy(np.int64)
        assert np.all(np.diff(index) >= 0) and np.all(index >> 2 * (29 - pixel.order) == pixel.pixel)
        rows.extend(part["catalog_row"])
    assert sorted(rows) == list(range(N))


def test_cone_search_finds_the_crowd_and_pdfs_are_nested(folder):
    near = hats.read_hats(folder).filter_by_cone(180.5, 30.5, 3600)
    parts = [near.read_pixel_to_pandas(pixel) for pixel in near.get_healpix_pixels()]
    assert 200 <= sum(map(len, parts)) < N
    table = predictions()
    for part in parts:
        row = part["catalog_row"].iloc[0]
        np.testing.assert_array_equal(part["pdf"].iloc[0]["probability"], np.asarray(table["pdf"][row]))
        np.testing.assert_allclose(part["pdf"].iloc[0]["z"], GRID.midpoints)


def test_lsdb_opens_it_with_nested_pdfs_and_rubins_names(tmp_path):
    lsdb = pytest.importorskip("lsdb")
    table = predictions()
    table.meta["model"] = "inception_photoz"
    write_predictions(table, tmp_path / "p.hats")
    found = lsdb.open_catalog(tmp_path / "p.hats").compute().sort_values("catalog_row")
    for name, ours in POINT_NAMES.items():
        np.testing.assert_array_equal(found[f"inception_{name}"], table[ours])
    means = found["pdf"].map(lambda pdf: float((pdf["z"] * pdf["probability"]).sum(skipna=False)))
    np.testing.assert_allclose(means, table["z_phot"], atol=1e-6)
    back, _ = read_predictions(tmp_path / "p.hats")
    assert back.colnames == table.colnames  # without Rubin's names, which hold the same


def test_the_mean_of_rubins_names_is_over_midpoints_whatever_z_phot_is(tmp_path):
    table = predictions()
    left = predictions_table(table[["obj_id", "ra", "dec"]], table["pdf"], GRID, SDSS, "simulated", "KNN 2",
                             meta={"zphot_at": "left-edges"})  # fmt: skip
    write_predictions(left, tmp_path / "p.hats")
    rows = hats.read_hats(tmp_path / "p.hats").read_pixel_to_pandas
    found = np.concatenate([rows(pixel)[["catalog_row", "knn_2_z_mean"]].to_numpy(float) for pixel in
                            hats.read_hats(tmp_path / "p.hats").get_healpix_pixels()])  # fmt: skip
    np.testing.assert_allclose(found[np.argsort(found[:, 0]), 1], table["z_phot"], atol=1e-6)


@pytest.mark.parametrize("name", ["photoz_z_mean", "Photoz_Z_Mode", "catalog_row"])
def test_a_column_with_a_name_of_the_format_is_refused(tmp_path, name):
    table = predictions(**{name: np.zeros(N)})
    with pytest.raises(ValueError, match=f"catalogue column {name} has a name of the HATS catalogue's own; rename it"):
        write_predictions(table, tmp_path / "p.hats")
    assert not list(tmp_path.iterdir())


def test_the_index_of_a_catalogue_that_was_hats_itself_is_made_anew(tmp_path):
    table = predictions(_healpix_29=np.zeros(N, int))
    write_predictions(table, tmp_path / "p.hats")
    assert is_valid_catalog(tmp_path / "p.hats", strict=True)
    table.remove_column("_healpix_29")
    assert read_predictions(tmp_path / "p.hats")[0].colnames == table.colnames


def test_edges_and_units_are_in_the_schema(folder):
    schema = hats.read_hats(folder).schema
    edges = json.loads(schema.field("pdf").metadata[b"edges"])
    np.testing.assert_allclose(edges, GRID.edges)
    assert schema.field("ra").metadata[b"unit"] == b"deg"


@pytest.mark.parametrize("max_cdf_error", [None, 1e-3])
def test_table_comes_back_in_its_own_order(tmp_path, max_cdf_error):
    table = predictions()
    write_predictions(table, tmp_path / "p.hats", max_cdf_error)
    back, grid = read_predictions(tmp_path / "p.hats")
    assert grid == GRID and back.colnames == table.colnames and back["dec"].unit == "deg"
    for name in ("obj_id", "ra", "name", "z_phot"):
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))
    assert list(np.flatnonzero(np.isnan(back["pdf"][:, 0]))) == [5]


def test_missing_partition_is_named(folder, tmp_path):
    broken = tmp_path / "p.hats"
    shutil.copytree(folder, broken)
    gone = next(broken.rglob("Npix=*.parquet"))
    gone.unlink()
    with pytest.raises(ValueError, match=f"p.hats: not a predictions table, or truncated .*{gone.name}"):
        read_predictions(broken)


def test_a_partition_that_the_list_leaves_out_is_missed(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "p.hats")
    lines = (broken / "partition_info.csv").read_text().splitlines()
    (broken / "partition_info.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(ValueError, match=rf"its files hold \d+ galaxies, its properties say {N}"):
        read_predictions(broken)


def test_positions_are_needed(tmp_path):
    table = predictions()
    table["dec"][7] = np.nan
    with pytest.raises(ValueError, match="1 galaxies have no position on the sky, the first is obj_id"):
        write_predictions(table, tmp_path / "p.hats")
    table.remove_column("dec")
    with pytest.raises(ValueError, match="there is no column dec; write .parquet"):
        write_predictions(table, tmp_path / "p.hats")
    assert not list(tmp_path.iterdir())


def test_without_the_package_is_one_clear_line(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("hats.pixel_math")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hats", None)
    with pytest.raises(ValueError, match="p.hats: .*hats, which is not installed .*or write .parquet"):
        write_predictions(predictions(), tmp_path / "p.hats")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), number=st.integers(0, 20), keep=st.floats(0, 2))
def test_a_damaged_file_is_one_line_or_leaves_the_table_as_it_was(folder, place, bit, number, keep):
    files = sorted(folder.rglob("Npix=*.parquet")) + [folder / "partition_info.csv"]
    with tempfile.TemporaryDirectory() as other:
        broken = shutil.copytree(folder, f"{other}/p.hats")
        path = broken / files[number % len(files)].relative_to(folder)
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content[: int(keep * len(content)) if keep < 1 else len(content)])
        try:
            found, _ = read_predictions(broken)
        except ValueError as error:
            assert str(error).startswith(f"{broken}: ") and "\n" not in str(error)
            return
    np.testing.assert_array_equal(found["pdf"], predictions()["pdf"])
