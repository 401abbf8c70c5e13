import json
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from photoz_morph.datasets import reading
from photoz_morph.models.exports.saved_model import model_hash
from photoz_morph.models.loading import BATCH_SIZE, load_members, load_network
from photoz_morph.models.registry import build_model
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.calibrator import fit_calibrator
from photoz_morph.photoz.calibration.files import FoldCalibration
from photoz_morph.photoz.calibration.networks import ensemble, with_latents
from photoz_morph.photoz.calibration.quality import BITS, fit_latent_limit, fit_quality_limits
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.export import OUTPUTS, export, export_network, point_estimates
from photoz_morph.photoz.predict import load_ensemble, predict_run
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from photoz_morph.system.provenance import file_hash
from tests.support.exports import onnx_answers, saved_model_cli, serving, serving_answer
from tests.support.miscalibrated import planted
from tests.support.paths import ROOT
from tests.support.samples import colour_stacks

GRID = RedshiftGrid()


def test_point_estimates_in_the_graph_are_those_of_the_grid():
    rng = np.random.default_rng(3)
    pdf = rng.dirichlet(np.full(180, 0.05), 500).astype(np.float32)
    pdf[0] = 0
    pdf[0, 17] = 1  # all in one bin
    graph = {name: np.asarray(value) for name, value in point_estimates(pdf, GRID).items()}
    np.testing.assert_allclose(graph["z_phot"], GRID.expectation(pdf), atol=1e-6)
    np.testing.assert_allclose(graph["z_mode"], GRID.mode(pdf), atol=1e-6)
    for name, probability in (("z_lower", 0.16), ("z_median", 0.5), ("z_upper", 0.84)):
        # Where the CDF is flat float32 may choose the other end of the plateau, so what is compared is the CDF.
        np.testing.assert_allclose(GRID.cdf_at(pdf, graph[name]), probability, atol=2e-4)


def test_exported_model_runs_with_tensorflow_alone(predictions, exported, data_dir, tmp_path):
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 7).as_numpy_iterator())
    np.savez(tmp_path / "batch.npz", **batch)
    script = (
        "import sys, numpy as np, tensorflow as tf\n"
        f"batch = np.load({str(tmp_path / 'batch.npz')!r})\n"
        f"model = tf.saved_model.load({str(exported)!r})\n"
        f"np.save({str(tmp_path / 'z.npy')!r}, model.serve(batch['image'], batch['ebv'])['z_phot'])\n"
        "sys.exit('photoz_morph' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    expected = predictions["z_phot"][predictions["fold"] == 0][:7]
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), expected, atol=1e-5)


def test_exported_model_holds_each_variable_once(exported, run_dir):
    networks = map(load_network, finished_members(run_dir, PhotozConfig)[0])
    weights = sum(weight.size for network in networks for weight in network.get_weights())
    shapes = dict(tf.train.list_variables(str(exported / "variables" / "variables")))
    shapes.pop("_CHECKPOINTABLE_OBJECT_GRAPH")  # names, no numbers
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == weights


def test_estimator_says_what_it_takes(exported):
    description = json.loads((exported / "estimator.json").read_text())
    assert description["bands"] == list("ugriz") and description["image_size"] == 64
    assert description["pixel_scale_arcsec"] == 0.396 and description["image_unit"] == "nanomaggy"
    assert description["trained_on"]["origin"] == "simulated" and description["n_members"] == 2


def test_what_cannot_be_exported_names_the_remedy(run_dir, exported, tmp_path):
    with pytest.raises(ValueError, match="exists; remove it or give another --out"):
        export(run_dir, exported)
    with pytest.raises(ValueError, match="fold 4 has no finished network; finished are folds"):
        export(run_dir, tmp_path / "model", fold=4)
    run = shutil.copytree(run_dir, tmp_path / "run")
    (run / "fold_1/member_1/model.keras").unlink()
    with pytest.raises(ValueError, match="fold 1 has 1 finished networks of 2; finish it with the same `photoz train`"):
        export(run, tmp_path / "model", fold=1)


def test_point_estimates_of_a_pdf_of_nan_are_nan():
    pdf = np.random.default_rng(3).dirichlet(np.full(180, 0.05), 3).astype(np.float32)
    pdf[0], pdf[1, 90] = np.nan, np.nan
    for name, values in point_estimates(pdf, GRID).items():
        assert np.isnan(values[:2]).all() and np.isfinite(values[2]).all(), name


