"""The RAIL stages, run through RAIL's own interface and ceci's, on galaxies whose colour tells their redshift."""

import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
import qp
import tables_io
from rail.core.data import QPHandle, TableHandle
from rail.evaluation.dist_to_point_evaluator import DistToPointEvaluator
from rail.evaluation.single_evaluator import SingleEvaluator

from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.rail import (
    NetworkModel,
    NetworkModelHandle,
    PhotozMorphEstimator,
    PhotozMorphInformer,
    read_model,
)
from photoz_morph.rail.image_table import ImageColumns
from photoz_morph.surveys import SDSS
from tests.support.rail import SMALLEST, image_table, inform
from tests.support.samples import colour_stacks

pytestmark = pytest.mark.filterwarnings("ignore:There are non-finite values:RuntimeWarning")  # qp, of flagged galaxies
BAD_PIXEL, NO_EBV = 4, 9  # rows of the galaxies to estimate


def estimate(folder, path, name, **parameters):
    options = {"output": str(folder / f"{name}.hdf5"), "chunk_size": 10, "image_layout": "bands_rows_columns"}
    stage = PhotozMorphEstimator.make_stage(name=name, **options | parameters)
    return stage.estimate(TableHandle("test", path=str(path)))


@pytest.fixture(scope="module")
def test_path(model_path):
    """A table of 25 other galaxies, bands first, not flattened; one lacks a pixel, one E(B-V)."""
    table = image_table(25, first_id=1000)
    table["images"] = np.moveaxis(table["images"].reshape(25, *SDSS.image_shape), -1, 1)
    table["images"][BAD_PIXEL, 2, 7, 7] = np.nan
    table["ebv"][NO_EBV] = np.nan
    path = model_path.parent / "test.hdf5"
    tables_io.write({"photometry": table}, str(path))
    return path


@pytest.fixture(scope="module")
def estimated(model_path, test_path):
    """The ensemble of the 25 galaxies, from the file that the estimator wrote."""
    estimates = ["zmode", "zmean", "zmedian", "zbest"]
    parameters = {"model": str(model_path), "calculated_point_estimates": estimates, "calc_summary_stats": True}
    estimate(model_path.parent, test_path, "estimated", **parameters)
    return qp.read(str(model_path.parent / "estimated.hdf5"))


