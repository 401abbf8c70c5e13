import json

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.models.exports.saved_model import model_hash
from photoz_morph.morph.exported_model import ExportedMorphModel, infer_mocks
from photoz_morph.shards.mocks import read_mock_shard, write_mock_shard
from photoz_morph.surveys import LSST
from tests.support.exports import CLASSES, toy_export, toy_mocks, toy_probability
from tests.support.samples import MOCK_HEADER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return toy_export(tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="module")
def model(folder):
    return ExportedMorphModel(folder)


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    return toy_mocks(tmp_path_factory.mktemp("mocks"))


def test_stamps_of_all_shards_are_classified_in_order(model, mocks):
    paths, stamps, obj_id = mocks
    table = infer_mocks(model, paths, 10, progress=False)
    assert table["obj_id"].tolist() == obj_id and len(obj_id) == 75  # more than one batch
    expected = toy_probability(stamps[10])
    np.testing.assert_allclose(table["probability"], expected, atol=1e-5)
    np.testing.assert_allclose(table["latent"], stamps[10].mean(axis=(1, 2)), rtol=1e-3, atol=1e-3)
    assert table["class"].tolist() == [CLASSES[number] for number in expected.argmax(axis=1)]
    facts = {"model": "resnet18", "classes": "spiral,elliptical,merger", "years": 10}
    assert table.meta == facts | model.provenance() and model.provenance()["model_id"] == model_hash(model.folder)


def test_one_year_stamps_go_through_their_own_scaling_where_the_model_has_one(model, mocks, tmp_path):
    paths, stamps, _ = mocks
    found = infer_mocks(model, paths[1:], 1, progress=False)["probability"]
    np.testing.assert_allclose(found, toy_probability(stamps[1][70:], sign=-1), atol=1e-5)
    single = ExportedMorphModel(toy_export(tmp_path / "single", with_y1=False))
    found = infer_mocks(single, paths[1:], 1, progress=False)["probability"]
    np.testing.assert_allclose(found, toy_probability(stamps[1][70:]), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"binning": "sum"}, "mocks-00000.fits: BINNING is sample, .* was trained on sum; mock again with it"),
        ({"pixscale": 0.5}, "mocks-00000.fits: PIXSCALE is 1.0, .* was trained on 0.5"),
    ],
)
def test_mocks_with_other_settings_than_the_training_are_refused(mocks, tmp_path, changes, message):
    facts = {"binning": "sample", "pixscale": 1.0} | changes
    other = ExportedMorphModel(toy_export(tmp_path / "other", mocks=facts))
    with pytest.raises(ValueError, match=message):
        infer_mocks(other, mocks[0], 10, progress=False)


def test_mocks_of_another_survey_unit_or_depth_are_refused(model, mocks, tmp_path):
    with pytest.raises(ValueError, match="mocks-00000.fits: holds depths 10,1, not 5; give one of these as --years"):
        infer_mocks(model, mocks[0], 5, progress=False)
    other = ExportedMorphModel(toy_export(tmp_path / "unit", image_unit="unknown"))
    with pytest.raises(ValueError, match="unit is nJy, the training data's unknown; .*unit knows no other images"):
        infer_mocks(other, mocks[0], 10, progress=False)
    other = ExportedMorphModel(toy_export(tmp_path / "survey", survey="roman"))
    with pytest.raises(ValueError, match="survey is lsst, the training data's roman; .*survey knows no other images"):
        infer_mocks(other, mocks[0], 10, progress=False)


def test_a_bad_shard_is_refused_before_any_is_classified(model, mocks, tmp_path, monkeypatch):
    (bad,), _, _ = toy_mocks(tmp_path, (3,), BINNING="sum")
    monkeypatch.setattr(model, "predict", lambda *arguments: pytest.fail("classified too early"))
    with pytest.raises(ValueError, match="BINNING is sum"):
        infer_mocks(model, [*mocks[0], bad], 10, progress=False)


def test_stamps_of_another_shape_or_with_non_finite_pixels_are_refused(model):
    with pytest.raises(ValueError, match=r"cutouts: stamps of shape \(2, 3, 100, 100\) have their bands first"):
        model.predict(np.zeros((2, 3, 100, 100)), "cutouts")
    with pytest.raises(ValueError, match=r"shape \(100, 100, 3\); .*model takes \(n, 100, 100, 3\) in bands g,r,i"):
        model.predict(np.zeros((100, 100, 3)))
    image = np.zeros((4, 100, 100, 3))
    image[2, 5, 6, 0], image[3, 0, 0, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"stamps: stamp 2 has non-finite pixels \(2 such stamps in total\)"):
        model.predict(image)


def test_a_folder_without_a_morphology_model_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="estimator.json.* `morph export`"):
        ExportedMorphModel(tmp_path)
    path, good = tmp_path / "estimator.json", json.loads((folder / "estimator.json").read_text())
    path.write_text(json.dumps(good | {"task": "photoz"}))
    with pytest.raises(ValueError, match="estimator.json: not a model of morph; give the folder of a `morph export`"):
        ExportedMorphModel(tmp_path)
    path.write_text(json.dumps({key: value for key, value in good.items() if key not in ("mocks", "bands")}))
    with pytest.raises(ValueError, match="estimator.json: bands, mocks missing; export the model again"):
        ExportedMorphModel(tmp_path)


def test_a_stamp_whose_network_overflows_keeps_its_row_without_a_class(model, tmp_path):
    (path,), stamps, _ = toy_mocks(tmp_path, (3,))
    images, table, _ = read_mock_shard(path)
    images[10][1] = 1e38  # finite, its sum over a band is not
    write_mock_shard(path, images, table, MOCK_HEADER)
    found = infer_mocks(model, [path], 10, progress=False)
    expected = toy_probability(stamps[10]).argmax(axis=1)
    assert found["class"].tolist() == [CLASSES[expected[0]], "", CLASSES[expected[2]]]
    assert np.isnan(found["probability"][1]).all() and np.isnan(found["latent"][1]).all()


def test_a_partition_without_a_single_good_stamp_keeps_its_rows(model):
    images, table = np.full((2, *LSST.image_shape), np.nan, np.float32), Table({"obj_id": [1, 2], "group_id": [1, 2]})
    found = model.classify(images, table)
    assert found["class"].tolist() == ["", ""] and found["flag"].tolist() == [1, 1]
    assert found["probability"].shape == (2, 3) and np.isnan(found["latent"]).all()
