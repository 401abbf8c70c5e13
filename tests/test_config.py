import pytest

from photoz_morph.config import differing_keys, find_config, load_config, save_config
from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig
from tests.support.paths import ROOT


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "configs").glob("*.yaml")))
def test_shipped_configs_load(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # as a user in an empty folder
    config_class = MorphConfig if name.startswith("morph") else PhotozConfig
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
        ("redshift: {z_max: -1}\ntrain: {epochs: 1}", "a.yaml: redshift grid needs z_max > z_min"),
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
        ("data.classes=two", "must be one of spiral_elliptical_merger, merger"),
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
