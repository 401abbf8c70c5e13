"""Files that earlier versions wrote are read by this one, and say the same.

`data/VERSION/samples.tar.xz` holds a small sample of every format, written by that version, and `expected.json` what
its own readers found there; see data/README.md. A failure means that users can no longer read what they have: mend the
reader, never the samples. What a file holds must come back exactly. What networks compute from it, under a key
"computed", may differ in the last digits of float32 from one processor to another.
"""

import hashlib
import json
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from astropy.table import Table

from photoz_morph.config import config_values, load_config
from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.morph import dataset as morph_pipeline
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.morph.exported_model import ExportedMorphModel, infer_mocks
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.predictions import class_names, read_morph_predictions
from photoz_morph.morph.robustness.attack import count_flips_on_disk
from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack, read_attack_settings
from photoz_morph.morph.robustness.latent_files import read_latent
from photoz_morph.morph.robustness.latents import latent_run
from photoz_morph.morph.robustness.perturbation_scores import read_perturbations
from photoz_morph.photoz import dataset as pipeline
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.photoz.exported_model import infer_shards, load_exported_model
from photoz_morph.photoz.predict import load_ensemble, predict_run
from photoz_morph.photoz.predictions import EARLIER_META, read_predictions
from photoz_morph.rail.model_file import read_model
from photoz_morph.runs.folder import finished_members, member_dir, read_run, weights_hash
from photoz_morph.runs.progress import read_history, read_sessions, run_status
from photoz_morph.runs.scores import read_scores
from photoz_morph.shards.mocks import find_mock_shards, read_mock_shard
from photoz_morph.shards.scenes import find_scene_shards, iter_scenes, read_scene_catalog
from photoz_morph.shards.stacks import find_shards, read_shard
from photoz_morph.surveys import SDSS
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.paths import DATA

VERSIONS = sorted(path.parent.name for path in DATA.glob("*/samples.tar.xz"))
# Name of a run to the classes of its chain.
RUNS = {
    "photoz": (PhotozConfig, PhotozExperiment),
    "morph_regular": (MorphConfig, MorphExperiment),
    "morph_mmd": (MorphConfig, MorphExperiment),
}
STOPPED = {"photoz": (1, 1), "morph_regular": (0, 1), "morph_mmd": (0, 1)}  # and the network that was stopped
ADDED = ("code", "model_id", "data_id", "bands", "unit")  # what outputs of today also say
ESTIMATES = ("z_phot", "z_median", "z_mode", "z_lower", "z_upper")

# Sums of float32 in another order: 1e-6 of an activation, times the dozen layers that add it up.
RTOL, ATOL = 1e-4, 1e-5
# A gradient that is nearly zero may have another sign on another processor, and Adam makes a whole step of it.
STEPS = 2 * 15


def exact(values):
    """Identity of a stored array: type, shape, the hash of its bytes, and its first values."""
    values = np.ma.filled(values)  # of a column
    values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
    first = values.ravel()[:2].tolist()
    hashed = hashlib.sha256(values.tobytes()).hexdigest()[:16]
    return {"type": values.dtype.name, "shape": list(values.shape), "sha256": hashed, "first": first}


