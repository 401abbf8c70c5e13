import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.export.exported_model import ExportedBlendModel
from photoz_morph.blend.export.of_run import export_blend
from photoz_morph.blend.finding.finder import SourceFinder
from photoz_morph.blend.maps.networks import ensemble_answers
from photoz_morph.blend.predict_galaxies import Deblender
from photoz_morph.runs.folder import read_run
from photoz_morph.runs.progress import write_sessions
from tests.support.blend_runs import (
    DATASET,
    SIZE,
    SKY_SIGMA,
    networks_of,
    noisy_images,
    untrained_blend_export,
    untrained_blend_run,
    untrained_map_run,
)
from tests.support.exports import onnx_answers

WITH_ONNX = ("unet", "probabilistic_unet")  # the graphs of the others take tf2onnx a minute


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Function that gives the run and the export of a kind of network, with ONNX files of U-Nets, made once."""
    folder, made = tmp_path_factory.mktemp("exports"), {}

    def of(network):
        if network not in made:
            made[network] = untrained_blend_export(folder, network, with_onnx=network in WITH_ONNX)
        return made[network]

    return of


@pytest.mark.parametrize("answer, n_channels", [("maps", 3), ("field", 2), ("parameters", 1)])
def test_an_exported_ensemble_answers_as_the_run_does(answer, n_channels, tmp_path):
    run = untrained_map_run(tmp_path / "run", answer)
    export_blend(run, tmp_path / "export", with_onnx=True)
    images = np.random.default_rng(0).normal(size=(3, SIZE, SIZE, n_channels)).astype(np.float32)
    expected = ensemble_answers(networks_of(run), images, answer)
    assert np.ptp(expected, axis=0).min() > 0  # a network that says the same of all images would pass
    model = ExportedBlendModel(tmp_path / "export")
    np.testing.assert_allclose(model.answer(images), expected, rtol=1e-4, atol=1e-4)
    found = onnx_answers(tmp_path / "export" / "model.onnx", {"image": images})
    np.testing.assert_allclose(found[answer], expected, rtol=1e-3, atol=1e-3)
    names = {"maps": ("mass", "age", "metallicity", "a_v"), "field": ("field",), "parameters": ("Omega_m", "sigma_8")}
    assert model.names == names[answer] and model.bands == (("g", "r", "i") if answer == "maps" else ())
    with pytest.raises(ValueError, match="export: .*; give the export of a finder"):
        model.find(images)
    with pytest.raises(ValueError, match=rf"shape \(3, 32, 32\); .*takes \(n, 32, 32, {n_channels}\), the last axis"):
        model.answer(images[..., 0])


@pytest.mark.parametrize("network", ["unet", "grid_detector", "mask_rcnn"])
def test_an_exported_finder_finds_what_the_run_finds(network, exports):
    run, folder = exports(network)
    images = noisy_images(3)
    expected = SourceFinder(networks_of(run), read_run(run, BlendConfig)[0], SKY_SIGMA)(images)
    found = ExportedBlendModel(folder).find(images)
    assert sum(len(table) for table, _ in expected) > 0
    for (table, owners), (other, other_owners) in zip(expected, found):
        assert table.colnames == other.colnames and len(table) == len(other)
        for name in table.colnames:
            np.testing.assert_allclose(other[name], table[name], rtol=1e-3, atol=1e-3, err_msg=name)
        assert np.mean(owners == other_owners) > 0.999  # a pixel at a threshold may go either way


def test_an_exported_deblender_gives_galaxies_and_samples_of_the_run(exports):
    run, folder = exports("probabilistic_unet")
    images, ids = noisy_images(3), [7, 8, 9]
    galaxies, samples = Deblender(networks_of(run), 5)(images, ids)
    model = ExportedBlendModel(folder)
    found, drawn = model.deblend(images, ids, 5)
    np.testing.assert_allclose(found, galaxies, rtol=1e-4, atol=1e-3)
    assert drawn.shape == (3, 5, SIZE, SIZE, 3) and np.isfinite(samples).all()
    np.testing.assert_allclose(drawn, samples, rtol=1e-3, atol=1e-2)
    assert model.deblend(images)[1] is None


@pytest.mark.parametrize("network", WITH_ONNX)
def test_onnx_files_give_the_numbers_of_the_saved_model(network, exports):
    _, folder = exports(network)
    model, images = tf.saved_model.load(str(folder)), noisy_images(3)
    images[1, 5, 5, 0] = np.nan
    expected = {name: values.numpy() for name, values in model.serve(images).items()}
    found = onnx_answers(folder / "model.onnx", {"image": images})
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if values.dtype.kind == "f":
            assert np.isnan(values[1]).all() and np.isfinite(values[[0, 2]]).all()
        np.testing.assert_allclose(found[name][[0, 2]], values[[0, 2]], rtol=1e-3, atol=1e-3, err_msg=name)
    if network == "probabilistic_unet":
        noise = np.random.default_rng(0).normal(size=(3, 2, 4, 2)).astype(np.float32)
        found = onnx_answers(folder / "model_samples.onnx", {"image": images, "noise": noise})
        for name, values in model.serve_samples(images, noise).items():
            assert found[name].shape == (3, 2, 4, SIZE, SIZE, 3)
            np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-2)


def test_the_description_says_what_the_images_must_be(exports):
    description = json.loads((exports("unet")[1] / "estimator.json").read_text())
    facts = {
        "task": "blend", "survey": "lsst", "bands": ["g", "r", "i"], "pixel_scale_arcsec": 0.2, "image_size": SIZE,
        "image_unit": "nJy", "sky_sigma": [3.0, 4.0, 5.0], "model": "unet", "gives": "sources", "n_members": 2,
        "trained_on": {key: DATASET[key] for key in ("name", "origin", "images_per_split")},
        "fields": DATASET["fields"], "data_id": DATASET["content_hash"],
        "detection": {"max_detections": 100, "min_score": 0.0, "map_score": 0.3, "max_iou": 1.0},
    }  # fmt: skip
    assert {key: description[key] for key in facts} == facts
    provenance = ExportedBlendModel(exports("unet")[1]).provenance()
    assert provenance["model_id"] == description["model_id"]
    assert (provenance["bands"], provenance["unit"]) == ("g,r,i", "nJy")


def test_an_ensemble_that_is_not_finished_is_not_exported(tmp_path):
    run = untrained_blend_run(tmp_path / "run", "unet_image", n_members=1)
    write_sessions(run, [{"n_members": 2}])
    with pytest.raises(ValueError, match="run: .*1 .*of 2.* `blend train`"):
        export_blend(run, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_wrong_images_and_kinds_are_said(exports):
    finder, deblender = (ExportedBlendModel(exports(name)[1]) for name in ("unet", "probabilistic_unet"))
    images = noisy_images(2)
    with pytest.raises(ValueError, match="export: takes blends apart; give the export of a finder"):
        deblender.find(images)
    with pytest.raises(ValueError, match="export: finds sources; give the export of a deblender"):
        finder.deblend(images)
    with pytest.raises(ValueError, match="export: finds sources; give the export of a network of maps, "):
        finder.answer(images)
    with pytest.raises(ValueError, match=r"cubes: images of shape \(2, 3, 32, 32\); .*, the last axis g,r,i"):
        finder.find(np.moveaxis(images, -1, 1), source="cubes")
    images[1, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="sky: image 1 has pixels that are not finite"):
        finder.find(images, source="sky")


def test_folders_that_are_no_export_of_this_chain_are_refused(exports, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"not an exported model \(estimator.json is missing\); see `blend exp"):
        ExportedBlendModel(tmp_path)
    folder = tmp_path / "export"
    shutil.copytree(exports("unet")[1], folder)
    description = json.loads((folder / "estimator.json").read_text())
    for changes, message in (({"task": "morph"}, "not a model of blend; give the folder of a `blend export`"),
                             ({"sky_sigma": None}, "sky_sigma missing; export the model again"),
                             ({"gives": "spectra"}, "gives 'spectra', which is unknown here; export")):  # fmt: skip
        changed = {key: value for key, value in (description | changes).items() if value is not None}
        (folder / "estimator.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=message):
            ExportedBlendModel(folder)
