"""Make tests/data/VERSION: a small sample of every format on disk, and what this version reads in it.

    python scripts/make_format_samples.py tests/data/v0.1

Run it once, before a version is released; its files are never made again, for tests/test_earlier_versions.py must read
what users of that version have. Networks are as small as they can be, and images have few different pixel values, so
that everything fits in `samples.tar.xz`. `expected.json` holds what the readers of that test find today.
"""

import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the samples of the tests

import numpy as np
from astropy.table import Table

from photoz_morph.config import load_config
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.registry import build_classifier, build_model
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.morph.export import export_morph
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.predictions import write_morph_predictions
from photoz_morph.morph.robustness.attack import AttackPlan, attack_runs
from photoz_morph.morph.robustness.latent_files import write_latent
from photoz_morph.morph.robustness.latents import latent_run
from photoz_morph.morph.robustness.perturb import perturb_run
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.photoz.export import export
from photoz_morph.photoz.predict import predict_run
from photoz_morph.photoz.predictions import write_predictions
from photoz_morph.photoz.report.model_card import model_card
from photoz_morph.rail.model_file import model_from_run, write_model
from photoz_morph.robustness.one_pixel.attack import AttackOptions
from photoz_morph.runs.folder import member_dir
from photoz_morph.runs.scores import write_scores
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from photoz_morph.shards.scenes import scene_shard_path, write_scene_shard
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from photoz_morph.training.ensemble import member_seed, train_ensemble
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import MOCK_HEADER, MORPH_TINY, TINY, colour_stacks, shape_mocks
from tests.test_earlier_versions import READERS
from tfds_builders.sdss_ugriz import build as build_stacks
from tfds_builders.tng_lsst_mocks import build as build_mocks

SMALLEST = (
    *TINY, "data.n_validation=3", "data.batch_size=8", "model.conv1_filters=3", "model.blocks=[[2, 3], [2, 3]]",
    "model.dense_units=6", "model.pool_after=[1, 2]", "model.activation=prelu", "redshift.n_bins=40",
    "simulation.n_galaxies=null",
)  # fmt: skip
MORPH_SMALLEST = (
    *MORPH_TINY, "model.name=convnet", "data.batch_size=8", "model.width=2", "model.n_latent=4", 
    "train.learning_rate=1e-2", "train.epochs=4",
    "simulation.n_galaxies=null",
)  # fmt: skip
LIMIT = 1_000_000  # bytes of the whole folder


class Stop(Exception):
    """Raised in the second epoch of a training, which leaves its checkpoint behind."""


def main(out):
    """Write the archive and the values beside it."""
    out = Path(out)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "samples"
        folder.mkdir()
        make_shards(folder)
        make_networks(folder / "networks")
        make_photoz(folder)
        make_morph(folder)
        leave_out(folder)
        expected = {name: read(folder) for name, read in READERS.items()}
        leave_out(folder)
        pack(folder, out / "samples.tar.xz")
    (out / "expected.json").write_text(json.dumps(expected, indent=None, separators=(",", ":"), sort_keys=True) + "\n")
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{size / 1000:.0f} kB in {out}")
    if size > LIMIT:
        sys.exit(f"{out}: more than {LIMIT / 1000:.0f} kB; make the samples smaller")


def make_shards(folder):
    """A shard of stacks, of mocks and of scenes, and the datasets of the first two."""
    for name in ("stacks", "mocks", "scenes", "exports"):
        (folder / name).mkdir()
    images, table = colour_stacks(36, first_id=200)  # some galaxies in each fold
    write_shard(shard_path(folder / "stacks", 0), coarse(images, 2, 1 / 8), table, SDSS, "simulated")
    images, table = shape_mocks(60, first_id=220)  # some galaxies in each split
    images = {years: coarse(cube, 4, 200) for years, cube in images.items()}
    write_mock_shard(mock_shard_path(folder / "mocks", 0), images, table, MOCK_HEADER)
    rows, columns = np.indices((24, 24)) - 11.5
    disk = 100 * np.exp(-np.hypot(rows, columns) / 3)[..., None] * np.array([0.6, 1.0, 1.3])
    table = Table({"obj_id": [5, 6], "group_id": [5, 5], "intended_type": [0, 1], "inclination": [0.2, 1.1]})
    write_scene_shard(scene_shard_path(folder / "scenes", 0), np.stack([disk, np.where(disk > 5, disk, 0)]), table)
    build_stacks(folder / "stacks", folder / "photoz_data", progress=False)
    build_mocks(folder / "mocks", folder / "morph_data", progress=False)


