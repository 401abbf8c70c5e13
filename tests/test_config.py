import dataclasses
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from photoz_morph.blend.config import BlendConfig
from photoz_morph.config import differing_keys, find_config, load_config, save_config
from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig
from tests.support.paths import ROOT
from tests.support.surveys import DESCRIPTION, THREE_BANDS


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "configs").glob("*.yaml")))
def test_shipped_configs_load(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # as a user in an empty folder
    config_class = CHAINS[name.partition("_")[0]][1]
    assert load_config(f"configs/{name}", config_class) == load_config(name, config_class)


def test_paper_protocol():
    config = load_config("photoz_sdss.yaml", PhotozConfig)
    assert (config.train.iterations, config.data.batch_size, config.data.n_validation) == (120_000, 128, 20_000)
    assert (config.redshift.n_bins, config.redshift.z_min, config.redshift.z_max) == (180, 0.0, 0.4)


def test_saved_config_comes_back(tmp_path):
    config = load_config("photoz_simulated.yaml", PhotozConfig, ["train.learning_rate=1e-4", "model.pool_after=[1]"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml", PhotozConfig) == config


def test_numbers_yaml_reads_as_strings_are_converted(tmp_path):
    path = write(tmp_path / "a.yaml", "train: {epochs: 3, learning_rate: 1e-3}\n")  # YAML 1.1: '1e-3' is a string
    assert load_config(path, PhotozConfig).train.learning_rate == 1e-3


def test_set_changes_one_key_only():
    config = load_config("photoz_simulated.yaml", PhotozConfig)
    changed = load_config("photoz_simulated.yaml", PhotozConfig, ["data.batch_size=32"])
    assert differing_keys(config, changed) == ["data.batch_size"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("train: {epoch: 3}", r"a.yaml: unknown key 'train.epoch'. Did you mean 'train.epochs'\?"),
        ("trian: {epochs: 3}", r"unknown key 'trian'. Did you mean 'train'\?"),
        ("train: {epochs: many}", "'train.epochs' must be int, got 'many'"),
        ("train: {epochs: 2.5}", "'train.epochs' must be int, got 2.5"),
        ("train: {epochs: 3, schedule: linear}", "'train.schedule' is 'linear', must be one of constant"),
        ("train: {epochs: 3, iterations: 5}", "exactly one of 'train.epochs' and 'train.iterations'"),
        ("train: {epochs: 0}", "'train.epochs' must be positive"),
        ("train: 3", "'train' is a group of keys, got 3"),
        ("model: {with_ebv: maybe}\ntrain: {epochs: 1}", "'model.with_ebv' must be bool, got 'maybe'"),
        ("model: {blocks: [[1, 2, 3]]}\ntrain: {epochs: 1}", "'model.blocks' must be list"),
        ("redshift: {z_max: -1}\ntrain: {epochs: 1}", "a.yaml: 'redshift': redshift grid needs z_max > z_min"),
        ("- a", "expected `key: value` lines"),
        ("a: [", "not valid YAML"),
    ],
)
def test_wrong_values_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        load_config(write(tmp_path / "a.yaml", text), PhotozConfig)


def test_wrong_overrides_are_named():
    with pytest.raises(ValueError, match=r"--set train.epoch=3: unknown key 'train.epoch'. Did you mean"):
        load_config("photoz_simulated.yaml", PhotozConfig, ["train.epoch=3"])
    with pytest.raises(ValueError, match="expected key=value"):
        load_config("photoz_simulated.yaml", PhotozConfig, ["train.epochs"])


def test_missing_config_lists_the_shipped_ones():
    with pytest.raises(FileNotFoundError, match="photoz_sdss.yaml"):
        find_config("photoz_sds.yaml")


def test_a_config_of_the_other_chain_is_refused():
    with pytest.raises(ValueError, match="is a config of `photoz`, not of `morph`; use it with `photoz`"):
        load_config("photoz_simulated.yaml", MorphConfig)


@pytest.mark.parametrize(
    "override, message",
    [
        ("adaptation.weight=-1", r"'adaptation.weight' must be in \[0, inf\], got -1.0"),
        ("adaptation={name: mmd, weight: 0}", "'adaptation.weight' is 0; give a weight, such as 0.05"),
        ("adaptation={name: consistency, weight: 0}", "is consistency, but 'adaptation.weight' is 0"),
        ("data.pixel_augmentation=2", r"'data.pixel_augmentation' must be in \[0, 1\], got 2.0"),
        ("defence.test_time=blur", "must be one of none, d4, median"),
        ("defence={test_tim: d4}", "Did you mean 'defence.test_time'"),
        ("model.dropout=1", r"'model.dropout' must be in \[0, 0.99\]"),
        ("adaptation.nam=mmd", "Did you mean 'adaptation.name'"),
        ("RANGES=3", "unknown key 'RANGES'"),
        ("data.classes=two", "must be one of spiral_elliptical_merger, spiral_elliptical, merger"),
    ],
)
def test_bad_values_of_a_morphology_config(override, message):
    with pytest.raises(ValueError, match=message):
        load_config("morph_regular.yaml", MorphConfig, [override])


def test_the_arms_of_the_comparison_differ_in_the_adaptation_alone():
    for prefix in ("morph", "morph_paper"):
        regular, adapted = (load_config(f"{prefix}_{name}.yaml", MorphConfig) for name in ("regular", "mmd"))
        assert regular.adaptation.name == "none" and adapted.adaptation.name == "mmd"
        assert all(key.startswith("adaptation.") for key in differing_keys(regular, adapted))


def test_trials_differ_from_their_reference_in_one_choice():
    reference = load_config("photoz_trials.yaml", PhotozConfig)
    assert differing_keys(reference, load_config("photoz_simulated.yaml", PhotozConfig)) == [
        "simulation.n_galaxies", "simulation.deep_fraction", "train.epochs", "train.iterations"
    ]  # fmt: skip
    changed = {"50": ["data.train_fraction"], "20": ["data.train_fraction"], "deep": ["data.train_on"],
               "2": ["data.train_fraction", "train.iterations"],  # it overfits sooner
               "shallow": ["data.train_on"], "no_ebv": ["model.with_ebv"]}  # fmt: skip
    for name, keys in changed.items():
        assert differing_keys(reference, load_config(f"photoz_trial_{name}.yaml", PhotozConfig)) == keys


def test_a_base_lies_beside_the_file_and_is_overridden_key_by_key(tmp_path):
    (tmp_path / "below.yaml").write_text("base: photoz_simulated.yaml\nmodel: {crop: 40}\n")
    path = tmp_path / "mine.yaml"
    path.write_text("base: below.yaml\nmodel: {dense_units: 9}\n")
    config = load_config(path, PhotozConfig)
    assert (config.model.crop, config.model.dense_units, config.model.conv1_kernel) == (40, 9, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [("base: mine.yaml", "its base .*mine.yaml is based on it"), ("base: nowhere.yaml", "nowhere.yaml: no such config"),
     ("base: ../{folder}/mine.yaml", "its base .*mine.yaml is based on it"),
     ("base: 3", "'base' must be the name of a config file, got 3")],
)  # fmt: skip
def test_a_bad_base_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text.format(folder=tmp_path.name))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_config(path, PhotozConfig)


def test_a_tilde_in_the_name_of_a_config_or_its_base_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine.yaml", "train: {epochs: 3}\n")
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path / "elsewhere" / "other.yaml", "base: ~/mine.yaml\nseed: 9\n")
    config = load_config(path, PhotozConfig)
    assert (config.train.epochs, config.seed) == (3, 9)
    assert load_config("~/mine.yaml", PhotozConfig).train.epochs == 3


