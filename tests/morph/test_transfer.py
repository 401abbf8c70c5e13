import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.morph.transfer import Source, transferred_config
from photoz_morph.runs.folder import read_run
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import MORPH_TINY
from tests.support.training import copy_at, final_weights, same

TO_Y1 = ("data.labels_of=target", "data.n_labels=48", "train.iterations=6")


def config_of(run_dir, *options, base="morph_regular.yaml"):
    return transferred_config(load_config(base, MorphConfig, [*MORPH_TINY, *options]), run_dir)


def train(config, data_dir, folder, on_batch=None):
    seed = member_seed(config.seed, 0, 0)
    return fit(MorphExperiment(config, data_dir).fold(0), folder, seed, choose_strategy("none"), on_batch)


def transfer(run_dir, data_dir, *options):
    settings = [word for text in MORPH_TINY if not text.startswith("model.") for word in ("--set", text)]
    words = ["transfer", "morph_regular.yaml", "--from", run_dir, "--data-dir", data_dir, "--strategy", "mirrored"]
    return CliRunner().invoke(main, list(map(str, [*words, *settings, *options])))


def test_a_classifier_starts_with_the_outputs_of_its_source(morph_run_dirs, morph_data_dir):
    for mode in ("all", "lora"):
        config = config_of(morph_run_dirs["regular"], f"transfer.mode={mode}")
        model = MorphExperiment(config, morph_data_dir).fold(0).new_network(20, member_seed(config.seed, 0, 1))
        source = load_network(morph_run_dirs["regular"] / "fold_0" / "member_1" / "model.keras")
        images = np.random.default_rng(1).normal(size=(4, 100, 100, 3)).astype(np.float32) * 100
        np.testing.assert_allclose(
            model.classifier({"image": images})["logits"], source({"image": images})["logits"], atol=1e-5
        )


def test_the_labels_of_one_year_images_are_learnt_from_one_year_images(morph_run_dirs, morph_data_dir):
    config = config_of(morph_run_dirs["regular"], *TO_Y1, "data.augment=false")
    batches = MorphExperiment(config, morph_data_dir).fold(0).train
    builder = dataset.open_dataset(morph_data_dir)
    assert batches.n_galaxies == 48 and batches.steps_per_epoch == 3
    images = np.concatenate(list(dataset.domain_images(builder, "train", "y1", 64).as_numpy_iterator()))
    columns = reading.read_columns(builder, "train")
    by_id = {obj_id: (image, label) for obj_id, image, label in zip(columns["obj_id"], images, columns["label"])}
    shown = set()
    for number, (inputs, label) in enumerate(batches.epoch(1, 0).as_numpy_iterator()):
        for obj_id, image, own in zip(batches.obj_ids(1, 0, number)[:16], inputs["source"], label):
            np.testing.assert_array_equal(image, by_id[obj_id][0])
            assert own == by_id[obj_id][1]
            shown.add(obj_id)
    assert len(shown) == 48


def test_few_labels_are_among_more_and_another_part_has_others(morph_data_dir):
    builder = dataset.open_dataset(morph_data_dir)

    def chosen(n, part):
        config = load_config("morph_regular.yaml", MorphConfig, [f"data.n_labels={n}", f"data.labels_part={part}"])
        return set(reading.read_columns(builder, dataset.labelled_split(builder, config.data))["obj_id"])

    assert len(chosen(20, 0)) == 20 and chosen(20, 0) < chosen(60, 0)
    assert len(chosen(60, 3)) == 60 and chosen(20, 3) < chosen(60, 3) and chosen(20, 3) != chosen(20, 0)
    with pytest.raises(ValueError, match="data.n_labels is 5000, there are"):
        chosen(5000, 0)


