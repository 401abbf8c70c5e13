"""Streaming classification: the same rows as in memory, in parts that outlive an interruption."""

import numpy as np
import pytest

from photoz_morph.morph import infer
from photoz_morph.morph.exported_model import ExportedMorphModel, infer_mocks
from photoz_morph.morph.infer import infer_stamps
from photoz_morph.morph.stamp_source import MockPartition, open_stamps
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from photoz_morph.system.tables import read_fits, read_parquet
from tests.morph.robustness.test_fragility import model_of
from tests.support.exports import toy_export, toy_mocks
from tests.support.samples import MOCK_HEADER, shape_mocks

READ = {".fits": read_fits, ".parquet": read_parquet}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ExportedMorphModel(toy_export(tmp_path_factory.mktemp("toy") / "model"))


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """Paths of three shards, whose folder is that of the first."""
    return toy_mocks(tmp_path_factory.mktemp("mocks"), (6, 5, 2))[0]


def assert_same(table, expected):
    assert table.colnames == expected.colnames and table.meta == expected.meta
    for name in table.colnames:
        np.testing.assert_array_equal(np.asarray(table[name]), np.asarray(expected[name]), err_msg=name)


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("years", [10, 1])
def test_the_table_is_that_of_all_stamps_in_order(model, mocks, tmp_path, suffix, years):
    source = open_stamps(mocks[0].parent, model, years)
    made = infer_stamps(model, source, tmp_path / f"c{suffix}", years, progress=False)
    table = READ[suffix](tmp_path / f"c{suffix}")
    assert_same(table, infer_mocks(model, mocks, years, progress=False))
    assert made.n_rows == 13 and made.n_missing == 0 and made.n_fragile is None
    assert made.counts == {name: (table["class"] == name).sum() for name in model.classes}
    assert [path.name for path in tmp_path.iterdir()] == [f"c{suffix}"]


def test_finished_parts_are_kept_and_those_of_other_years_refused(model, mocks, tmp_path, monkeypatch):
    source, out = open_stamps(mocks[0].parent, model, 10), tmp_path / "c.fits"
    made = infer_stamps(model, source, out, 10, share=(2, 2), progress=False)
    assert made.counts is None and made.n_missing == 2 and not out.exists()
    with pytest.raises(ValueError, match=r"c.fits.parts: its parts were computed with .*years 10 \(this run has 1\)"):
        infer_stamps(model, open_stamps(mocks[0].parent, model, 1), out, 1, progress=False)
    with pytest.raises(ValueError, match=r"max_queries None \(this run has 7\)"):
        infer_stamps(model, source, out, 10, 7, progress=False)
    read, one = [], MockPartition.read
    monkeypatch.setattr(MockPartition, "read", lambda part: read.append(part.name) or one(part))
    infer_stamps(model, source, out, 10, progress=False)
    assert read == ["mocks-00000", "mocks-00002"]
    assert_same(read_fits(out), infer_mocks(model, mocks, 10, progress=False))


def test_the_brightest_pixel_of_one_partition_bounds_the_search_in_another(model, tmp_path, monkeypatch):
    # A merger where a pixel is above 40 nJy in band 0, which only one pixel of the second shard is.
    judge = model_of(lambda stamps: 0.5 * (stamps[..., 0].max(axis=(1, 2)) - 40))
    monkeypatch.setattr(model, "predict", lambda images, source="", years=10: {
        "latent": np.zeros((len(images), 1)), **judge.predict(images, years=years)})  # fmt: skip
    monkeypatch.setattr(model, "classes", judge.classes)
    for index in range(2):
        images, table = shape_mocks(2, first_id=10 * index)
        rng = np.random.default_rng(index)
        images = {years: rng.normal(size=part.shape) for years, part in images.items()}
        if index:
            images[10][0, 71, 13, 0] = 50
        write_mock_shard(mock_shard_path(tmp_path, index), images, table, MOCK_HEADER)
    source, out = open_stamps(tmp_path, model, 10), tmp_path / "c.parquet"
    infer_stamps(model, source, out, 10, 64, share=(1, 2), progress=False)
    looked, one = [], infer.pixel_range
    monkeypatch.setattr(infer, "pixel_range", lambda stamps: looked.append(1) or one(stamps))
    made = infer_stamps(model, source, out, 10, 64, progress=False)
    table = read_parquet(out)
    assert table["fragile"].tolist() == [True, True, False, True]  # the third has its bright pixel already
    assert table["fragile_class"].tolist() == ["merger", "merger", "", "merger"] and made.n_fragile == 3
    assert table["fragile_queries"][2] == 64 == table.meta["budget"]
    assert not looked  # the range was kept with the parts
    alone = infer_stamps(model, open_stamps(mock_shard_path(tmp_path, 0), model, 10), tmp_path / "a.fits", 10, 64,
                         progress=False)  # fmt: skip
    assert alone.n_fragile == 0


def test_a_broken_stamp_is_a_row_without_a_class(model):
    images, table = shape_mocks(4)
    images[10][1, 2, 3, 0], images[10][2] = np.nan, np.nan
    table = table[["obj_id", "group_id"]]
    table["flag"], table["flag_reason"] = [0, 0, 1, 0], ["", "", "no frame covers it", ""]
    found = model.classify(images[10], table, 10)
    assert found["flag"].tolist() == [0, 1, 1, 0]
    assert found["flag_reason"].tolist() == ["", "1 pixels are not finite", "no frame covers it", ""]
    assert [name == "" for name in found["class"]] == [False, True, True, False]
    assert np.isnan(found["probability"]).all(axis=1).tolist() == [False, True, True, False]