def test_stamps_that_are_not_finite_have_no_estimate_of_any_kind(exported):
    model = tf.saved_model.load(str(exported))
    image, ebv = np.random.default_rng(0).normal(size=(6, 64, 64, 5)).astype(np.float32), np.full(6, 0.1, np.float32)
    clean = model.serve(image, ebv)
    image[1, 0, 0, 2], image[2, 31, 31], image[3] = np.nan, -np.inf, np.nan
    ebv[4] = np.nan
    bad = np.isin(np.arange(6), [1, 2, 3, 4])
    for name, values in model.serve(image, ebv).items():
        assert np.isnan(values[bad]).all(), name
        np.testing.assert_allclose(values[~bad], np.asarray(clean[name])[~bad], atol=1e-5)


@pytest.fixture(scope="module")
def with_onnx(tiny_config, tmp_path_factory):
    """The export of two small networks of random weights, with its ONNX file."""
    folder = tmp_path_factory.mktemp("onnx")
    for seed in (1, 2):
        build_model(tiny_config, seed).save(folder / f"{seed}.keras")
    network = load_ensemble([folder / f"{seed}.keras" for seed in (1, 2)])
    facts = {"model": "inception_photoz", "n_members": 2, "trained_on": {"name": "none", "origin": "simulated"}}
    export_network(network, SDSS, tiny_config.redshift, folder / "export", facts, with_onnx=True)
    return folder / "export"


def test_the_onnx_file_gives_the_numbers_of_the_saved_model(with_onnx):
    rng = np.random.default_rng(7)
    inputs = {"image": rng.normal(size=(9, 64, 64, 5)).astype(np.float32), "ebv": rng.random(9).astype(np.float32)}
    inputs["image"][:, 28:36, 28:36] += 20 * rng.random((9, 1, 1, 5), np.float32)
    inputs["image"][3, 0, 0, 2], inputs["image"][4], inputs["ebv"][5] = np.nan, np.inf, np.nan
    model = tf.saved_model.load(str(with_onnx))
    expected = {name: values.numpy() for name, values in model.serve(**inputs).items()}
    assert np.flatnonzero(np.isnan(expected["z_phot"])).tolist() == [3, 4, 5]
    found = onnx_answers(with_onnx / "model.onnx", inputs)
    assert found.keys() == expected.keys() == set(OUTPUTS)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-5, err_msg=name)


def test_the_onnx_file_says_what_it_is_of(with_onnx):
    described = json.loads((with_onnx / "estimator.json").read_text())
    facts = {entry.key: entry.value for entry in onnx.load(with_onnx / "model.onnx").metadata_props}
    assert facts["model_id"] == described["model_id"] == model_hash(with_onnx)
    assert described["onnx"] == {"model.onnx": file_hash(with_onnx / "model.onnx")}
    assert {**json.loads(facts["estimator"]), "onnx": described["onnx"]} == described


def test_the_example_client_prints_what_a_server_answers(with_onnx, tmp_path, capsys):
    images, table = colour_stacks(20)
    table["flag"][3], images[3] = 1, np.nan
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "simulated")
    client = runpy.run_path(ROOT / "scripts" / "serving_client.py")
    with serving(with_onnx) as url:
        client["main"]([url, str(shard_path(tmp_path, 0))])
        with pytest.raises(RuntimeError, match=r"400, .*the signature has inputs \['ebv', 'image'\]"):
            client["predict"](url, {"image": images[:1]})
        with pytest.raises(SystemExit, match="404, .*no model at /v1/models/nothing:predict"):
            client["main"]([url.replace("photoz", "nothing"), str(shard_path(tmp_path, 0))])
    with pytest.raises(RuntimeError, match="no answer .*; is the server running"):
        client["predict"](url, {"image": images[:1]})
    good = np.flatnonzero(table["flag"] == 0)
    model = tf.saved_model.load(str(with_onnx))
    expected = model.serve(images[good], np.asarray(table["ebv"], np.float32)[good])["z_phot"]
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == table["obj_id"][good].tolist()
    found = [float(line.partition("z_phot ")[2].split()[0]) for line in lines]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture(scope="module")
def batch():
    """A few stamps and their E(B-V)."""
    rng = np.random.default_rng(5)
    return {"image": rng.normal(size=(3, 64, 64, 5)).astype(np.float32), "ebv": np.array([0, 0.1, 0.3], np.float32)}