# Values of the right type that mean nothing: chain, key=value of --set, and what the line says after naming the file.
# Keys of the shipped U-Net that other networks do not have.
NONE = {
    "loss": "{semantic: null, heat: null, distances: null, offsets: null, class_balance: null}",
    "detection": "{max_detections: null, min_score: null, map_score: null, max_iou: null}",
}
BARE = [f"loss.{key}=null" for key in ("semantic", "heat", "distances", "offsets", "class_balance")]
OF_FIELDS = [
    "model.name=field_regressor", "simulation.kind=fields", "data.crop=null", f"detection={NONE['detection']}",
    f"loss={NONE['loss']}",
]  # fmt: skip
MEANINGLESS = [
    ("photoz", ["seed=-1"], "'seed' must be in [0, inf], got -1"),
    ("photoz", ["simulation.seed=-3"], "'simulation.seed' must be in [0, 9e+08], got -3"),
    ("photoz", ["simulation.n_galaxies=0"], "'simulation.n_galaxies' must be positive, got 0"),
    ("photoz", ["simulation.deep_fraction=1.5"], "'simulation.deep_fraction' must be in [0, 1], got 1.5"),
    ("photoz", ["simulation.deep_fraction=.nan"], "'simulation.deep_fraction' must be a finite number, got nan"),
    ("photoz", ["data.n_validation=0"], "'data.n_validation' must be positive, got 0"),
    ("photoz", ["data.batch_size=0"], "'data.batch_size' must be positive, got 0"),
    ("photoz", ["data.train_fraction=0"], "'data.train_fraction' must be positive, got 0.0"),
    ("photoz", ["data.train_fraction=0.9"], "'data.train_fraction' must be in [0, 0.8], got 0.9"),
    ("photoz", ["data.train_on=bright"], "'data.train_on' is 'bright', must be one of all, deep, shallow"),
    ("photoz", ["redshift.z_min=0.4"], "'redshift': redshift grid needs z_max > z_min, both finite, and n_bins >= 1, "
     "got z_min 0.4, z_max 0.4, n_bins 180"),
    ("photoz", ["redshift.z_max=.inf"], "'redshift': redshift grid needs z_max > z_min, both finite"),
    ("photoz", ["redshift.z_min=-1"], "'redshift.z_min' must be in [-0.1, 20], got -1.0"),
    ("photoz", ["redshift.z_max=400"], "'redshift.z_max' must be in [-0.1, 20], got 400.0"),
    ("photoz", ["redshift.n_bins=1"], "'redshift.n_bins' must be in [2, inf], got 1"),
    ("photoz", ["model.name=resnet18"], "'model.name' is 'resnet18', must be one of inception_photoz"),
    ("photoz", ["model.crop=65"], "'model.crop' is 65, the stamps of sdss have 64 pixels"),
    ("photoz", ["model.crop=0"], "'model.crop' must be positive, got 0"),
    ("photoz", ["model.conv1_filters=0"], "'model.conv1_filters' must be positive"),
    ("photoz", ["model.conv1_kernel=99"], "'model.conv1_kernel' is 99, the network sees"),
    ("photoz", ["model.conv1_stride=99"], "'model.conv1_stride' is 99, the network sees"),
    ("photoz", ["model.blocks=[]"], "'model.blocks' is empty, so 'model.pool_after', 'model.band_subsets'"),
    ("photoz", ["model.blocks=[]", "model.pool_after=[]", "model.photometric_inputs=false", "model.apertures=circular",
                "model.photometric_layers=0"], "'model.blocks' is empty and 'model.photometric_inputs' false"),
    ("photoz", [f"model.blocks={[[4, 8]] * 41}"], "'model.blocks' lists 41 blocks; give at most 40"),
    ("photoz", ["model.blocks=[[4, 0]]", "model.pool_after=[]"], "'model.blocks' is [[4, 0]]; widths are positive"),
    ("photoz", ["model.pool_after=[0]"], "'model.pool_after' is [0]; name each block once, of 1 to"),
    ("photoz", ["model.pool_after=[1, 1]"], "'model.pool_after' is [1, 1]; name each block once"),
    ("photoz", ["model.pool_after=[1, 9]"], "'model.pool_after' is [1, 9]; name each block once"),
    ("photoz", ["model.crop=8", "model.blocks=[[4, 8], [4, 8], [4, 8], [4, 8]]", "model.pool_after=[1, 2, 3, 4]"],
     "a map of one pixel would be pooled; pool less often"),
    ("photoz", ["model.dense_units=0"], "'model.dense_units' must be positive"),
    ("photoz", ["model.activation=gelu"], "'model.activation' is 'gelu', must be one of prelu, relu"),
    ("photoz", ["train.epochs=null", "train.iterations=null"], "give exactly one of 'train.epochs' and"),
    ("photoz", ["train.epochs=null", "train.iterations=0"], "'train.iterations' must be positive, got 0"),
    ("photoz", ["train.epochs=0"], "'train.epochs' must be positive, got 0"),
    ("photoz", ["train.learning_rate=-1e-3"], "'train.learning_rate' must be positive, got -0.001"),
    ("photoz", ["train.learning_rate=.inf"], "'train.learning_rate' must be a finite number, got inf"),
    ("photoz", ["train.learning_rate=1e3"], "'train.learning_rate' must be in [0, 1], got 1000.0"),
    ("photoz", ["train.warmup_iterations=-1"], "'train.warmup_iterations' must be in [0, inf], got -1"),
    ("photoz", ["train.epochs=null", "train.iterations=100", "train.warmup_iterations=100"],
     "'train.warmup_iterations' is 100, the whole training has 'train.iterations' 100; give fewer"),
    ("photoz", ["train.schedule=linear"], "'train.schedule' is 'linear', must be one of constant, cosine, halfway"),
    ("photoz", ["train.schedule=one_cycle", "train.warmup_iterations=9"],
     "'train.warmup_iterations' is 9, but 'train.schedule' is one_cycle, which has its own warm-up; give 0"),
    ("photoz", ["train.loss=mse"], "'train.loss' is 'mse', must be one of cross_entropy, crps"),
    ("photoz", ["data.extra_ebv=-0.1"], "'data.extra_ebv' must be in [0, 1], got -0.1"),
    ("photoz", ["data.extra_ebv=0.1", "model.with_ebv=false"],
     "'data.extra_ebv' is 0.1, but 'model.with_ebv' is false: the network is not told; set it to true, or give 0"),
    ("photoz", ["data.shift=-1"], "'data.shift' must be in [0, 4], got -1.0"),
    ("photoz", ["data.rotation=none"], "'data.rotation' is 'none', must be one of square, any"),
    ("photoz", ["train.ema_momentum=1"], "'train.ema_momentum' must be in [0, 0.9999], got 1.0"),
    ("photoz", ["train.auxiliary_weight=-1"], "'train.auxiliary_weight' must be in [0, 100], got -1.0"),
    ("morph", ["train.auxiliary_weight=101"], "'train.auxiliary_weight' must be in [0, 100], got 101.0"),
    ("photoz", ["train.teacher=runs/a", "train.label_sigma=1.5"],
     "'train.teacher' is 'runs/a', whose PDFs are the target, but 'train.label_sigma' is 1.5; give 0"),
    ("photoz", ["model.apertures=square"], "'model.apertures' is 'square', must be one of circular, psf_matched"),
    ("photoz", ["model.apertures=psf_matched", "model.photometric_inputs=false"],
     "'model.apertures' is psf_matched, but 'model.photometric_inputs' is false; set it to true, or leave"),
    ("photoz", ["model.observing=[airmass]"], "'model.observing' is ['airmass']; name each condition once, of"),
    ("photoz", ["model.observing=[n_frames, n_frames]"], "'model.observing' is ['n_frames', 'n_frames']; name each"),
    ("photoz", ["model.dense_activation=tanh"], "'model.dense_activation' is 'tanh', must be one of relu, gelu"),
    ("photoz", ["model.photometric_layers=-1"], "'model.photometric_layers' must be in [0, 10], got -1"),
    ("photoz", ["model.photometric_layers=1", "model.photometric_inputs=false", "model.apertures=circular"],
     "'model.photometric_layers' is 1, but 'model.photometric_inputs' is false; set it to true, or give 0"),
    ("photoz", ["model.pooling=median"], "'model.pooling' is 'median', must be one of average, max"),
    ("photoz", ["model.compression=sqrt"], "'model.compression' is 'sqrt', must be one of none, asinh"),
    ("photoz", ["model.compression=asinh", "model.photometric_inputs=true"],
     "'model.compression' is asinh, but 'model.photometric_inputs' is true, which has scales of its own; set one"),
    ("photoz", ["model.band_subsets=[[u, y]]"], "'model.band_subsets' names band 'y', survey sdss has u, g, r, i, z"),
    ("photoz", ["model.band_subsets=[[]]"], "'model.band_subsets' holds []; give sets of some, not all, of u, g, r"),
    ("photoz", ["model.band_subsets=[[u, u]]"], "'model.band_subsets' holds ['u', 'u']; give sets of some"),
    ("photoz", ["model.band_subsets=[[u, g], [g, u]]"], "'model.band_subsets' holds ['g', 'u']; give"),
    ("photoz", ["model.band_subsets=[[z, i, r, g, u]]"], "'model.band_subsets' holds ['z', 'i', 'r', 'g', 'u']; give"),
    ("photoz", ["model.band_subset_blocks=2"], "'model.band_subset_blocks' is 2, but there are no"),
    ("photoz", ["model.band_subsets=[[u]]", "model.band_subset_blocks=9"],
     "'model.band_subset_blocks' is 9; give 1 to "),
    ("photoz", ["model.dropout=1"], "'model.dropout' must be in [0, 0.9], got 1.0"),
    ("photoz", ["train.initial_weights=''"], "'train.initial_weights' is empty; name the run folder of"),
    ("photoz", ["pretrain={contrast: 0, colours: 0, redshift: 0}"],
     "'pretrain.contrast', 'colours' and 'redshift' are all 0; give one of them a weight"),
    ("photoz", ["pretrain.contrast=-1"], "'pretrain.contrast' must be in [0, 1000], got -1.0"),
    ("photoz", ["pretrain.colours=.inf"], "'pretrain.colours' must be a finite number, got inf"),
    ("photoz", ["pretrain.redshift=-1"], "'pretrain.redshift' must be in [0, 1000], got -1.0"),
    ("photoz", ["pretrain.temperature=0"], "'pretrain.temperature' must be positive, got 0.0"),
    ("photoz", ["pretrain.projection_units=0"], "'pretrain.projection_units' must be positive, got 0"),
    ("photoz", ["pretrain.noise=-1"], "'pretrain.noise' must be in [0, 10], got -1.0"),
    ("photoz", ["pretrain.shift=32"], "'pretrain.shift' must be in [0, 16], got 32"),
    ("photoz", ["pretrain.extra_ebv=2"], "'pretrain.extra_ebv' must be in [0, 1], got 2.0"),
    ("photoz", ["train.weight_decay=-1"], "'train.weight_decay' must be in [0, 1], got -1.0"),
    ("photoz", ["train.label_sigma=-1"], "'train.label_sigma' must be in [0, inf], got -1.0"),
    ("photoz", ["train.label_sigma=1e-200"], "'train.label_sigma' is 1e-200 bins; give 0 for the bin of z_spec alone"),
    ("photoz", ["train.label_sigma=181"], "'train.label_sigma' is 181.0 bins; give 0 for"),
    ("photoz", ["adaptation={name: lmmd, target_dir: here, weight: 0}"],
     "'adaptation.name' is lmmd, but 'adaptation.weight' is 0; give a weight, such as 0.1"),
    ("photoz", ["adaptation={name: mmd}"], "'adaptation.name' is mmd, but it has no target: give 'adaptation.target"),
    ("photoz", ["adaptation={name: mmd, target_depth: deep}"], "mmd, but it has no target: give 'adaptation.target"),
    ("photoz", ["adaptation={name: mmd, target_depth: deep}", "data.train_on=deep"],
     "'adaptation.target_depth' and 'data.train_on' are both deep, so source and target would be the same galaxies"),
    ("photoz", ["adaptation={name: mmd, target_dir: ' '}"], "'adaptation.target_dir' is empty; name a prepared"),
    ("photoz", ["adaptation={name: cdan, target_dir: here, warmup_epochs: 20}", "train.epochs=20"],
     "'adaptation.warmup_epochs' is 20 of 20 'train.epochs', so cdan would have no weight; give fewer"),
    ("photoz", ["adaptation={name: cdan, target_dir: here}", "train.auxiliary_weight=0.1"],
     "'train.auxiliary_weight' is 0.1, but a training with 'adaptation.name' cdan has no second head; give 0"),
    ("photoz", ["adaptation={name: lmmd, target_dir: here, n_groups: 9}", "data.batch_size=16"],
     "'adaptation.n_groups' is 9, and a batch of 16 has not two galaxies of each group; give fewer, or raise"),
    ("photoz", ["adaptation={name: coral, target_dir: here}", "data.batch_size=1"],
     "'data.batch_size' is 1, but coral needs pairs; give 2 or more"),
    ("photoz", ["adaptation.name=mdd"], "'adaptation.name' is 'mdd', must be one of none, mmd, lmmd, coral, dann"),
    ("photoz", ["adaptation.target_depth=half"], "'adaptation.target_depth' is 'half', must be one of all, deep"),
    ("photoz", ["adaptation.estimator=mean"], "'adaptation.estimator' is 'mean', must be one of median, paper"),
    ("photoz", ["adaptation.n_groups=0"], "'adaptation.n_groups' must be in [1, inf], got 0"),
    ("photoz", ["adaptation.discriminator_width=0"], "'adaptation.discriminator_width' must be positive, got 0"),
    ("photoz", ["adaptation.discriminator_dropout=1"], "'adaptation.discriminator_dropout' must be in [0, 0.99], got"),
    ("photoz", ["adaptation.weight=-1"], "'adaptation.weight' must be in [0, inf], got -1.0"),
    ("photoz", ["adaptation.ramp_epochs=-1"], "'adaptation.ramp_epochs' must be in [0, inf], got -1.0"),
    ("photoz", ["train.precision=float16"], "'train.precision' is 'float16', must be one of float32, mixed_bfloat16"),
    ("morph", ["survey=sdss"], "'survey' is 'sdss', must be one of lsst"),
    ("morph", ["seed=-1"], "'seed' must be in [0, inf], got -1"),
    ("morph", ["simulation.seed=900000001"], "'simulation.seed' must be in [0, 9e+08], got 900000001"),
    ("morph", ["simulation.n_galaxies=-5"], "'simulation.n_galaxies' must be positive, got -5"),
    ("morph", ["data.batch_size=0"], "'data.batch_size' must be positive, got 0"),
    ("morph", ["adaptation={name: mmd}", "data.batch_size=1"], "'data.batch_size' is 1, the MMD needs pairs"),
    ("morph", ["data.classes=five"],
     "'data.classes' is 'five', must be one of spiral_elliptical_merger, spiral_elliptical, merger"),
    ("morph", ["data.pixel_augmentation=-0.1"], "'data.pixel_augmentation' must be in [0, 1], got -0.1"),
    ("morph", ["scaling.preset=log"], "'scaling.preset' is 'log', must be one of default, paper"),
    ("morph", ["scaling.softness=0"], "'scaling.softness' must be positive, got 0.0"),
    ("morph", ["scaling.softness=.inf"], "'scaling.softness' must be a finite number, got inf"),
    ("morph", ["model.name=inception_photoz"], "'model.name' is 'inception_photoz', must be one of resnet18, convnet"),
    ("morph", ["model.width=0"], "'model.width' must be positive, got 0"),
    ("morph", ["model.n_latent=-2"], "'model.n_latent' must be positive, got -2"),
    ("morph", ["model.dropout=1"], "'model.dropout' must be in [0, 0.99], got 1.0"),
    ("morph", ["model={name: deepmerge, n_latent: 8, dropout: null}"], "'model.n_latent' is 8, but deepmerge has no"),
    ("morph", ["model={name: deepmerge, n_latent: null, dropout: 0.2}"], "'model.dropout' is 0.2, but deepmerge has"),
    ("morph", ["adaptation.name=ddc"], "'adaptation.name' is 'ddc', must be one of none, mmd, lmmd, consistency,"),
    ("morph", ["adaptation={name: coral}", "data.batch_size=1"], "'data.batch_size' is 1, the covariance of CORAL"),
    ("morph", ["adaptation.weighting=learned"], "'adaptation.weighting' is learned, but 'adaptation.name' is none"),
    ("morph", ["adaptation.weighting=free"], "'adaptation.weighting' is 'free', must be one of fixed, learned"),
    ("morph", ["adaptation.discriminator_width=0"], "'adaptation.discriminator_width' must be positive, got 0"),
    ("morph", ["adaptation.discriminator_dropout=1"], "'adaptation.discriminator_dropout' must be in [0, 0.99], got"),
    ("morph", ["adaptation.margin=0"], "'adaptation.margin' must be positive, got 0.0"),
    ("morph", ["adaptation.temperature=-1"], "'adaptation.temperature' must be positive, got -1.0"),
    ("morph", ["adaptation.jdot_distance=-1"], "'adaptation.jdot_distance' must be in [0, inf], got -1.0"),
    ("morph", ["adaptation.threshold=1.5"], "'adaptation.threshold' must be in [0, 1], got 1.5"),
    ("morph", ["adaptation.view_shift=-1"], "'adaptation.view_shift' must be in [0, 50], got -1"),
    ("morph", ["adaptation.weight=.nan"], "'adaptation.weight' must be a finite number, got nan"),
    ("morph", ["adaptation.estimator=mean"], "'adaptation.estimator' is 'mean', must be one of median, paper"),
    ("morph", ["adaptation={name: mmd, warmup_epochs: 20}", "train.epochs=20"],
     "'adaptation.warmup_epochs' is 20 of 20 'train.epochs', so mmd would have no weight; give fewer"),
    ("morph", ["adaptation.ramp_epochs=-1"], "'adaptation.ramp_epochs' must be in [0, inf], got -1.0"),
    ("morph", ["train.epochs=0"], "'train.epochs' must be positive, got 0"),
    ("morph", ["train.learning_rate=0"], "'train.learning_rate' must be positive, got 0.0"),
    ("morph", ["train.learning_rate=2"], "'train.learning_rate' must be in [0, 1], got 2.0"),
    ("morph", ["train.warmup_iterations=-1"], "'train.warmup_iterations' must be in [0, inf], got -1"),
    ("morph", ["train.schedule=halfway"], "'train.schedule' is 'halfway', must be one of constant, cosine"),
    ("morph", ["train.weight_decay=-1e-4"], "'train.weight_decay' must be in [0, inf], got -0.0001"),
    ("morph", ["train.decay=l1"], "'train.decay' is 'l1', must be one of decoupled, coupled"),
    ("morph", ["train.beta_1=1"], "'train.beta_1' must be in [0, 0.9999], got 1.0"),
    ("morph", ["train.beta_2=-0.5"], "'train.beta_2' must be in [0, 0.99999], got -0.5"),
    ("morph", ["train.batch_norm=target"], "'train.batch_norm' is 'target', must be one of both, source, domain"),
    ("morph", ["train.precision=half"], "'train.precision' is 'half', must be one of float32, mixed_bfloat16"),
    ("morph", ["defence.test_time=jpeg"], "'defence.test_time' is 'jpeg', must be one of none, d4, median"),
    ("photoz", ["data.n_labels=0"], "'data.n_labels' must be positive, got 0"),
    ("photoz", ["data.labels_part=-1"], "'data.labels_part' must be in [0, 1e+06], got -1"),
    ("photoz", ["model.pixel_scale=0"], "'model.pixel_scale' must be positive, got 0.0"),
    ("photoz", ["model.sky_sigma=[-1,1,1,1,1]"], "'model.sky_sigma' is [-1.0, 1.0, 1.0, 1.0, 1.0]"),
    ("morph", ["data.labels_of=both"], "'data.labels_of' is 'both', must be one of source, target"),
    ("morph", ["data.n_labels=0"], "'data.n_labels' must be positive, got 0"),
    ("morph", ["data.labels_part=-1"], "'data.labels_part' must be in [0, 1e+06], got -1"),
    ("morph", ["data.shift=17"], "'data.shift' must be in [0, 16], got 17"),
    ("morph", ["train.iterations=0"], "'train.iterations' must be positive, got 0"),
    ("photoz", ["transfer.source=' '"], "'transfer.source' is empty; name the run folder to start from, or give null"),
    ("photoz", ["transfer.mode=some"], "'transfer.mode' is 'some', must be one of all, blocks, frozen, lora"),
    ("photoz", ["transfer.blocks=0"], "'transfer.blocks' must be in [1, 1000], got 0"),
    ("photoz", ["transfer.decay=2"], "'transfer.decay' must be in [0, 1], got 2.0"),
    ("photoz", ["transfer.rank=0"], "'transfer.rank' must be in [1, 4096], got 0"),
    ("photoz", ["transfer.first=-1"], "'transfer.first' must be in [0, 1000], got -1"),
    ("morph", ["transfer.first=-1"], "'transfer.first' must be in [0, 1000], got -1"),
    ("photoz", ["transfer.head=old"], "'transfer.head' is 'old', must be one of source, new"),
    ("morph", ["transfer.source=' '"], "'transfer.source' is empty; name the run folder to start from, or give null"),
    ("morph", ["transfer.mode=some"], "'transfer.mode' is 'some', must be one of all, blocks, frozen, lora"),
    ("morph", ["transfer.blocks=0"], "'transfer.blocks' must be in [1, 1000], got 0"),
    ("morph", ["transfer.decay=2"], "'transfer.decay' must be in [0, 1], got 2.0"),
    ("morph", ["transfer.rank=0"], "'transfer.rank' must be in [1, 4096], got 0"),
    ("morph", ["transfer.head=old"], "'transfer.head' is 'old', must be one of source, new"),
    ("blend", ["survey=hsc"], "'survey' is 'hsc', must be one of lsst, sdss"),
    ("blend", ["seed=-1"], "'seed' must be in [0, inf], got -1"),
    ("blend", ["simulation.kind=triples"], "'simulation.kind' is 'triples', must be one of scenes, pairs, maps"),
    ("blend", ["simulation.n_images=0"], "'simulation.n_images' must be positive, got 0"),
    ("blend", ["simulation.seed=-3"], "'simulation.seed' must be in [0, 9e+08], got -3"),
    ("blend", ["data.batch_size=0"], "'data.batch_size' must be positive, got 0"),
    ("blend", ["data.crop=40"], "'data.crop' is 40, squares of 40 pixels, which 'model.depth' 4 cannot halve; give a "
     "multiple of 16"),
    ("blend", ["data.n_validation=0"], "'data.n_validation' must be positive, got 0"),
    ("blend", ["scaling.softness=0"], "'scaling.softness' must be positive, got 0.0"),
    ("blend", ["model.name=detr"], "'model.name' is 'detr', must be one of unet, grid_detector, faster_rcnn"),
    ("blend", ["model.output=boxes"], "'model.output' is 'boxes', must be one of sources, image"),
    ("blend", ["model.name=grid_detector", "model.output=image"],
     "'model.output' is image, but grid_detector has one output; choose sources, or the network unet"),
    ("blend", ["model.width=0"], "'model.width' must be positive, got 0"),
    ("blend", ["model.depth=7"], "'model.depth' must be in [1, 6], got 7"),
    ("blend", ["model.upsampling=nearest"], "'model.upsampling' is 'nearest', must be one of transposed, unpooling"),
    ("blend", ["model.stride=8"], "'model.stride' must be in [1, 4], got 8"),
    ("blend", ["model.stride=4"], "'model.stride' is 4, but unet has no such option; set it to null"),
    ("blend", ["model.name=grid_detector", *BARE, "model.stride=3"], "'model.stride' is 3; give 1, 2 or 4, and no"),
    ("blend", ["model.name=grid_detector", *BARE, "model.stride=4", "model.depth=1"], "'model.stride' is 4; give 1, 2"),
    ("blend", ["model.n_boxes=0"], "'model.n_boxes' must be positive, got 0"),
    ("blend", ["model.name=faster_rcnn", *BARE, "model.sizes=[]"], "'model.sizes' is []; give one positive number"),
    ("blend", ["model.name=faster_rcnn", *BARE, "model.ratios=[1, -2]"], "'model.ratios' is [1.0, -2.0]; give one"),
    *[("blend", [f"model.{key}=0"], f"'model.{key}' must be positive, got 0") for key in (
        "n_hidden", "box_size", "n_proposals", "anchor_sample", "proposal_sample", "mask_size", "n_mask_maps",
        "n_latent", "n_combining", "sigma")],
    *[("blend", [f"loss.{key}=-1"], f"'loss.{key}' must be in [0, inf], got -1.0") for key in (
        "semantic", "heat", "distances", "offsets", "coord", "noobj", "kl")],
    ("blend", ["loss.class_balance=2"], "'loss.class_balance' must be in [0, 1], got 2.0"),
    ("blend", ["loss.coord=5"], "'loss.coord' is 5.0, but unet has no such option; set it to null, it has "
     "loss.class_balance, loss.distances, loss.heat, loss.offsets, loss.semantic"),
    ("blend", ["loss.flux_unit=0"], "'loss.flux_unit' must be positive, got 0.0"),
    ("blend", ["detection.max_detections=0"], "'detection.max_detections' must be positive, got 0"),
    ("blend", ["detection.min_score=1.5"], "'detection.min_score' must be in [0, 1], got 1.5"),
    ("blend", ["detection.map_score=0.01"], "'detection.map_score' is 0.01, below 'detection.min_score' 0.05"),
    ("blend", ["detection.max_iou=-1"], "'detection.max_iou' must be in [0, 1], got -1.0"),
    ("blend", ["model.output=image", "detection=" + NONE["detection"], "loss=" + NONE["loss"]],
     "'simulation.kind' is scenes, but unet_image gives the galaxy in the middle of a pair; choose pairs"),
    ("blend", ["model.output=image", "detection=" + NONE["detection"], "loss=" + NONE["loss"], "simulation.kind=pairs"],
     "'data.crop' is 64, but unet_image gives the galaxy in the middle of an image; set it to null"),
    ("blend", ["simulation.kind=maps"], "'simulation.kind' is maps, but unet finds sources; choose scenes or pairs"),
    ("blend", [*OF_FIELDS, "simulation.kind=maps"],
     "'simulation.kind' is maps, but field_regressor gives the parameters of a field; choose fields"),
    ("blend", [*OF_FIELDS, "data.crop=32"], "'data.crop' is 32, but field_regressor gives the parameters of a field"),
    ("blend", [*OF_FIELDS, "survey=sdss"], "'survey' is sdss, but fields are simulated for lsst; choose lsst"),
    ("blend", [*OF_FIELDS, "scaling.softness=5"], "'scaling.softness' is 5, but fields are seen in units of their"),
    ("blend", [*OF_FIELDS, "model.upsampling=unpooling"], "'model.upsampling' is unpooling, but field_regressor has"),
    ("blend", ["train.epochs=0"], "'train.epochs' must be positive, got 0"),
    ("blend", ["train.learning_rate=2"], "'train.learning_rate' must be in [0, 1], got 2.0"),
    ("blend", ["train.warmup_iterations=-1"], "'train.warmup_iterations' must be in [0, inf], got -1"),
    ("blend", ["train.schedule=linear"], "'train.schedule' is 'linear', must be one of constant, cosine"),
    ("blend", ["train.weight_decay=-1"], "'train.weight_decay' must be in [0, inf], got -1.0"),
    ("blend", ["train.precision=float16"], "'train.precision' is 'float16', must be one of float32, mixed_bfloat16"),
]  # fmt: skip
CHAINS = {
    "photoz": ("photoz_simulated.yaml", PhotozConfig), "morph": ("morph_regular.yaml", MorphConfig),
    "blend": ("blend_unet.yaml", BlendConfig),
}  # fmt: skip


