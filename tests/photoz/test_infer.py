"""Streaming inference: the same rows whatever the partitions, the format, and the moments at which it was killed."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table, vstack

from photoz_morph.catalogs.dust import EBV_SOURCE, sfd_ebv
from photoz_morph.photoz.infer import (
    CatalogReddening,
    first_images,
    infer_images,
    infer_partition,
    infer_source,
    rehearse_source,
)
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from photoz_morph.streaming.working_folder import WorkingFolder
from tests.catalogs.test_dust import known_ebv, write_map
from tests.support.streams import SIZES, MadePartition, NumpyModel, made_source

FORMATS = ("p.fits", "p.parquet", "p.hdf5", "p.hats")


@pytest.fixture
def model(tmp_path):
    return NumpyModel(tmp_path / "model")


@pytest.fixture(scope="module")
def whole():
    """Predictions of all galaxies, computed partition by partition in memory."""
    model = NumpyModel("nowhere")
    return vstack([infer_partition(model, one, "stacked") for one in made_source(SIZES).partitions])


def assert_same(table, expected):
    assert table.colnames == expected.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(np.asarray(table[name]), np.asarray(expected[name]), err_msg=name)


@pytest.mark.parametrize("out", FORMATS)
def test_every_format_has_the_rows_of_the_source_in_order(tmp_path, model, whole, out):
    if out == "p.hats":
        pytest.importorskip("hats")
    made = infer_source(model, made_source(SIZES), tmp_path / out, progress=False)
    table, grid = read_predictions(tmp_path / out)
    assert grid == model.grid and table.meta["origin"] == "stacked" and len(table) == made.n_rows == sum(SIZES)
    if out == "p.hdf5":  # from density to probability and back
        np.testing.assert_allclose(table["pdf"], whole["pdf"], rtol=1e-6)
        table["pdf"] = whole["pdf"]
    assert_same(table, whole)
    assert made.n_flagged == (whole["flag"] != 0).sum() and made.n_missing == 0
    assert_same(made.head, whole[:20])
    assert [path.name for path in tmp_path.iterdir()] == [out]


@pytest.mark.parametrize("out", FORMATS)
def test_joined_parts_are_the_file_of_the_whole_table(tmp_path, model, whole, out):
    if out == "p.hats":
        pytest.importorskip("hats")
    infer_source(model, made_source(SIZES), tmp_path / out, progress=False)
    whole.meta = {**read_predictions(tmp_path / out)[0].meta}
    write_predictions(whole, tmp_path / f"whole_{out}")
    read = [read_predictions(tmp_path / name)[0] for name in (out, f"whole_{out}")]
    assert_same(*read)
    assert read[0].meta == read[1].meta
    assert [column.unit for column in read[0].itercols()] == [column.unit for column in read[1].itercols()]


def test_what_cannot_be_predicted_is_a_row_with_the_reason(model):
    images, table = MadePartition(0, 40).read()
    table["ra"][15], table["ebv"][15] = np.nan, np.nan
    found = infer_images(model, images, table, "stacked")
    reasons = {str(reason) for reason in found["flag_reason"]} - {""}
    assert reasons == {
        "no frame covers it", "1 pixels in band i are not finite", "no E(B-V), nor a position for the dust map",
        "the network gives no finite PDF",
    }  # fmt: skip
    assert np.array_equal(found["flag"] != 0, found["flag_reason"] != "")
    assert np.array_equal(np.isnan(found["z_phot"]), found["flag"] != 0)
    assert np.array_equal(np.isnan(found["pdf"]).all(axis=1), found["flag"] != 0)
    assert found["obj_id"].tolist() == table["obj_id"].tolist()


def test_reddening_is_the_catalogues_then_the_tables_then_the_maps_and_is_recorded(model):
    images, table = MadePartition(0, 7).read()
    catalog = Table({"obj_id": [6, 1, 99], "ebv": [0.7, np.nan, 0.3]})
    found = infer_images(model, images, table, "stacked", reddening=CatalogReddening(catalog))
    by_id = {row["obj_id"]: (row["ebv"], row["ebv_source"]) for row in found}
    assert by_id[6] == (0.7, "catalogue") and by_id[1] == (0.1, "given")
    row = found[found["obj_id"] == 4][0]  # the third, whose E(B-V) is NaN
    assert row["ebv_source"] == EBV_SOURCE and row["ebv"] == pytest.approx(sfd_ebv(row["ra"], row["dec"]))


def test_a_map_of_the_user_goes_before_the_shipped_one(model, tmp_path):
    images, table = MadePartition(0, 8).read()
    table["ebv_source"] = ["catalogue", EBV_SOURCE] * 4  # the second of each pair by the reader of the format
    found = infer_images(model, images, table, "stacked", dust=f"sfdmap:{write_map(tmp_path / 'maps')}")
    from_map = found["ebv_source"] == "SFD98 by sfdmap2"
    assert np.array_equal(from_map, np.isnan(table["ebv"]) | (table["ebv_source"] == EBV_SOURCE))
    np.testing.assert_allclose(found["ebv"][from_map], known_ebv(found["ra"], found["dec"])[from_map], atol=1e-5)


def test_predictions_name_model_and_images(model):
    images, table = MadePartition(0, 3).read()
    meta = infer_images(model, images, table, "stacked", facts={"engine": "swarp"}).meta
    assert meta["model_id"] == "numpy" and meta["engine"] == "swarp" and meta["bands"] == "u,g,r,i,z"


def test_another_engine_than_that_of_the_training_data_is_a_remark_or_refused(model, tmp_path):
    model.trained_on["engine"] = "lanczos"
    with pytest.warns(UserWarning, match="made: stacking engine is swarp, the training data's lanczos"):
        infer_source(model, made_source((3,)), tmp_path / "p.fits", progress=False)
    with pytest.raises(ValueError, match="stacking engine is swarp, the training data's lanczos; make the stacks"):
        infer_source(model, made_source((3,)), tmp_path / "q.fits", progress=False, same_engine=True)
    assert not list(tmp_path.glob("q.fits*"))


def test_a_table_without_reddening_and_flag_gets_both(model):
    images, table = MadePartition(0, 2).read()
    table.remove_columns(["ebv", "flag", "flag_reason"])
    found = infer_images(model, images, table, "stacked")
    np.testing.assert_allclose(found["ebv"], sfd_ebv(table["ra"], table["dec"]))
    assert set(found["ebv_source"]) == {EBV_SOURCE} and not found["flag"].any()


def test_killed_at_any_moment_and_resumed_it_gives_the_same_file(tmp_path, whole):
    words = [sys.executable, "-m", "tests.support.streams", str(tmp_path / "p.fits"), "0.05"]
    moments, n_parts = random.Random(3), []

    def finished():
        return len(list((tmp_path / "p.fits.parts").glob("*.parquet")))

    for number in range(6):
        process, before = subprocess.Popen(words, stdout=subprocess.PIPE), finished()
        assert process.stdout.readline() == b"begun\n"
        while number % 3 and finished() == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        n_parts.append(finished())
    assert n_parts == sorted(n_parts) and 0 < n_parts[-1] < len(SIZES)
    subprocess.run(words, check=True)
    assert_same(read_predictions(tmp_path / "p.fits")[0], whole)
    assert [path.name for path in tmp_path.iterdir()] == ["p.fits"]


def test_shares_of_several_processes_are_joined_by_the_last(tmp_path, whole):
    words = [sys.executable, "-m", "tests.support.streams", str(tmp_path / "p.parquet"), "0.05"]
    processes = [subprocess.Popen([*words, f"{number}/3"]) for number in (1, 2, 3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert_same(read_predictions(tmp_path / "p.parquet")[0], whole)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_a_share_says_how_many_partitions_are_missing(tmp_path, model, whole):
    made = infer_source(model, made_source(SIZES), tmp_path / "p.fits", share=(2, 3), progress=False)
    assert made.head is None and made.n_missing == 8 and not (tmp_path / "p.fits").exists()
    made = infer_source(model, made_source(SIZES), tmp_path / "p.fits", progress=False)  # the whole takes over
    assert made.n_missing == 0
    assert_same(read_predictions(tmp_path / "p.fits")[0], whole)


@pytest.mark.parametrize("out", ["p.fits", "p.hats"])
def test_killed_after_the_join_it_only_removes_the_parts(tmp_path, model, whole, out, monkeypatch):
    if out == "p.hats":
        pytest.importorskip("hats")
    with monkeypatch.context() as patch:
        patch.setattr(WorkingFolder, "remove", lambda work: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception, match="killed"):
            infer_source(model, made_source(SIZES), tmp_path / out, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [out, f"{out}.parts"]
    monkeypatch.setattr(MadePartition, "read", lambda *_: pytest.fail("computed again"))
    infer_source(model, made_source(SIZES), tmp_path / out, progress=False)
    assert_same(read_predictions(tmp_path / out)[0], whole)
    assert [path.name for path in tmp_path.iterdir()] == [out]


def test_finished_parts_are_not_computed_again(tmp_path, model, monkeypatch):
    infer_source(model, made_source(SIZES), tmp_path / "p.fits", share=(1, 1 + len(SIZES) // 2), progress=False)
    read = []
    one = MadePartition.read
    monkeypatch.setattr(MadePartition, "read", lambda part: read.append(part.name) or one(part))
    infer_source(model, made_source(SIZES), tmp_path / "p.fits", progress=False)
    names = [part.name for part in made_source(SIZES).partitions]
    assert read == [name for number, name in enumerate(names) if number % (1 + len(SIZES) // 2)]


def test_parts_of_other_settings_or_of_another_model_are_refused(tmp_path, model):
    source = made_source(SIZES)
    infer_source(model, source, tmp_path / "p.fits", {"combine": "median"}, share=(1, 2), progress=False)
    with pytest.raises(ValueError, match=r"p.fits.parts: its parts were computed with combine median \(this run has"):
        infer_source(model, source, tmp_path / "p.fits", {"combine": "average"}, progress=False)
    source.fingerprint = "other"
    with pytest.raises(ValueError, match=r"computed with images made \(this run has other\); remove the folder"):
        infer_source(model, source, tmp_path / "p.fits", {"combine": "median"}, progress=False)
    model.folder.mkdir()
    (model.folder / "estimator.json").write_text("{}")
    source.fingerprint = "made"
    with pytest.raises(ValueError, match=r"computed with model \w+ \(this run has \w+\)"):
        infer_source(model, source, tmp_path / "p.fits", {"combine": "median"}, progress=False)


def test_the_rehearsal_reads_every_partition_and_names_the_source(tmp_path):
    source = made_source(SIZES)
    rehearse_source(source, tmp_path / "p.fits", progress=False)
    assert not list(tmp_path.iterdir())

    class Named(MadePartition):
        def read_table(self):
            table = super().read_table()
            table["z_phot"] = 0.1
            return table

    source.partitions = (*source.partitions, Named(79, 3))
    with pytest.raises(ValueError, match="^made: catalogue column z_phot would be overwritten"):
        rehearse_source(source, tmp_path / "p.fits", progress=False)


def test_vectors_that_no_column_can_hold_together_are_named_before_the_work(tmp_path):
    class WithVector(MadePartition):
        def read_table(self):
            table = super().read_table()
            table["mags"] = np.zeros((self.n_rows, 5 if self.first < 79 else 3))
            return table

    source = made_source(SIZES)
    source.partitions = (*source.partitions, WithVector(70, 3), WithVector(79, 3))
    message = r"^made: column mags has vectors of different lengths, \(5,\) and, in made-00079-3, \(3,\); make them"
    with pytest.raises(ValueError, match=message):
        rehearse_source(source, tmp_path / "p.fits", progress=False)


def test_a_position_that_hats_needs_is_asked_for_before_the_work(tmp_path):
    pytest.importorskip("hats")

    class Lost(MadePartition):
        def read_table(self):
            table = super().read_table()
            table["dec"][1] = np.nan
            return table

    source = made_source(SIZES)
    source.partitions = (*source.partitions, Lost(79, 3))
    with pytest.raises(ValueError, match="p.hats: 1 galaxies have no position on the sky, the first is obj_id 80"):
        rehearse_source(source, tmp_path / "p.hats", progress=False)


def test_a_source_of_another_survey_is_refused(tmp_path, model):
    source = made_source(SIZES)
    source.survey = replace(source.survey, name="legacy")
    with pytest.raises(ValueError, match="made: survey is legacy, the training data's sdss; .*model knows no other"):
        infer_source(model, source, tmp_path / "p.fits", progress=False)
    assert not list(tmp_path.iterdir())


def test_first_images_are_those_of_the_first_partition():
    source = made_source(SIZES)
    np.testing.assert_array_equal(first_images(source, 20), source.partitions[0].read()[0])
    np.testing.assert_array_equal(first_images(source, 2), source.partitions[0].read()[0][:2])