@pytest.mark.parametrize("form", ["serve_dict", "serve"])
def test_a_keras_model_holds_the_exported_one_as_a_layer_and_comes_back(exported, batch, form, tmp_path):
    inputs = {"image": keras.Input((64, 64, 5), name="image"), "ebv": keras.Input((), name="ebv")}
    layer = keras.layers.TFSMLayer(str(exported), call_endpoint=form, trainable=False)
    outputs = layer(inputs) if form == "serve_dict" else layer(inputs["image"], ebv=inputs["ebv"])
    expected = tf.saved_model.load(str(exported))
    expected = {name: values.numpy() for name, values in expected.serve(**batch).items()}
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)  # any SavedModel is code
    found = model.predict(batch, verbose=0)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5, err_msg=name)


def test_a_network_behind_the_exported_model_trains_and_leaves_it_alone(exported, batch):
    inputs = {"image": keras.Input((64, 64, 5), name="image"), "ebv": keras.Input((), name="ebv")}
    layer = keras.layers.TFSMLayer(str(exported), call_endpoint="serve_dict", trainable=False)
    head = keras.layers.Dense(1, kernel_initializer="zeros")
    model = keras.Model(inputs, head(layer(inputs)["pdf"]))
    before = [weight.numpy() for weight in layer.weights]
    model.compile("sgd", "mse")
    model.fit(batch, np.ones((3, 1)), verbose=0)
    assert np.abs(head.kernel.numpy()).max() > 0 and len(before) > 0
    for weight, old in zip(layer.weights, before):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_requests_to_tensorflow_serving_by_row_and_by_column_are_answered(exported, batch):
    model = tf.saved_model.load(str(exported))
    expected = model.serve(**batch)
    columns = {name: values.tolist() for name, values in batch.items()}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    by_column, by_row = serving_answer(exported, {"inputs": columns}), serving_answer(exported, {"instances": rows})
    for name, values in expected.items():
        np.testing.assert_allclose(by_column[name], values, atol=1e-5)
        np.testing.assert_allclose([row[name] for row in by_row], values, atol=1e-5)


def test_saved_model_cli_shows_and_runs_the_exported_model(exported, batch, tmp_path):
    shown = saved_model_cli("show", "--dir", exported, "--tag_set", "serve", "--signature_def", "serving_default")
    for text in ("inputs['ebv']", "shape: (-1)", "inputs['image']", "shape: (-1, 64, 64, 5)", "outputs['z_mode']"):
        assert text in shown
    np.savez(tmp_path / "batch.npz", **batch)
    saved_model_cli(
        "run", "--dir", exported, "--tag_set", "serve", "--signature_def", "serving_default", "--outdir", tmp_path,
        "--inputs", f"image={tmp_path}/batch.npz[image]", "--input_exprs", f"ebv={batch['ebv'].tolist()}",
    )  # fmt: skip
    model = tf.saved_model.load(str(exported))
    for name, values in model.serve(**batch).items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), values, atol=1e-5)


@pytest.fixture(scope="module")
def calibrated_export(calibrated_run, tmp_path_factory):
    """The SavedModel of fold 0 of the calibrated run."""
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    export(calibrated_run, folder, fold=0)
    return folder


def test_the_export_of_a_calibrated_run_serves_what_photoz_predict_writes(calibrated_run, calibrated_export, data_dir):
    table = predict_run(calibrated_run, progress=False)
    rows = table[table["fold"] == 0][:BATCH_SIZE]
    # The batch of `photoz predict`: in one of another size the networks round otherwise, which a temperature enlarges.
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", BATCH_SIZE).as_numpy_iterator())
    model = tf.saved_model.load(str(calibrated_export))
    answers = model.serve(batch["image"], batch["ebv"])
    described = json.loads((calibrated_export / "estimator.json").read_text())
    assert answers.keys() == set(described["outputs"]) and set(described["outputs"]) > set(OUTPUTS)
    np.testing.assert_allclose(GRID.cdf(answers["pdf"]), GRID.cdf(rows["pdf"]), atol=2e-5)
    for name in ("z_phot", "z_upper_68", "z_lower_95", "ood_score"):
        np.testing.assert_allclose(answers[name], rows[name], atol=2e-4, err_msg=name)
    assert np.mean(np.asarray(answers["quality"]) == rows["quality"]) >= 0.95  # a score on a limit may round either way


def test_estimator_describes_the_calibration(calibrated_run, calibrated_export):
    described = json.loads((calibrated_export / "estimator.json").read_text())["calibration"]
    written = json.loads((calibrated_run / "fold_0/calibration.json").read_text())
    assert described["calib_id"] == written["calib_id"]
    assert described["n_galaxies"] == written["facts"]["n_galaxies"]
    assert described["pooling"] == written["calibrator"]["pooling"]
    assert [interval["coverage"] for interval in described["intervals"]] == [0.68, 0.9, 0.95]
    assert sum(described["training_counts"]) == sum(written["training_counts"])
    assert described["quality_bits"]["4"].startswith("ood_score above 1")