def numbers(values):
    """Of an array that was computed: its shape, sums, and numbers at fixed places."""
    values = np.asarray(values, float)
    flat = values.ravel()[:: max(1, values.size // 12)]
    sums = [np.nansum(values), np.nansum(np.abs(values))]
    digits = [[float(f"{value:.7g}") for value in part] for part in (sums, flat)]  # all that float32 has
    n_finite = int(np.isfinite(values).sum())
    return {"shape": list(values.shape), "finite": n_finite, "sums": digits[0], "values": digits[1]}


def facts(table):
    """Meta of a table by the names of 0.1."""
    earlier = {key: name for name, key in EARLIER_META.items()}
    return {earlier.get(key, key): value for key, value in table.meta.items()}


def columns(table):
    """A table that was stored: columns by name, with unit and description, and its meta."""
    if isinstance(table, Table):
        units = {name: [str(table[name].unit or ""), table[name].description or ""] for name in table.colnames}
        found = {"meta": facts(table), "units": units, "order": table.colnames}
        return found | {"columns": {name: exact(np.asarray(table[name])) for name in table.colnames}}
    return {name: exact(values) for name, values in table.items()}


def cards(header):
    """Cards of a FITS header that our own code wrote."""
    structure = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "CHECKSUM", "DATASUM", "COMMENT", "HISTORY")
    return {keyword: value for keyword, value in header.items() if keyword not in structure}


def stored(content):
    """Content of a JSON file as it is compared."""
    return json.loads(json.dumps(content))


def inputs_of(network):
    """Two inputs of noise for a network of either chain."""
    rng = np.random.default_rng(0)
    found = {}
    for tensor in network.inputs:
        shape = (2, *tensor.shape[1:])
        if tensor.name == "image":
            found["image"] = (100 * rng.standard_normal(shape)).astype(np.float32)
        else:
            found[tensor.name] = np.array({"ebv": [0.02, 0.3], "domain": [0, 1]}[tensor.name], tensor.dtype)
    return found


def outputs_of(network):
    """Outputs of a network, and the names of its layers."""
    outputs = network(inputs_of(network), training=False)
    outputs = outputs if isinstance(outputs, dict) else {"pdf": outputs}
    return {
        "name": network.name,
        "layers": [[layer.name, type(layer).__name__] for layer in network.layers],
        "n_parameters": network.count_params(),
        "computed": {name: numbers(values) for name, values in outputs.items()},
    }


def read_networks(folder):
    """Every `.keras` file."""
    paths = [path for path in sorted(folder.rglob("*.keras")) if not path.name.startswith("checkpoint")]
    paths = [path for path in paths if "_stopped" not in str(path)]
    return {str(path.relative_to(folder)): outputs_of(load_network(path)) for path in paths}


def read_checkpoints(folder):
    """Networks in training, with their optimizer and wrapper."""
    found = {}
    for path in sorted(folder.rglob("checkpoint*.keras")):
        model = load_network(path, compile=True)
        found[str(path.relative_to(folder))] = {
            "class": type(model).__name__,
            "iterations": int(model.optimizer.iterations),
            "learning_rate": float(model.optimizer.learning_rate),
            "optimizer": {
                "config": stored(model.optimizer.get_config()),
                "computed": [numbers(variable) for variable in model.optimizer.variables],
            },
            "wrapper": stored(wrapper_settings(model)),
            "network": outputs_of(getattr(model, "classifier", model)),
        }
    return found


def wrapper_settings(model):
    """Settings of a training wrapper by the names of 0.1, which knew one adaptation loss with an estimator; or None."""
    weight, options = {name: rest for name, *rest in getattr(model, "terms", ())}.get("mmd", (None, {}))
    names = ("ramp_iterations", "class_weights", "batch_norm", "l2")
    return {"mmd_weight": weight, "estimator": options.get("estimator")} | {
        name: getattr(model, name, None) for name in names
    }


def read_runs(folder):
    """Run folders: config, dataset, networks, history, sessions and status."""
    found = {}
    for path in sorted((folder / "runs").iterdir()):
        config_class, _ = RUNS[path.name.removesuffix("_stopped")]
        config, dataset = read_run(path, config_class)
        members = finished_members(path, config_class)
        histories = sorted(path.glob("fold_*/member_*/history.csv"))
        found[path.name] = {
            "config": stored(config_values(config)),
            "dataset": dataset,
            "members": {str(fold): [[str(p.relative_to(path)), weights_hash(p)] for p in paths]
                        for fold, paths in members.items()},
            "histories": {str(p.parent.relative_to(path)): stored(read_history(p.parent)) for p in histories},
            "sessions": read_sessions(path),
            "status": stored(run_status(path, config_class)),
        }  # fmt: skip
    return found


def read_datasets(folder):
    """Both datasets: every feature of every split."""
    stacks, found = reading.open_dataset(folder / "photoz_data"), {}
    for fold, size in enumerate(pipeline.split_sizes(stacks)):
        images = [batch["image"].numpy() for batch in pipeline.image_batches(stacks, f"fold_{fold}", 64)]
        values = columns(reading.read_columns(stacks, f"fold_{fold}")) | {"image": exact(np.concatenate(images))}
        found[f"fold_{fold}"] = {"n": size, "columns": values}
    mocks = morph_pipeline.open_dataset(folder / "morph_data")
    for split, size in zip(("train", "validation", "test"), morph_pipeline.split_sizes(mocks)):
        values = columns(reading.read_columns(mocks, split))
        for domain in morph_pipeline.DOMAINS:
            images = list(morph_pipeline.domain_images(mocks, split, domain, 64).as_numpy_iterator())
            values[domain] = exact(np.concatenate(images))
        found[split] = {"n": size, "columns": values}
    found["facts"] = {"origin": stacks.info.metadata["origin"]} | stored(morph_pipeline.describe(mocks))
    del found["facts"]["path"]
    assert found["facts"].pop("content_hash") is None  # written before there was one
    assert found["facts"].pop("images") == {}  # likewise
    return found


def read_shards(folder):
    """Shards of stacks, mocks and scenes."""
    (path,) = find_shards(folder / "stacks")
    images, table, header = read_shard(path)
    found = {"stacks": {"header": cards(header), "table": columns(table), "images": exact(images)}}
    (path,) = find_mock_shards(folder / "mocks")
    images, table, header = read_mock_shard(path)
    images = {str(years): exact(cube) for years, cube in images.items()}
    found["mocks"] = {"header": cards(header), "table": columns(table), "images": images}
    (path,) = find_scene_shards(folder / "scenes")
    table, header = read_scene_catalog(path)
    scenes = list(iter_scenes(path))
    facts = [[scene.obj_id, scene.group_id, scene.intended_type, scene.pixel_kpc] for scene in scenes]
    found["scenes"] = {"header": cards(header), "table": columns(table), "facts": facts}
    found["scenes"]["computed"] = [numbers(scene.image) for scene in scenes]  # a power of ten of what is stored
    return found


def read_predictions_files(folder):
    """Predictions of photo-z in every format."""
    paths = [*sorted((folder / "predictions").iterdir()), folder / "runs" / "photoz" / "predictions.fits"]
    found = {}
    for path in paths:
        table, grid = read_predictions(path)
        table.sort("obj_id")  # HATS has its rows by place on the sky
        pdf = np.asarray(table["pdf"])
        table.remove_column("pdf")
        values = {"grid": [grid.z_min, grid.z_max, grid.n_bins], "table": columns(table), "computed": numbers(pdf)}
        found[str(path.relative_to(folder))] = values
    return found


def read_morph_files(folder):
    """Predictions of morphology, attacks and JSON files of runs."""
    found = {}
    for run in sorted((folder / "runs").glob("morph_*")):
        if run.name.endswith("_stopped"):
            continue
        table = read_morph_predictions(run / "predictions.fits")
        found[run.name] = {"classes": list(class_names(table)), "predictions": columns(table)}
        found[run.name]["scores"] = read_scores(run / "scores.json", "morph")
        attacks = {}
        for attack in find_attacks(run):
            table, images = read_attack(attack)
            attacks[attack.name] = {"settings": read_attack_settings(attack), "table": columns(table)}
            attacks[attack.name] |= {name: exact(cube) for name, cube in images.items()}
        found[run.name]["attacks"] = attacks
    run = folder / "runs" / "morph_regular"
    found["latent"] = read_latent(run / "latent.json")
    found["perturbations"] = read_perturbations(run / "perturbations.json")
    found["photoz_scores"] = read_scores(folder / "runs" / "photoz" / "scores.json")
    found["photoz_comparison"] = read_scores(folder / "runs" / "photoz" / "comparison.json")
    return found


def read_exports(folder):
    """SavedModels, by our readers and by TensorFlow alone."""
    exports, found = folder / "exports", {}
    (path,) = find_shards(folder / "stacks")
    images, table, _ = read_shard(path, np.arange(4))
    estimator = load_exported_model(exports / "photoz")
    inferred = infer_shards(estimator, folder / "stacks", progress=False)
    alone = tf.saved_model.load(str(exports / "photoz"))
    found["photoz"] = {
        "description": estimator.description,
        "card": (exports / "photoz" / "MODEL_CARD.md").read_text().splitlines()[0],
        "meta": {key: value for key, value in facts(inferred).items() if key not in ADDED},
        "computed": {
            "predict": {name: numbers(values) for name, values in estimator.predict(images, table["ebv"]).items()},
            "infer": {name: numbers(inferred[name]) for name in (*ESTIMATES, "pdf")},
            "alone": {name: numbers(values) for name, values in
                      alone.serve(images, np.asarray(table["ebv"], np.float32)).items()},
        },
    }  # fmt: skip
    mocks = find_mock_shards(folder / "mocks")
    images = read_mock_shard(mocks[0], np.arange(3))[0]
    for name in ("morph_regular", "morph_mmd"):
        estimator = ExportedMorphModel(exports / name)
        alone = tf.saved_model.load(str(exports / name))
        computed = {"alone": {key: numbers(values) for key, values in alone.serve(images[10]).items()}}
        for years in images:
            table = infer_mocks(estimator, mocks, years, progress=False)
            computed[str(years)] = {key: numbers(table[key]) for key in ("probability", "latent")}
        found[name] = {
            "description": estimator.description,
            "classes": list(estimator.classes),
            "functions": [key for key in ("serve", "serve_y1") if hasattr(alone, key)],
            "computed": computed,
        }
    return found


def read_rail(folder):
    """The model file of RAIL."""
    model = read_model(folder / "rail.zip")
    return {
        "description": {key: value for key, value in stored(model.description()).items() if key != "versions"},
        "config": stored(config_values(model.config)),
        "network": outputs_of(model.network),
    }


def predict_again(folder):
    """Predictions of the test galaxies by the networks of a run, with the code of today."""
    run = folder / "runs" / "photoz"
    table = predict_run(run, folder / "photoz_data", progress=False)
    found = {"photoz": {"rows": [exact(table[name]) for name in ("obj_id", "fold", "z_spec")]}}
    found["photoz"]["computed"] = {name: numbers(table[name]) for name in (*ESTIMATES, "pdf", "pit_member")}
    found["photoz"]["ensemble"] = outputs_of(load_ensemble(finished_members(run, PhotozConfig)[0]))
    for name in ("morph_regular", "morph_mmd"):
        table = predict_morph_run(folder / "runs" / name, folder / "morph_data", progress=False)
        found[name] = {"rows": [exact(table[key]) for key in ("obj_id", "label")]}
        keys = ("probability_y10", "probability_y1", "latent_y10", "latent_y1")
        found[name]["computed"] = {key: numbers(table[key]) for key in keys}
    return found


def attack_and_latents_again(folder):
    """Flips that are still flips, and the geometry of the latents of the predictions that are there."""
    run = folder / "runs" / "morph_regular"
    (attack,) = find_attacks(run)
    scores = latent_run(run, attack, n_bootstrap=20, progress=False)
    scores = {key: value for key, value in scores.items() if key not in ADDED}
    return {"flips": list(count_flips_on_disk(run, attack)), "computed": stored(scores)}


READERS = {
    "networks": read_networks,
    "checkpoints": read_checkpoints,
    "runs": read_runs,
    "datasets": read_datasets,
    "shards": read_shards,
    "predictions": read_predictions_files,
    "morph_files": read_morph_files,
    "exports": read_exports,
    "rail": read_rail,
    "predicted_again": predict_again,
    "attacked_again": attack_and_latents_again,
}


def without_later_keys(found, expected, defaults):
    """Values of a config without the keys that came after its version, which have their defaults."""
    later = found.keys() - expected.keys()
    assert {key: found[key] for key in later} == {key: defaults[key] for key in later}
    sections = {key for key in expected if isinstance(expected[key], dict) and key != "survey"}
    return {
        key: without_later_keys(found[key], expected[key], defaults[key]) if key in sections else found[key]
        for key in expected
    }


def check(found, expected, where, computed=False):
    """Fail with the place of the first difference."""
    if isinstance(expected, dict) and "task" in expected and where.endswith("> config"):
        config_class = {"photoz": PhotozConfig, "morph": MorphConfig}[expected["task"]]
        found = without_later_keys(found, expected, stored(config_values(config_class())))
    if isinstance(expected, dict):
        assert isinstance(found, dict) and found.keys() == expected.keys(), where
        for key in expected:
            check(found[key], expected[key], f"{where} > {key}", computed or key == "computed")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected)):
            check(one, other, f"{where}[{index}]", computed)
    elif isinstance(expected, float) and computed:
        np.testing.assert_allclose(found, expected, RTOL, ATOL, err_msg=where)
    else:
        assert found == expected or (found != found and expected != expected), where  # NaN is NaN