def written(path, chain, overrides):
    """A config file of the user with these values over those of a shipped one."""
    values = {"base": CHAINS[chain][0], "task": chain}
    for override in overrides:
        key, _, text = override.partition("=")
        group = values
        for name in key.split(".")[:-1]:
            group = group.setdefault(name, {})
        group[key.split(".")[-1]] = yaml.safe_load(text)
    return write(path, yaml.safe_dump(values))


@pytest.mark.parametrize(("chain", "overrides", "message"), MEANINGLESS)
def test_a_value_that_means_nothing_is_refused_at_load_in_a_file_and_on_the_command_line(
    tmp_path, chain, overrides, message
):
    shipped, config_class = CHAINS[chain]
    for path, given in ((written(tmp_path / "mine.yaml", chain, overrides), ()), (shipped, overrides)):
        with pytest.raises(ValueError, match=re.escape(message)) as error:
            load_config(path, config_class, given)
        assert Path(str(path)).name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("chain", CHAINS)
def test_every_number_and_choice_of_a_config_has_a_value_that_is_refused(chain):
    """A key added later needs its row of the table, and the check behind it."""
    values = flat(dataclasses.asdict(CHAINS[chain][1]()))
    values = {name: value for name, value in values.items() if not name.startswith("survey.")}  # a value of its own
    tested = {name for of, _, message in MEANINGLESS if of == chain for name in values if f"'{name}'" in message}
    switches = {name for name, value in values.items() if isinstance(value, bool)}  # both values mean something
    assert values.keys() - tested - switches == {"task"}


