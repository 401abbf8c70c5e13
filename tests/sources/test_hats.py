import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photoz_morph.sources import hats
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks

SMALL = replace(SDSS, name="small", bands=("g", "r", "z"), stamp_size=8, frames=None)
BANDS = ["u", "g", "r", "i", "z"]


def galaxies(n, first_id=0):
    """Cubes (n, bands, 8, 8) in u, g, r, i, z, what SMALL is to see of them, and columns."""
    images, table = colour_stacks(n, first_id)
    images = images[:, 28:36, 28:36]
    columns = {"object_id": np.asarray(table["obj_id"]) + 100, "ra": table["ra"], "dec": table["dec"],
               "redshift": table["z_spec"], "ebv": table["ebv"]}  # fmt: skip
    cubes = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    return cubes, images[..., [1, 2, 4]], {name: np.asarray(values) for name, values in columns.items()}


def write(path, columns, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def pixel(folder, order, number):
    return folder / "dataset" / f"Norder={order}" / "Dir=0" / f"Npix={number}.parquet"


def flat(array, sizes, fixed):
    """Nested Arrow lists of an array of shape (n, *sizes)."""
    made = pa.array(array.ravel())
    for size in sizes[::-1]:
        if fixed:
            made = pa.FixedSizeListArray.from_arrays(made, size)
        else:
            made = pa.ListArray.from_arrays(np.arange(0, len(made) + 1, size, dtype=np.int32), made)
    return made


def struct_of_lists(cubes, bands=BANDS, scale=0.396, **more):
    """A row of the Multimodal Universe: struct of lists band, flux, psf_fwhm, ivar, mask, scale."""
    return pa.array([
        {"band": list(bands), "flux": cube.tolist(), "ivar": np.ones_like(cube).tolist(),
         "mask": np.zeros(cube.shape, bool).tolist(), "psf_fwhm": [1.3] * len(bands), "scale": [scale] * len(bands)}
        | {name: [value] * len(bands) for name, value in more.items()}
        for cube in cubes
    ])  # fmt: skip


def list_of_structs(cubes, bands=BANDS, scale=0.396):
    return pa.array([
        [{"flux": plane.tolist(), "filter": band, "pixel_size": scale} for plane, band in zip(cube, bands)]
        for cube in cubes
    ])  # fmt: skip


FORMS = {
    "lists": lambda cubes: {"image": flat(cubes, cubes.shape[1:], False), "filters": [BANDS] * len(cubes)},
    "fixed": lambda cubes: {"cutout": flat(cubes, cubes.shape[1:], True), "bands": ["u,g,r,i,z"] * len(cubes)},
    "flat": lambda cubes: {"image": flat(cubes, [cubes[0].size], True), "bands": [BANDS] * len(cubes)},
    "bands flat": lambda cubes: {"image": pa.array([{"flux": cube.reshape(5, -1).tolist(), "band": BANDS}
                                                    for cube in cubes])},
    "struct": lambda cubes: {"image": struct_of_lists(cubes)},
    "structs": lambda cubes: {"image": list_of_structs(cubes)},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*is taken for")
@pytest.mark.parametrize("form", FORMS)
def test_cubes_of_every_form_come_back_with_the_bands_picked_by_name(tmp_path, form):
    cubes, images, columns = galaxies(6)
    for number, rows in ((3, slice(0, 4)), (7, slice(4, 6))):
        part = {name: values[rows] for name, values in columns.items()} | FORMS[form](cubes[rows])
        write(pixel(tmp_path / "cat", 2, number), part, row_group_size=3)
    source = open_source(tmp_path / "cat", SMALL)
    assert [(part.name, part.n_rows) for part in source.partitions] == [("order2-pixel3", 4), ("order2-pixel7", 2)]
    read = [partition.read() for partition in pickle.loads(pickle.dumps(source.partitions))]
    assert np.array_equal(np.concatenate([part for part, _ in read]), images)
    table = np.concatenate([table["obj_id"] for _, table in read])
    assert list(table) == list(columns["object_id"]) and not any(part["flag"].any() for _, part in read)
    assert np.array_equal(np.concatenate([part["z_spec"] for _, part in read]), columns["redshift"])
    assert list(source.partitions[1].read_table()["ebv"]) == list(columns["ebv"][4:])
    few, few_table = source.partitions[0].read(np.array([3, 0]))
    assert np.array_equal(few, images[[3, 0]]) and list(few_table["obj_id"]) == [103, 100]


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_units_are_converted_and_large_stamps_cut(tmp_path):
    cubes, images, columns = galaxies(2)
    large = np.pad(cubes, ((0, 0), (0, 0), (3, 3), (2, 2)))
    for name, more in (("unit", {"unit": "nJy"}), ("zero", {"zero_point": 31.4})):
        path = write(tmp_path / f"{name}.parquet", columns | {"image": struct_of_lists(large * 3631, **more)})
        read, table = open_source(path, SMALL).partitions[0].read()
        np.testing.assert_allclose(read, images, rtol=2e-4)
        assert not table["flag"].any()


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_a_bad_row_is_flagged_in_its_place(tmp_path):
    cubes, images, columns = galaxies(7)
    rows = struct_of_lists(cubes).to_pylist()
    rows[1] = None
    rows[2] |= {"band": BANDS[:4], "flux": rows[2]["flux"][:4]}
    rows[3]["flux"][2][1] = [1.0]
    rows[4]["scale"] = [0.2] * 5
    rows[5]["flux"][1][0][0] = float("nan")
    rows[6]["flux"] = (cubes[6, :, :6]).tolist()
    path = write(tmp_path / "a.parquet", columns | {"image": pa.array(rows)})
    read, table = open_source(path, SMALL).partitions[0].read()
    assert list(table["obj_id"]) == list(range(100, 107)) and list(table["flag"]) == [0, 1, 1, 1, 1, 1, 1]
    assert np.array_equal(read[0], images[0]) and np.isnan(read[1:]).all()
    for reason, said in zip(table["flag_reason"][1:], ("no image", "needs z too", "different lengths", "0.2 arcsec",
                                                       "1 pixels in band g", "6 x 8 pixels")):  # fmt: skip
        assert said in reason


@pytest.mark.filterwarnings("ignore:.*is taken for")
@pytest.mark.parametrize("group", [3, 100])
def test_a_large_partition_is_divided_without_changing_the_order(tmp_path, monkeypatch, group):
    cubes, images, columns = galaxies(11)
    path = write(pixel(tmp_path, 0, 4), columns | FORMS["fixed"](cubes), row_group_size=group)
    whole = open_source(tmp_path, SMALL)
    monkeypatch.setattr(hats, "STAMP_BYTES", 4 * 8 * 8 * 3 * 4)
    monkeypatch.setattr(hats, "BATCH_ROWS", 2)
    source = open_source(tmp_path, SMALL)
    assert [part.name for part in source.partitions][:2] == ["order0-pixel4-00000", "order0-pixel4-00001"]
    assert max(part.n_rows for part in source.partitions) <= 4 and source.n_rows == whole.n_rows == 11
    read = [partition.read() for partition in source.partitions]
    assert np.array_equal(np.concatenate([part for part, _ in read]), images)
    assert list(np.concatenate([table["obj_id"] for _, table in read])) == list(columns["object_id"])
    assert path.exists() and source.fingerprint == whole.fingerprint


@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_columns_have_one_type_in_all_partitions(tmp_path):
    cubes, _, columns = galaxies(4)
    for number, counts in ((0, [1, None]), (1, [3, 4])):
        rows = slice(2 * number, 2 * number + 2)
        part = {name: values[rows] for name, values in columns.items()} | FORMS["lists"](cubes[rows])
        part |= {"count": pa.array(counts, pa.int64()), "big": pa.array([2**60, counts[1]], pa.int64())}
        write(pixel(tmp_path, 1, number), part)
    tables = [partition.read_table() for partition in open_source(tmp_path, SMALL).partitions]
    assert [table["count"].dtype for table in tables] == [float, float] and np.isnan(tables[0]["count"][1])
    assert [list(table["big"]) for table in tables] == [[str(2**60), ""], [str(2**60), "4"]]


@pytest.mark.filterwarnings("ignore:.*is taken for")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of lsdb itself
def test_a_catalogue_written_by_lsdb_is_read(tmp_path):
    lsdb = pytest.importorskip("lsdb")
    import pandas as pd

    cubes, images, columns = galaxies(5)
    frame = pd.DataFrame(columns)
    frame["image"] = pd.Series(struct_of_lists(cubes), dtype=pd.ArrowDtype(struct_of_lists(cubes).type))
    lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec").write_catalog(tmp_path / "cat", catalog_name="cat")
    source = open_source(tmp_path / "cat", SMALL)
    read = [partition.read() for partition in source.partitions]
    order = np.concatenate([table["obj_id"] for _, table in read]) - 100
    assert sorted(order) == list(range(5))
    assert np.array_equal(np.concatenate([part for part, _ in read]), images[order])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda cubes: {"image": struct_of_lists(cubes, scale=0.262)}, "pixels of 0.262 arcsec, small has 0.396"),
        (lambda cubes: {"image": struct_of_lists(cubes, "ugiyz")}, "small needs r too"),
        (lambda cubes: {"image": struct_of_lists(cubes, unit="adu")}, "unit 'adu' cannot be converted"),
        (lambda cubes: {"image": struct_of_lists(cubes[:, :, :4])}, "4 x 8 pixels, small needs 8 x 8"),
        (lambda cubes: {"spectrum": [[1.0, 2.0]] * len(cubes)}, "no columns hold image cubes"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is taken for")
def test_a_catalogue_that_does_not_fit_is_refused_in_one_line(tmp_path, change, message):
    cubes, _, columns = galaxies(3)
    path = write(tmp_path / "a.parquet", columns | change(cubes))
    with pytest.raises(ValueError, match=message) as caught:
        open_source(path, SMALL)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_damaged_and_empty_files_are_refused(tmp_path):
    cubes, _, columns = galaxies(3)
    path = write(tmp_path / "a.parquet", columns | FORMS["fixed"](cubes))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="a.parquet: cannot be read as Parquet"):
        open_source(path, SMALL)
    write(path, {name: values[:0] for name, values in columns.items()} | {"image": struct_of_lists(cubes)[:0]})
    with pytest.raises(ValueError, match="have no rows"):
        open_source(path, SMALL)