def coarse(images, side, step):
    """Images in squares of one value, which is a multiple of the step: they take a hundredth of the space."""
    squares = images[:, side // 2 :: side, side // 2 :: side]
    return (np.round(squares / step) * step).repeat(side, axis=1).repeat(side, axis=2)


def make_networks(folder):
    """Networks of random weights with every kind of layer that runs do not have."""
    folder.mkdir()
    published = (*SMALLEST, "model.photometric_inputs=false", "model.activation=relu", "model.with_ebv=false")
    config = load_config("photoz_simulated.yaml", PhotozConfig, published)
    build_model(config, seed=1).save(folder / "inception_plain.keras")
    for name, preset, options in (
        ("resnet18", "default", {"n_latent": 4}),
        ("convnet", "paper", {"n_latent": 4}),
        ("deepmerge", "default", {"crop": 32}),
    ):
        scaling = scaling_preset(preset, 0.85)
        scaling.set_quantiles([(-100.0, 1000.0), (-200.0, 900.0)][: scaling.n_domains])
        network = build_classifier(name, n_classes=3, seed=2, width=2, scaling=scaling, **options)
        network.save(folder / f"{name}.keras")
        if name == "convnet":
            for defence in ("d4", "median"):
                defended(network, defence).save(folder / f"{name}_{defence}.keras")


def make_photoz(folder):
    """A run of two networks for two folds, one that was stopped, and all that is made of a run."""
    data_dir, run_dir = folder / "photoz_data", folder / "runs" / "photoz"
    config = load_config("photoz_simulated.yaml", PhotozConfig, SMALLEST)
    train_ensemble(PhotozExperiment, config, run_dir, data_dir, n_members=2, n_folds=2, progress=False)
    stop_training(PhotozExperiment, config, run_dir, data_dir, fold=1, member=1)
    table = predict_run(run_dir, progress=False)
    grid, there = config.redshift, run_dir / "predictions.fits"
    write_predictions(table, there)
    write_scores(evaluate(table, grid, n_bootstrap=20), run_dir / "scores.json")
    methods = {"first": table, "second": table}
    write_scores(compare(methods, {name: grid for name in methods}, 20), run_dir / "comparison.json")
    (folder / "predictions").mkdir()
    table = table[["obj_id", "group_id", "ra", "dec", "z_spec", "ebv", "mags", "fold", *table.colnames[-8:]]]
    for name in ("whole.fits", "whole.parquet", "whole.hdf5", "whole.hats"):
        write_predictions(table, folder / "predictions" / name)
    for name in ("compact.fits", "compact.parquet"):
        write_predictions(table, folder / "predictions" / name, max_cdf_error=2e-3)
    description = export(run_dir, folder / "exports" / "photoz")
    (folder / "exports" / "photoz" / "MODEL_CARD.md").write_text(model_card(description))
    write_model(model_from_run(run_dir), folder / "rail.zip")


def make_morph(folder):
    """A run of each arm, one that was stopped, and all that is made of a run."""
    data_dir, tables = folder / "morph_data", []
    for arm, more in (("regular", ()), ("mmd", ("scaling.preset=paper",))):
        run_dir = folder / "runs" / f"morph_{arm}"
        config = load_config(f"morph_{arm}.yaml", MorphConfig, (*MORPH_SMALLEST, *more))
        train_ensemble(MorphExperiment, config, run_dir, data_dir, n_members=2, n_folds=1, progress=False)
        stop_training(MorphExperiment, config, run_dir, data_dir, fold=0, member=1)
        tables.append(predict_morph_run(run_dir, progress=False))
        write_morph_predictions(tables[-1], run_dir / "predictions.fits")
        scores = evaluate_morph(tables[-1], n_bootstrap=20)
        if arm == "mmd":  # as `morph evaluate --against` does
            scores["comparison"] = compare_morph(*tables, n_bootstrap=20)
        write_scores(scores, run_dir / "scores.json")
        export_morph(run_dir, folder / "exports" / run_dir.name)
    regular = folder / "runs" / "morph_regular"
    plan = AttackPlan(AttackOptions(max_queries=200), n_images=3, bounds="sigma:1e5", seed=3)
    (attack,) = attack_runs([regular], plan, progress=False)
    write_latent(latent_run(regular, attack, every_seed=True, n_bootstrap=20, progress=False), regular / "latent.json")
    perturb_run(regular, ["hot_pixel", "shift"], n_images=6, progress=False)


def stop_training(experiment_class, config, run_dir, data_dir, fold, member):
    """A copy of a run whose last network was stopped in its second epoch."""
    stopped = run_dir.with_name(f"{run_dir.name}_stopped")
    shutil.copytree(run_dir, stopped)
    folder = member_dir(stopped, fold, member)
    shutil.rmtree(folder)

    def on_batch(epoch, *_):
        if epoch > 1:
            raise Stop

    try:
        split = experiment_class(config, data_dir).fold(fold)
        fit(split, folder, member_seed(config.seed, fold, member), choose_strategy("none"), on_batch)
    except Stop:
        return
    raise RuntimeError(f"{folder}: the training was not stopped")


def leave_out(folder):
    """Remove what names a machine and what no reader opens; make the path of a run's dataset a relative one."""
    for path in [*folder.rglob("lock"), *folder.rglob("tensorboard")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.rglob("environment.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"platform": "Linux"}, indent=1))
    for path in folder.rglob("dataset.json"):
        dataset = json.loads(path.read_text())
        dataset["path"] = "/".join(Path(dataset["path"]).parts[-3:])
        path.write_text(json.dumps(dataset, indent=1))


def pack(folder, path):
    """One archive without owners and times."""
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            content, member = file.read_bytes(), tarfile.TarInfo(str(file.relative_to(folder)))
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main(sys.argv[1])