def flat(values, prefix=""):
    """Dotted keys of a nested dictionary."""
    pairs = {}
    for name, value in values.items():
        pairs |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return pairs


def test_overrides_that_make_sense_only_together_are_taken_together():
    config = load_config("photoz_simulated.yaml", PhotozConfig, ["redshift.z_min=0.5", "redshift.z_max=1.5"])
    assert (config.redshift.z_min, config.redshift.z_max) == (0.5, 1.5)


def test_options_that_a_network_lacks_are_those_its_function_does_not_take():
    from photoz_morph.models.registry import CLASSIFIERS

    for name, function in CLASSIFIERS.items():
        lacking = {"width", "n_latent", "dropout"} - set(inspect.signature(function).parameters)
        assert set(MorphConfig.LACKING.get(name, ())) == lacking


SAID = {"photoz": "single visits that morph makes mocks of", "morph": "must be one of lsst"}  # of the other's survey


@pytest.mark.parametrize("command", ["train", "summary"])
@pytest.mark.parametrize(("chain", "survey"), [("photoz", "lsst"), ("morph", "sdss")])
def test_every_command_that_takes_a_config_names_the_file_in_one_line(tmp_path, chain, survey, command):
    path = written(tmp_path / "mine.yaml", chain, [f"survey={survey}"])
    main = import_module(f"photoz_morph.cli.{chain}").main
    result = CliRunner().invoke(main, [command, str(path)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {path}: 'survey' is '{survey}', {SAID[chain]}")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("command", ["status", "predict", "evaluate", "export", "report"])
@pytest.mark.parametrize(("chain", "survey"), [("photoz", "lsst"), ("morph", "sdss")])
def test_every_command_that_takes_a_run_names_its_config_in_one_line(tmp_path, chain, survey, command):
    path = written(tmp_path / "config.yaml", chain, [f"survey={survey}"])
    main = import_module(f"photoz_morph.cli.{chain}").main
    result = CliRunner().invoke(main, [command, str(tmp_path)])
    assert result.exit_code == 1
    assert f"{path}: 'survey' is '{survey}', {SAID[chain]}" in result.output and result.output.count("\n") == 1


@pytest.mark.parametrize(
    "value, message",
    [
        ("lsst", "'survey' is 'lsst', single visits that morph makes mocks of; .* lsst_coadd"),
        ("des", "'survey': unknown survey 'des'; photoz_morph.surveys describes sdss"),
        ("7", "'survey' must be the name of a survey or the path of its .yaml file, got 7"),
        ("{name: tiny}", "'survey': no 'bands'; a survey needs name"),
        ("nowhere.yaml", "'survey': nowhere.yaml: no such file"),
    ],
)
def test_a_survey_that_there_is_not_is_refused_at_load(tmp_path, value, message):
    path = write(tmp_path / "mine.yaml", f"base: photoz_sdss.yaml\nsurvey: {value}\n")
    with pytest.raises((ValueError, OSError), match=f"mine.yaml: {message}"):
        load_config(path, PhotozConfig)
    with pytest.raises((ValueError, OSError), match=message):
        load_config("photoz_sdss.yaml", PhotozConfig, [f"survey={value}"])


def test_a_network_that_needs_the_noise_is_refused_for_a_survey_that_has_none():
    overrides = ["survey=legacy", "model.photometric_inputs=true"]
    with pytest.raises(ValueError, match="the description of survey legacy has no sky_sigma"):
        load_config("photoz_sdss.yaml", PhotozConfig, overrides)


def test_compression_needs_a_scale_of_the_survey(tmp_path):
    overrides = ["survey=legacy", "model.compression=asinh"]
    with pytest.raises(ValueError, match="description of survey legacy has neither sky_sigma nor asinh_softening"):
        load_config("photoz_sdss.yaml", PhotozConfig, overrides)


def test_a_saved_config_holds_its_survey_after_the_file_is_gone(tmp_path):
    survey_file = write(tmp_path / "tiny.yaml", yaml.safe_dump(DESCRIPTION))
    path = write(tmp_path / "mine.yaml", "base: photoz_sdss.yaml\nsurvey: tiny.yaml\nmodel: {crop: null}\n")
    config = load_config(path, PhotozConfig)
    assert config.survey == THREE_BANDS
    save_config(config, tmp_path / "saved.yaml")
    survey_file.unlink()
    assert load_config(tmp_path / "saved.yaml", PhotozConfig) == config
    changed = dataclasses.replace(config, survey=dataclasses.replace(THREE_BANDS, zero_point=26.0))
    assert differing_keys(config, changed) == ["survey"]


def test_a_saved_config_of_sdss_names_it_as_before(tmp_path):
    save_config(load_config("photoz_sdss.yaml", PhotozConfig), tmp_path / "saved.yaml")
    assert "survey: sdss\n" in (tmp_path / "saved.yaml").read_text()


def test_a_network_sees_the_whole_stamp_where_the_crop_is_null():
    from photoz_morph.models.registry import build_model

    config = load_config("photoz_sdss.yaml", PhotozConfig, ["model={crop: null, blocks: [[4, 8]], pool_after: []}"])
    config = dataclasses.replace(config, survey=THREE_BANDS)
    model = build_model(config)
    assert model.get_layer("image").output.shape == (None, 24, 24, 3)
    assert "crop" not in [layer.name for layer in model.layers]


def test_options_of_a_network_of_blend_are_those_of_its_function():
    from photoz_morph.models.registry import FIELD_NETWORKS, _options

    assert set(BlendConfig.CHOICES["model.name"]) == set(FIELD_NETWORKS)
    sections = {field.name for field in dataclasses.fields(BlendConfig().model)}
    for name, function in FIELD_NETWORKS.items():
        own = {key.partition(".")[2] for key in BlendConfig.OPTIONS[name] if key.startswith("model.")}
        assert own | {"width", "depth", "upsampling"} & set(_options(function)) == sections & set(_options(function))


def test_null_is_the_default_of_a_network_of_blend():
    config = load_config("blend_unet.yaml", BlendConfig, ["loss.heat=null", "loss.semantic=3"])
    assert config.option("loss.heat") == 1.0 and config.option("loss.semantic") == 3.0
    assert load_config("blend_faster_rcnn.yaml", BlendConfig).option("detection.max_iou") == 0.5
