from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.blend.predictions import (
    blend_predictions,
    check_blend_predictions,
    read_blend_predictions,
    write_blend_predictions,
)
from photoz_morph.shards.blends import DISK, STAR
from tests.support.blends import META, numbered, random_scenes, true_detections


@pytest.fixture(scope="module")
def predictions():
    """Of three images, the second without a detection."""
    scenes = numbered(random_scenes(3, 0))
    tables, maps = zip(*map(true_detections, scenes))
    tables[0]["extra"], tables[1]["extra"], tables[2]["extra"] = (np.arange(len(table)) for table in tables)
    ids = [scene.obj_id for scene in scenes]
    parts = [tables[0], tables[1][:0], tables[2]], [maps[0], np.zeros_like(maps[1]), maps[2]]
    return blend_predictions({"obj_id": ids, "group_id": ids}, *parts, {**META, "settings": "x" * 300})


def test_detections_and_maps_come_back(predictions, tmp_path):
    write_blend_predictions(predictions, tmp_path / "found.fits")
    read = read_blend_predictions(tmp_path / "found.fits")
    assert read.table.colnames == predictions.table.colnames and "extra" in read.table.colnames
    for name in read.table.colnames:
        np.testing.assert_array_equal(read.table[name], predictions.table[name])
    assert read.table.meta == predictions.table.meta and read.table["y"].description == "row [pixel]"
    np.testing.assert_array_equal(read.segmentation, predictions.segmentation)
    for name in ("obj_id", "group_id", "n_detections"):
        np.testing.assert_array_equal(read.images[name], predictions.images[name])
    with fits.open(tmp_path / "found.fits", disable_image_compression=True) as hdus:
        assert hdus[3].header["ZCMPTYPE"] == "RICE_1" and all("CHECKSUM" in hdu.header for hdu in hdus)


def test_rows_say_of_which_image_and_number_they_are_and_what(predictions):
    first, none, last = predictions.of_images()
    assert len(none) == 0 and set(first["obj_id"]) == {100} and set(last["obj_id"]) == {102}
    assert last["number"].tolist() == list(range(1, len(last) + 1))
    assert set(predictions.table["kind"]) == {STAR, DISK}
    np.testing.assert_array_equal(predictions.table["kind"], predictions.table["probability"].argmax(axis=1))


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("score", np.nan, "1 scores are not finite"),
        ("probability", 0.0, "probabilities of a detection add up to 0, not 1"),
        ("obj_id", 7, "12 detections, 3 images with 12 and 3 maps are not of each other"),
    ],
)
def test_wrong_values_are_refused(predictions, name, value, message):
    table = predictions.table.copy()
    table[name][1] = value
    with pytest.raises(ValueError, match=f"a.fits: {message}"):
        check_blend_predictions(replace(predictions, table=table), "a.fits")


def test_contradictions_are_refused(predictions, tmp_path):
    table, images, segmentation = predictions.table.copy(), predictions.images.copy(), predictions.segmentation.copy()
    segmentation[1, 0, 0] = 1
    with pytest.raises(ValueError, match="the map of image 101 has detection 1, its table 0"):
        check_blend_predictions(replace(predictions, segmentation=segmentation), "a.fits")
    images["obj_id"][1] = 100
    with pytest.raises(ValueError, match="an image is there twice"):
        check_blend_predictions(replace(predictions, images=images), "a.fits")
    del table.meta["zeropt"]
    with pytest.raises(ValueError, match="the header lacks zeropt"):
        check_blend_predictions(replace(predictions, table=table), "a.fits")
    table = predictions.table.copy()
    del table["box"]
    with pytest.raises(ValueError, match="lack column box"):
        check_blend_predictions(replace(predictions, table=table), "a.fits")
    with pytest.raises(ValueError, match="found.txt: predictions are written as .fits"):
        write_blend_predictions(predictions, tmp_path / "found.txt")


def test_files_that_are_no_predictions_are_refused(predictions, tmp_path):
    path = tmp_path / "found.fits"
    with pytest.raises(FileNotFoundError, match="found.fits: no such file"):
        read_blend_predictions(path)
    write_blend_predictions(predictions, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match="found.fits: .*predict again"):
        read_blend_predictions(path)
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(ValueError, match="found.fits: .*predict again"):
        read_blend_predictions(path)
