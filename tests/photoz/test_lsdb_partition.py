"""Prediction of the partitions of an LSDB catalogue, as its users call it."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from photoz_morph.photoz import lsdb_partition
from photoz_morph.photoz.infer import infer_images
from photoz_morph.photoz.lsdb_partition import predict_partition
from tests.support.streams import TINY_SDSS, MadePartition, NumpyModel

lsdb = pytest.importorskip("lsdb")

N = 60


def cutouts():
    """Frame of galaxies with images (band, height, width), the pixels and rows that are to be seen, and their table."""
    images, table = MadePartition(0, N).read()
    table["ra"], table["dec"] = np.linspace(10, 350, N), np.linspace(-60, 60, N)
    cubes = np.moveaxis(images, -1, 1).tolist()
    cubes[2] = None
    frame = pd.DataFrame({name: np.asarray(table[name]) for name in ("obj_id", "ra", "dec", "ebv")})
    kind = pd.ArrowDtype(pa.list_(pa.list_(pa.list_(pa.float32()))))
    frame["image"] = pd.Series(pa.array(cubes, kind.pyarrow_dtype), dtype=kind)
    return frame, images, table


@pytest.fixture(autouse=True)
def model(monkeypatch):
    loaded = []
    monkeypatch.setattr(lsdb_partition, "_load", lambda folder: loaded.append(folder) or NumpyModel(folder))
    return loaded


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """HATS catalogue of several partitions."""
    path = tmp_path_factory.mktemp("lsdb") / "cutouts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        orders = {"lowest_order": 1, "highest_order": 3}
        made = lsdb.from_dataframe(cutouts()[0], **orders, partition_rows=20, margin_threshold=None)
        made.write_catalog(path, catalog_name="cutouts")
        return lsdb.open_catalog(path)


def expected():
    images, table = cutouts()[1:]
    images[2] = np.nan
    return infer_images(NumpyModel("export"), images, table, "stacked")


def test_a_frame_keeps_its_rows_columns_and_index():
    frame, *_ = cutouts()
    frame.index = np.arange(N) * 3
    found = predict_partition(frame, "export")
    assert list(found.index) == list(frame.index) and list(found.columns[:4]) == ["obj_id", "ra", "dec", "ebv"]
    whole = expected()
    np.testing.assert_allclose(found["z_phot"].to_numpy(float), whole["z_phot"], rtol=1e-6)
    np.testing.assert_array_equal(found["inception_z_err68_high"], found["z_upper"])
    bad = found["flag"].to_numpy() != 0
    assert bad.tolist() == (np.isnan(whole["z_phot"])).tolist() and bad[2]
    assert found["flag_reason"].iloc[2] == "no image"
    assert (found["flag_reason"].to_numpy() != "").tolist() == bad.tolist()


def test_an_empty_frame_has_the_columns_and_types_of_a_full_one():
    frame, *_ = cutouts()
    full, empty = predict_partition(frame, "export"), predict_partition(frame[:0], "export")
    assert len(empty) == 0 and full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert "image" not in empty.columns


def test_map_partitions_gives_a_catalogue_with_nested_pdfs(catalog, tmp_path):
    assert len(catalog.get_healpix_pixels()) > 1
    predicted = catalog.map_partitions(predict_partition, model="export")
    predicted.write_catalog(tmp_path / "photoz", catalog_name="photoz")
    found = lsdb.open_catalog(tmp_path / "photoz").compute().sort_values("ra")
    whole = expected()
    assert len(found) == N and set(found["obj_id"]) == set(whole["obj_id"])
    np.testing.assert_allclose(found["inception_z_mean"].to_numpy(float), whole["z_phot"], rtol=1e-6)
    pdf = np.stack([one["probability"].to_numpy() for one in found["pdf"]])
    np.testing.assert_allclose(pdf, whole["pdf"], rtol=1e-6)
    grid = NumpyModel("export").grid
    np.testing.assert_allclose(found["pdf.z"].to_numpy(float).reshape(N, -1)[0], grid.midpoints)


def test_images_of_no_column_are_one_line():
    frame = cutouts()[0].drop(columns=["image"])
    with pytest.raises(ValueError, match="partition: no columns hold image cubes"):
        predict_partition(frame, "export")


def test_a_long_partition_is_predicted_a_thousand_galaxies_at_a_time(monkeypatch):
    seen = []
    monkeypatch.setattr(lsdb_partition, "rows_at_once", lambda row_bytes: seen.append(row_bytes) or 7)
    frame, *_ = cutouts()
    found = predict_partition(frame, "export")
    np.testing.assert_allclose(found["z_phot"].to_numpy(float), expected()["z_phot"], rtol=1e-6)
    assert seen == [np.prod(TINY_SDSS.image_shape) * 4]