def test_the_estimate_is_the_mean_pdf_of_the_networks_in_the_file(model_path, estimated, tmp_path):
    from photoz_morph.models.loading import load_members

    with zipfile.ZipFile(model_path) as archive:
        archive.extractall(tmp_path)
    images, table = colour_stacks(25, first_id=1000)
    inputs = {"image": images, "ebv": np.array(table["ebv"], np.float32)}
    pdf = np.mean([member(inputs) for member in load_members(sorted(tmp_path.glob("*.keras")))], axis=0)
    good = estimated.ancil["flag"] == 0
    assert len(estimated.metadata["bins"].ravel()) == 181
    np.testing.assert_allclose(estimated.objdata["pdfs"][good] * 0.4 / 180, pdf[good], rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(estimated.ancil["id"], table["obj_id"])


def test_rails_evaluators_take_the_estimate(model_path, estimated):
    folder, good = model_path.parent, estimated.ancil["flag"] == 0
    estimated[good].write_to(str(folder / "good.hdf5"))
    z_spec = estimated.ancil["redshift"][good]
    tables_io.write({"photometry": {"redshift": z_spec}}, str(folder / "truth.hdf5"))
    truth = TableHandle("truth", path=str(folder / "truth.hdf5"))
    common = {"hdf5_groupname": "photometry", "force_exact": True}
    outputs = {name: str(folder / f"{name}.hdf5") for name in ("output", "summary", "single_distribution_summary")}
    stage = DistToPointEvaluator.make_stage(
        name="distributions", metrics=["cdeloss", "pit"], metric_integration_limits=[0, 0.4], **common, **outputs
    )
    result = stage.evaluate(QPHandle("input", path=str(folder / "good.hdf5")), truth)
    model = read_model(model_path)
    pit = model.grid.cdf_at(estimated[good].objdata["pdfs"], z_spec)
    median_pit = np.squeeze(result["single_distribution_summary"].data["pit"].median())
    assert median_pit == pytest.approx(np.median(pit), abs=0.05)  # qp interpolates 23 values on a grid
    assert np.isfinite(result["summary"].data["cdeloss"]).all()

    stage = SingleEvaluator.make_stage(
        name="points", metrics=["point_bias"], point_estimates=["zmean"], truth_point_estimates=["redshift"],
        metric_config={"point_bias": {}}, hdf5_groupname="photometry", force_exact=True, **outputs,
    )  # fmt: skip
    result = stage.evaluate(QPHandle("input", path=str(folder / "good.hdf5")), truth)
    z_phot = model.grid.expectation(estimated[good].objdata["pdfs"] * model.grid.width)
    expected = np.median((z_phot - z_spec) / (1 + z_spec))
    assert result["summary"].data["point_bias_zmean_redshift"].item() == pytest.approx(expected, abs=1e-6)


def test_flagged_galaxies_keep_their_row_without_numbers(estimated):
    flagged = np.isin(np.arange(25), [BAD_PIXEL, NO_EBV])
    np.testing.assert_array_equal(estimated.ancil["flag"], flagged)
    np.testing.assert_array_equal(np.isnan(estimated.objdata["pdfs"]).all(axis=1), flagged)
    for name, values in estimated.ancil.items():
        if name.startswith("z"):
            np.testing.assert_array_equal(np.isnan(values).ravel(), flagged, err_msg=name)


def test_a_galaxy_whose_network_gives_nan_is_flagged(model_path):
    model = read_model(model_path)
    model.network.set_weights([np.full_like(weight, np.nan) for weight in model.network.get_weights()])
    stage = PhotozMorphEstimator.make_stage(
        name="broken", model=NetworkModelHandle("model", data=model), output_mode="return",
        calculated_point_estimates=["zmode"],
    )  # fmt: skip
    ensemble = stage.estimate({"photometry": image_table(3)}).data
    assert (ensemble.ancil["flag"] == 1).all() and np.isnan(ensemble.objdata["pdfs"]).all()
    assert np.isnan(ensemble.ancil["zmode"]).all()


def test_point_estimates_are_those_of_our_grid(model_path, estimated):
    grid, good = read_model(model_path).grid, estimated.ancil["flag"] == 0
    pdf = estimated.objdata["pdfs"][good] * grid.width
    ancil = {name: values[good].ravel() for name, values in estimated.ancil.items()}
    for name in ("zmode", "z_mode"):
        np.testing.assert_allclose(ancil[name], grid.mode(pdf), atol=1e-9)
    for name in ("zmean", "z_mean"):
        np.testing.assert_allclose(ancil[name], grid.expectation(pdf), atol=1e-6)
    # RAIL calls them so; its own z_q84 is the quantile at 0.85
    for name, probability in {"z_q2p5": 0.025, "z_q16": 0.16, "zmedian": 0.5, "z_q84": 0.84, "z_97p5": 0.975}.items():
        np.testing.assert_allclose(ancil[name], grid.quantile(pdf, probability), atol=1e-6, err_msg=name)
    assert set(ancil["distribution_type"]) == {1}  # a posterior


def test_output_names_the_model_and_what_it_was_trained_on(model_path, estimated):
    with h5py.File(model_path.parent / "estimated.hdf5") as file:
        described = json.loads(file.attrs["photoz_morph_model"])
    assert described == read_model(model_path).description()
    trained_on = described["trained_on"]
    assert (trained_on["origin"], trained_on["n_training"], trained_on["n_validation"]) == ("simulated", 40, 20)
    assert len(described["members_sha256"]) == len(trained_on["validation"]) == 2


def test_ceci_runs_the_estimator_in_another_process(model_path, test_path, estimated, tmp_path):
    arguments = [f"--input={test_path}", f"--model={model_path}", f"--output={tmp_path / 'out.hdf5'}"]
    (tmp_path / "config.yml").write_text("PhotozMorphEstimator: {chunk_size: 25, image_layout: bands_rows_columns}\n")
    command = [sys.executable, "-m", "photoz_morph", "PhotozMorphEstimator", *arguments]  # as ceci does in a pipeline
    result = subprocess.run([*command, f"--config={tmp_path / 'config.yml'}"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    pdf = qp.read(str(tmp_path / "out.hdf5")).objdata["pdfs"]
    np.testing.assert_allclose(pdf, estimated.objdata["pdfs"], rtol=1e-3, atol=1e-5)  # other sizes of batches


def with_first(name, value):
    values = np.array(image_table(60)[name])
    values[0] = value
    return {name: values}


def bands_first():
    images = image_table(60)["images"].reshape(60, *SDSS.image_shape)
    return {"images": np.moveaxis(images, -1, 1).reshape(60, -1)}


@pytest.mark.parametrize(
    "changes, parameters, message",
    [
        (with_first("redshift", np.nan), {}, r"1 of 60 training galaxies have no finite 'redshift', .* row 0 \(id 0\)"),
        (with_first("redshift", 0.7), {}, "a redshift outside 0.0-0.4"),
        (with_first("ebv", np.nan), {}, "no finite 'ebv'"),
        (with_first("images", np.nan), {}, "a pixel of 'images' that is not finite"),
        ({}, {"image_layout": "bands_rows_columns"}, "not in the middle: .* bands_rows_columns"),
        (bands_first(), {}, "not in the middle: .* rows_columns_bands"),
        ({}, {"image_layout": "bands_last"}, "image_layout is 'bands_last', must be one of rows_columns_bands"),
        ({}, {"origin": "real"}, "origin is 'real', must be simulated"),
        ({}, {"n_members": 0}, "n_members is 0"),
        ({}, {"hdf5_groupname": "cutouts"}, "no group 'cutouts' but photometry"),
        ({}, {"config_overrides": ["train.initial_weights=a"]}, "train.initial_weights is for `photoz train`"),
        ({}, {"config_overrides": ["adaptation={name: mmd, target_dir: a}"]}, "adaptation is for `photoz train`"),
        ({}, {"config_overrides": ["data.n_validation=50"]}, "the table has 60 galaxies, fewer than"),
        ({"redshift": np.full(59, 0.1)}, {}, r"column 'redshift' has shape \(59,\), the table has 60 images"),
        ({}, {"config_overrides": [*SMALLEST, "data.train_fraction=0.2"]}, "select rows of the table"),
        ({}, {"config_overrides": [*SMALLEST, "train.auxiliary_weight=1"]}, "the table has no structure and mag"),
        ({}, {"config_overrides": [*SMALLEST, "train.label_sigma=0", "train.teacher=runs/a"]}, "train.teacher is for"),
        ({}, {"config_overrides": ["model.blocks=1"]}, "'model.blocks' must be list"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(changes, parameters, message, tmp_path):
    with pytest.raises(ValueError, match=message) as refusal:
        inform(tmp_path, image_table(60) | changes, "refused", **parameters)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"zmax": 3.0}, "zmax is 3.0, the model gives 0.4; leave zmax out"),
        ({"model": "None"}, "no model given"),
        ({"image_layout": "bands"}, "image_layout is 'bands'"),
    ],
)
def test_estimator_refuses_what_contradicts_the_model(parameters, message, model_path, test_path, tmp_path):
    with pytest.raises(ValueError, match=message):
        estimate(tmp_path, test_path, "refused", **{"model": str(model_path), **parameters})


def test_estimate_from_memory_and_the_handle_of_inform(model_path, test_path, estimated):
    handle = NetworkModelHandle("model", data=read_model(model_path))
    stage = PhotozMorphEstimator.make_stage(
        name="memory", model=handle, output_mode="return", image_layout="bands_rows_columns", hdf5_groupname=""
    )
    ensemble = stage.estimate(tables_io.read(str(test_path))["photometry"]).data
    np.testing.assert_allclose(ensemble.objdata["pdfs"], estimated.objdata["pdfs"], rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(ensemble.ancil["id"], estimated.ancil["id"])


def test_reddening_is_not_required_by_networks_that_do_not_use_it(model_path):
    from photoz_morph.models.registry import build_model

    config = load_config("photoz_simulated.yaml", PhotozConfig, [*SMALLEST, "model.with_ebv=false"])
    path = model_path.parent / "without_ebv.keras"
    build_model(config).save(path)
    model = NetworkModel(config, (path.read_bytes(),), ImageColumns(), {"origin": "simulated"})
    handle = NetworkModelHandle("model", data=model)
    stage = PhotozMorphEstimator.make_stage(name="blind", model=handle, output_mode="return", hdf5_groupname="")
    ensemble = stage.estimate({"images": colour_stacks(3)[0]}).data
    assert ensemble.ancil["flag"].sum() == 0
    np.testing.assert_allclose(ensemble.cdf(0.4), 1, rtol=1e-6)


def test_an_input_that_declares_more_than_it_holds_is_refused_before_it_is_read(model_path, tmp_path):
    with h5py.File(tmp_path / "bomb.hdf5", "w") as file:
        shape = (10**6, *SDSS.image_shape)
        file.create_dataset("photometry/images", shape, np.float32, chunks=(1, 64, 64, 5), compression="gzip")
        file["photometry/ebv"] = np.zeros(3)
    message = "bomb.hdf5: dataset photometry/images declares 81.9 GB, more than its 0 bytes can hold; .*make it again"
    with pytest.raises(ValueError, match=message):
        estimate(tmp_path, tmp_path / "bomb.hdf5", "bomb", model=str(model_path))
    with pytest.raises(ValueError, match=message):
        stage = PhotozMorphInformer.make_stage(
            name="bomb_inform", model=str(tmp_path / "m.zip"), origin="simulated", config_overrides=list(SMALLEST)
        )
        stage.inform(TableHandle("bomb_input", path=str(tmp_path / "bomb.hdf5")))