def test_a_stale_calibration_is_not_exported_and_an_uncalibrated_export_is_as_ever(calibrated_run, exported, tmp_path):
    run = shutil.copytree(calibrated_run, tmp_path / "run")
    (run / "fold_0/calibration.npz").write_bytes(b"other")
    with pytest.raises(ValueError, match="run `photoz calibrate .*` again, or give --uncalibrated"):
        export(run, tmp_path / "model")
    said = export(run, tmp_path / "model", uncalibrated=True)
    before = json.loads((exported / "estimator.json").read_text())
    assert json.loads(json.dumps({**said, "model_id": ""})) == {**before, "model_id": ""}


def test_a_target_nz_moves_the_pdfs_towards_it_and_is_described(calibrated_run, calibrated_export, data_dir, tmp_path):
    (tmp_path / "nz.csv").write_text("z,nz\n0,4\n0.2,2\n0.4,0\n")
    said = export(calibrated_run, tmp_path / "model", target_nz=tmp_path / "nz.csv")
    weights = np.array(said["calibration"]["target_nz"]["weights"])
    assert said["calibration"]["target_nz"]["file"] == "nz.csv" and weights[:20].mean() > weights[-20:].mean()
    models = [tf.saved_model.load(str(path)) for path in (calibrated_export, tmp_path / "model")]
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 5).as_numpy_iterator())
    plain, target = (model.serve(batch["image"], batch["ebv"]) for model in models)
    expected = np.asarray(plain["pdf"]) * weights
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(target["pdf"], expected, atol=1e-5)
    assert (np.asarray(target["z_phot"]) < np.asarray(plain["z_phot"])).all()
    with pytest.raises(ValueError, match="fold 0 is exported uncalibrated, and only calibrated PDFs are re-weighted"):
        export(calibrated_run, tmp_path / "other", uncalibrated=True, target_nz=tmp_path / "nz.csv")


def test_a_target_nz_of_a_run_that_is_not_calibrated_is_refused(run_dir, tmp_path):
    with pytest.raises(ValueError, match="fold 0 is not calibrated, .*; run `photoz calibrate .*` first"):
        export(run_dir, tmp_path / "model", target_nz=tmp_path / "nz.csv")


def test_every_kind_of_calibration_is_in_the_onnx_file(run_dir, tmp_path):
    members = load_members(finished_members(run_dir, PhotozConfig)[0])
    z_spec, pdf = planted(200, "shifted by z")
    calibrator, _, cross_fitted = fit_calibrator(pdf, z_spec, GRID)
    calibrator = replace(calibrator, pooling="harmonic", temperature=1.3)
    assert calibrator.pit_map.kind == "local"
    rng = np.random.default_rng(6)
    inputs = {"image": rng.normal(size=(9, 64, 64, 5)).astype(np.float32), "ebv": rng.random(9).astype(np.float32)}
    inputs["image"][:, 28:36, 28:36] += 20 * rng.random((9, 1, 1, 5), np.float32)
    latents = [network(inputs)["latent"].numpy() for network in with_latents(members)]
    limits = fit_quality_limits(pdf, *fit_latent_limit(latents, latents), GRID)
    calibration = FoldCalibration(calibrator, limits, np.ones(180), cross_fitted, z_spec, {})
    facts = {"model": "inception_photoz", "n_members": 2, "trained_on": {"name": "none", "origin": "simulated"}}
    export_network(ensemble(members), SDSS, GRID, tmp_path / "model", facts, with_onnx=True, calibration=calibration,
                   weights=np.linspace(0.5, 1.5, 180))  # fmt: skip
    inputs["image"][3, 0, 0, 2], inputs["image"][4, ..., 1], inputs["ebv"][5] = np.nan, 0, np.nan
    model = tf.saved_model.load(str(tmp_path / "model"))
    expected = {name: values.numpy() for name, values in model.serve(**inputs).items()}
    found = onnx_answers(tmp_path / "model/model.onnx", inputs)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-4, err_msg=name)
    assert found["quality"].dtype == np.int32
    no_pdf = BITS["no_pdf"]
    assert found["quality"][3] == BITS["bad_pixels"] | no_pdf and found["quality"][5] == no_pdf
    assert found["quality"][4] & BITS["blank_band"] and np.isnan(found["z_upper_90"][[3, 5]]).all()
    answer = serving_answer(tmp_path / "model", {"instances": [{"image": inputs["image"][0].tolist(), "ebv": 0.1}]})
    assert isinstance(answer[0]["quality"], int)
