import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.calibrator import fit_calibrator
from photoz_morph.photoz.calibration.files import calibration_file, read_calibration
from photoz_morph.photoz.calibration.networks import ensemble, with_latents
from photoz_morph.photoz.calibration.of_run import Part, calibrate_run, parts_to_calibrate_on
from photoz_morph.photoz.calibration.quality import BITS
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import predict_run
from photoz_morph.photoz.splits import cross_validation_splits
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import joint_hash

GRID = RedshiftGrid()


def calibration_of(run, fold):
    return read_calibration(run, fold, finished_members(run, PhotozConfig)[fold], GRID)


def test_a_fold_is_calibrated_on_the_test_galaxies_of_the_others():
    members, sizes = dict.fromkeys(range(5), [1, 2]), {0: 20_000, 1: 4_999, 2: 5_000, 3: 5_001, 4: 90_000, 10: 20_001}
    expected = [Part(1, "fold_1"), Part(2, "fold_2"), Part(3, "fold_3[:5000]"), Part(4, "fold_4[:5000]")]
    assert parts_to_calibrate_on(0, "fold_1[:20]", members, sizes) == expected
    assert parts_to_calibrate_on(4, "fold_0[:20]", {0: [1, 2], 4: [1, 2]}, sizes) == [Part(0, "fold_0")]
    own, other = Part(0, "fold_1[:20]"), Part(10, "fold_10[:20000]")
    assert parts_to_calibrate_on(0, "fold_1[:20]", {0: [1, 2], 1: [1]}, sizes) == [own]  # 1 is another ensemble
    assert parts_to_calibrate_on(0, "fold_1[:20]", {0: [1], 10: [1]}, sizes) == [own, other]


def test_each_fold_is_calibrated_on_galaxies_its_networks_have_not_seen(calibrated_run, data_dir):
    builder = reading.open_dataset(data_dir)
    observing = read_run(calibrated_run, PhotozConfig)[0].model.observing
    for fold in (0, 1):
        splits = cross_validation_splits(builder, fold, 20)
        parts = [(1, "fold_1")] if fold == 0 else [(1, splits.validation), (0, "fold_0")]
        pdfs, rows = [], []
        for other, split in parts:
            networks = map(load_network, finished_members(calibrated_run, PhotozConfig)[other])
            batches = dataset.image_batches(builder, split, BATCH_SIZE, observing=observing)  # rounded as there
            pdfs.append(np.stack([network.predict(batches, verbose=0) for network in networks]))
            rows.append(reading.read_columns(builder, split))
            trained_on = reading.read_columns(builder, cross_validation_splits(builder, other, 20).train)
            assert not set(rows[-1]["group_id"]) & set(trained_on["group_id"])
        z_spec, group_id = (np.concatenate([part[name] for part in rows]) for name in ("z_spec", "group_id"))
        expected = fit_calibrator(np.concatenate(pdfs, axis=1), z_spec, GRID, group_id)[0]
        calibration = calibration_of(calibrated_run, fold)
        assert calibration.calibrator.pooling == expected.pooling
        assert calibration.calibrator.radii == pytest.approx(expected.radii, abs=1e-4)
        assert calibration.facts["n_galaxies"] == len(z_spec) == len(calibration.z_spec)
        train, test = (reading.read_columns(builder, split) for split in (splits.train, splits.test))
        assert calibration.training_counts.sum() == len(train["z_spec"])
        assert not set(group_id) & set(test["group_id"])


def test_a_calibration_of_fewer_folds_is_made_again(calibrated_run, tmp_path):
    run = shutil.copytree(calibrated_run, tmp_path / "run")
    shutil.rmtree(run / "fold_1")
    before = calibration_of(run, 0)
    after = calibrate_run(run, progress=False)[0]  # on its validation galaxies alone
    assert after.facts["n_galaxies"] < before.facts["n_galaxies"]
    assert after.facts["calibrated_on"] == after.facts["validation"]
    assert after.facts["calib_id"] != before.facts["calib_id"]


def test_predictions_of_a_calibrated_run_are_calibrated_and_pit_member_is_not(calibrated_run, predictions):
    table = predict_run(calibrated_run, progress=False)
    np.testing.assert_array_equal(table["pit_member"], predictions["pit_member"])
    np.testing.assert_array_equal(table["obj_id"], predictions["obj_id"])
    calibrations = [calibration_of(calibrated_run, fold) for fold in (0, 1)]
    assert table.meta["calib_id"] == joint_hash(one.facts["calib_id"] for one in calibrations)
    before = GRID.cdf_at(np.asarray(predictions["pdf"]), np.asarray(predictions["z_spec"], float))
    np.testing.assert_allclose(table["pit_uncalibrated"], before, atol=1e-5)
    for fold, calibration in enumerate(calibrations):
        rows = table["fold"] == fold
        for level, radius in calibration.calibrator.radii.items():
            expected = GRID.quantile(np.asarray(table["pdf"][rows]), 0.5 + radius)
            np.testing.assert_allclose(table[f"z_upper_{100 * level:g}"][rows], expected, atol=1e-5)
    assert (np.asarray(table["quality"]) & BITS["no_pdf"] == 0).all() and np.isfinite(table["ood_score"]).all()