@pytest.mark.parametrize("mode", ["lora", "blocks"])
def test_an_interrupted_transfer_ends_with_the_weights_of_an_undisturbed_one(
    mode, morph_run_dirs, morph_data_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr("photoz_morph.training.schedules.FEWEST_STEPS", 3)  # two epochs, of a pass each
    config = config_of(morph_run_dirs["mmd"], *TO_Y1, f"transfer.mode={mode}", "adaptation.ramp_epochs=1",
                       base="morph_mmd.yaml")  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(config, morph_data_dir, whole, copy_at(2, 1, whole, killed))
    train(config, morph_data_dir, killed)
    assert same(final_weights(whole), final_weights(killed))
    kinds = {type(layer).__name__ for layer in load_network(tmp_path / "whole" / "model.keras").layers}
    assert not kinds & {"LowRankDense", "LowRankConv2D"}


def test_images_of_another_size_meet_the_middle_of_a_flattened_map():
    small, large = (build_classifier("deepmerge", (side, side, 3), 2, crop=side, seed=side) for side in (75, 83))
    source = Source.__new__(Source)  # its weights alone are asked for
    source.config = load_config("morph_deepmerge.yaml", MorphConfig)
    source._path = lambda seed: "source"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("photoz_morph.morph.transfer.load_members", lambda paths: [small])
        source.give_weights(large, 1)
    rows = large.get_layer("dense1").kernel.numpy().reshape(10, 10, 32, 64)
    np.testing.assert_array_equal(rows[:9, :9].reshape(-1, 64), small.get_layer("dense1").kernel)
    assert not rows[9].any() and not rows[:, 9].any()


def test_a_few_label_curve_is_of_the_images_whose_labels_were_learnt(
    morph_run_dirs, morph_data_dir, tmp_path, undrawn
):
    out, words = tmp_path / "few", ("--set", "data.labels_of=target", "--set", "train.iterations=6")
    result = transfer(morph_run_dirs["regular"], morph_data_dir, "--labels", "32", "--repeats", 2, "--mode", "frozen",
                      *words, "--run-dir", out)  # fmt: skip
    assert result.exit_code == 0, result.output
    curve = json.loads((out / "few_labels.json").read_text())
    methods = [entry["method"] for entry in curve["entries"]]
    assert curve["domain"] == "Y1" and methods == ["source", "frozen", "scratch"]
    # The dataset is that of the source, so without labels each repeat does what one of its networks does.
    builder = dataset.open_dataset(morph_data_dir)
    images = np.concatenate(list(dataset.domain_images(builder, "test", "y1", 64).as_numpy_iterator()))
    label, expected = reading.read_columns(builder, "test")["label"], []
    for member in (0, 1):
        source = load_network(morph_run_dirs["regular"] / "fold_0" / f"member_{member}" / "model.keras")
        found = source.predict({"image": images}, verbose=0)["logits"].argmax(axis=1)
        expected.append(float(np.mean(found == label)))
    assert curve["entries"][0]["scores"]["accuracy"]["repeats"] == pytest.approx(expected)
    config, described = read_run(out / "frozen_32_2", MorphConfig)
    assert config.seed == 2 and config.data.labels_part == 1 and config.transfer.first == 1
    assert len(described["transfer"]["weights"]) == 2
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["data.classes=merger"], "was trained on the classes spiral, elliptical, merger; give the same data.classes"),
        (["train.batch_norm=domain"], "its networks have another train.batch_norm; a transfer takes the network"),
        (["data.n_labels=8"], "data.batch_size is 16, there are 8 training galaxies; lower it"),
    ],
)
def test_what_does_not_go_together_is_said_in_one_line(options, message, morph_run_dirs, morph_data_dir):
    with pytest.raises(ValueError, match=message):
        MorphExperiment(config_of(morph_run_dirs["regular"], *options), morph_data_dir).check_start(2)


def test_other_runs_and_contradictions_are_refused(morph_run_dirs, run_dir, morph_data_dir, tmp_path):
    with pytest.raises(ValueError, match="is a config of `photoz`, not of `morph`"):
        config_of(run_dir)
    with pytest.raises(FileNotFoundError, match="no run folder of `morph train` to start from"):
        config_of(tmp_path)
    with pytest.raises(ValueError, match="'data.labels_of' is target, but 'data.noise_augmentation'"):
        config_of(morph_run_dirs["regular"], "data.labels_of=target", "data.noise_augmentation=true")
    config = config_of(morph_run_dirs["regular"])
    other = replace(config, model=replace(config.model, width=8))
    with pytest.raises(ValueError, match="its networks have another model.width; a transfer takes the network of its"):
        MorphExperiment(other, morph_data_dir)
    with pytest.raises(ValueError, match="has 2 finished networks of fold 0"):
        MorphExperiment(config, morph_data_dir).check_start(3)
