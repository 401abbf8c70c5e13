import shutil

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.blend.dataset import open_dataset, read_scenes
from photoz_morph.blend.deblended import write_deblended
from photoz_morph.blend.predictions import blend_predictions, write_blend_predictions
from photoz_morph.blend.score_files import evaluate_files
from photoz_morph.datasets.reading import content_hash
from tests.support.blends import META, deblended_galaxies, true_detections


@pytest.fixture(scope="module")
def files(blend_data_dir, tmp_path_factory):
    """The truth of the test images as predictions, the same with fluxes of half of it, and a deblender's galaxies."""
    builder, folder = open_dataset(blend_data_dir), tmp_path_factory.mktemp("predictions")
    scenes = list(read_scenes(builder, "test"))
    ids = [scene.obj_id for scene in scenes]
    meta = {**META, "dataset": "lsst_pairs", "bands": "g,r,i", "data_id": content_hash(builder)}
    for name, factor in (("truth", 1.0), ("half", 0.5)):
        parts = [true_detections(scene) for scene in scenes]
        for table, _ in parts:
            table["flux"] = factor * np.asarray(table["flux"])
        predictions = blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), meta)
        write_blend_predictions(predictions, folder / f"{name}.fits")
    galaxies = deblended_galaxies(len(scenes))
    galaxies.meta["data_id"] = content_hash(builder)
    write_deblended(galaxies, folder / "galaxies.fits")
    return folder


def test_others_are_scored_beside_on_the_same_images(files, blend_data_dir):
    scores = evaluate_files(files / "truth.fits", {"half": files / "half.fits"}, blend_data_dir, n_bootstrap=50)
    other = scores["against"]["half"]
    assert scores["completeness"]["all"]["value"] == other["completeness"]["all"]["value"] == 1
    assert scores["flux_error"]["all"]["of_all"]["median"]["value"] == pytest.approx(0, abs=1e-6)
    assert other["flux_error"]["all"]["of_all"]["median"]["value"] == pytest.approx(-0.5, abs=1e-6)
    assert "against" not in evaluate_files(files / "truth.fits", data_dir=blend_data_dir, n_bootstrap=50)


def test_the_galaxies_in_the_middle_of_detections_stand_beside_those_of_a_deblender(files, blend_data_dir):
    others = {"sep": files / "half.fits", "again": files / "galaxies.fits"}
    scores = evaluate_files(files / "galaxies.fits", others, blend_data_dir, n_bootstrap=50)
    errors = [scores["against"][name]["flux_error"]["all"]["of_all"]["median"]["value"] for name in others]
    assert errors == pytest.approx([-0.5, 0], abs=1e-6)


def test_files_that_are_not_of_each_other_are_refused(files, blend_data_dir, tmp_path):
    with pytest.raises(ValueError, match="galaxies.fits: holds deblended galaxies, .*truth.fits sources"):
        evaluate_files(files / "truth.fits", {"a": files / "galaxies.fits"}, blend_data_dir)
    other = tmp_path / "other.fits"
    shutil.copy(files / "half.fits", other)
    with fits.open(other, mode="update") as hdus:
        hdus["PREDICTIONS"].header["DATA_ID"] = "0123456789abcdef0"
        hdus["PREDICTIONS"].add_checksum()
    with pytest.raises(ValueError, match="other.fits: data_id is 0123456789abcdef, that of .*truth.fits"):
        evaluate_files(files / "truth.fits", {"a": other}, blend_data_dir)
    with pytest.raises(ValueError, match="other.fits: predictions for images of content 01234567"):
        evaluate_files(other, data_dir=blend_data_dir)
    with pytest.raises(FileNotFoundError, match="blend_data: no prepared dataset found"):
        evaluate_files(files / "truth.fits")