def test_uncalibrated_predictions_of_a_calibrated_run_are_those_before(calibrated_run, predictions):
    table = predict_run(calibrated_run, progress=False, uncalibrated=True)
    assert table.colnames == predictions.colnames and table.meta == predictions.meta
    np.testing.assert_array_equal(table["pdf"], predictions["pdf"])


def test_calibrated_folds_are_kept_and_one_that_was_interrupted_is_made_again(calibrated_run, tmp_path):
    run = shutil.copytree(calibrated_run, tmp_path / "run")
    first, second = (calibration_file(run, fold) for fold in (0, 1))
    texts = first.read_text(), second.read_text()
    second.with_suffix(".npz").write_bytes(b"half")  # killed between its two files
    second.write_text(texts[1].replace('"fold": 1', '"fold": 7'))
    changed = first.stat().st_mtime_ns
    calibrate_run(run, progress=False)
    assert first.stat().st_mtime_ns == changed and (first.read_text(), second.read_text()) == texts
    assert not list(run.glob("fold_*/*.part"))


def test_a_calibration_of_other_networks_is_refused_with_the_remedy(calibrated_run, tmp_path):
    run = shutil.copytree(calibrated_run, tmp_path / "run")
    shutil.copytree(run / "fold_0/member_1", run / "fold_0/member_2")
    shutil.copytree(run / "fold_1/member_1", run / "fold_1/member_2")
    remedy = f"run `photoz calibrate {run}` again, or give --uncalibrated"
    with pytest.raises(ValueError, match="was fitted to 2 networks where the fold has 3") as error:
        predict_run(run, progress=False)
    assert str(error.value).endswith(remedy)
    for fold in (0, 1):
        shutil.rmtree(run / f"fold_{fold}/member_2")
    shutil.copy(run / "fold_0/member_0/model.keras", run / "fold_0/member_1/model.keras")
    with pytest.raises(ValueError, match="fold_0/calibration.json: was fitted to 2 networks of other weights"):
        predict_run(run, progress=False)
    shutil.rmtree(run / "fold_0/member_1")
    shutil.copytree(calibrated_run / "fold_0/member_1", run / "fold_0/member_1")
    calibration_file(run, 1).unlink()
    with pytest.raises(ValueError, match="fold 1 of 2 is not calibrated; run") as error:
        predict_run(run, progress=False)
    assert str(error.value).endswith(remedy)


def test_a_run_that_is_being_trained_is_not_calibrated(run_dir):
    with locked(run_dir), pytest.raises(ValueError, match="is writing there; wait until it has finished"):
        calibrate_run(run_dir, progress=False)


def test_too_few_validation_galaxies_are_refused_with_the_key_to_raise(run_dir, tmp_path):
    run = shutil.copytree(run_dir, tmp_path / "run")
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("n_validation: 20", "n_validation: 8"))
    shutil.rmtree(run / "fold_1")
    with pytest.raises(ValueError, match=r"fold_1\[:8\]: 4 galaxies of different parents .*; raise data.n_validation"):
        calibrate_run(run, progress=False)


def test_the_file_says_what_was_fitted_to_what(calibrated_run):
    said = json.loads(calibration_file(calibrated_run, 0).read_text())
    assert len(said["weights"]) == 2 and said["facts"]["n_members"] == 2
    assert set(said["facts"]["pooling_scores"]) == {"arithmetic", "geometric", "harmonic"}
    assert set(said["facts"]["before"]) == set(said["facts"]["after"]) == {
        "crps", "log_score", "pit_ks", "pit_sd", "bias"
    }  # fmt: skip
    assert {"code", "model_id", "data_id"} <= set(said["facts"])


def test_an_ensemble_gives_the_pdf_and_latents_of_each_member(run_dir):
    networks = [load_network(path) for path in finished_members(run_dir, PhotozConfig)[0]]
    rng = np.random.default_rng(1)
    batch = {"image": rng.normal(size=(3, 64, 64, 5)), "ebv": rng.random(3)}
    batch = {name: tf.constant(values, tf.float32) for name, values in batch.items()}
    answers = ensemble(networks)(batch)
    for index, network in enumerate(networks):
        np.testing.assert_allclose(answers[f"pdf_{index}"], network(batch), atol=1e-6)
        last = network.get_layer("redshift_pdf")
        np.testing.assert_allclose(last(answers[f"latent_{index}"]), network(batch), atol=1e-6)
    np.testing.assert_array_equal(answers["image"], batch["image"])


def test_a_network_without_fc2_is_named():
    import keras

    inputs = {"image": keras.Input((4,), name="image")}
    network = keras.Model(inputs, keras.layers.Dense(3)(inputs["image"]), name="flat")
    with pytest.raises(ValueError, match="network flat has no layer FC2"):
        with_latents([network])