@pytest.fixture(scope="module", params=VERSIONS)
def version(request, tmp_path_factory):
    """The samples of a version, unpacked, and what it found in them."""
    folder = tmp_path_factory.mktemp(request.param)
    with tarfile.open(DATA / request.param / "samples.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder, json.loads((DATA / request.param / "expected.json").read_text())


@pytest.mark.parametrize("name", READERS)
def test_what_was_written_is_read(version, name):
    folder, expected = version
    check(stored(READERS[name](folder)), expected[name], name)


def test_all_formats_hold_the_same_predictions(version):
    folder = version[0] / "predictions"
    whole, grid = read_predictions(folder / "whole.fits")
    for path in sorted(folder.iterdir()):
        table, other_grid = read_predictions(path)
        table.sort("obj_id")
        assert other_grid == grid, path
        expected = whole[np.argsort(whole["obj_id"])]
        for name in ("obj_id", "z_spec", "ra", "dec", "flag"):
            np.testing.assert_array_equal(table[name], expected[name], err_msg=f"{path} {name}")
        error = np.abs(np.cumsum(table["pdf"], axis=1) - np.cumsum(expected["pdf"], axis=1)).max()
        assert error <= (2e-3 if path.stem == "compact" else 0) + 1e-6, path  # what was asked for, and float32


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_training_resumes(version, name, tmp_path):
    folder, (fold, member) = version[0], STOPPED[name]
    run, whole = folder / "runs" / f"{name}_stopped", folder / "runs" / name
    config_class, experiment_class = RUNS[name]
    config, _ = read_run(run, config_class)
    experiment = experiment_class(config, folder / f"{config.task}_data")
    there, undisturbed = member_dir(run, fold, member), member_dir(whole, fold, member)
    assert len(read_history(there)) == 1
    history = fit(experiment.fold(fold), there, member_seed(config.seed, fold, member), choose_strategy("none"))
    assert [row["iterations"] for row in history] == [row["iterations"] for row in read_history(undisturbed)]
    weights = [load_network(path / "model.keras").get_weights() for path in (there, undisturbed)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=STEPS * config.train.learning_rate)


def test_a_config_of_a_run_is_that_of_the_file_it_was_made_of(version):
    config, _ = read_run(version[0] / "runs" / "photoz", PhotozConfig)
    assert load_config(version[0] / "runs" / "photoz" / "config.yaml", PhotozConfig) == config
    assert config.survey == SDSS
