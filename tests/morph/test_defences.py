"""Defences in training: noise and pixel augmentation, and consistency of pairs. Those at test time: test_test_time."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.stats import entropy

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.consistency import probability_divergence
from photoz_morph.config import differing_keys, load_config
from photoz_morph.datasets import reading
from photoz_morph.mocks.exposure import FRAME_SIZE
from photoz_morph.mocks.observe import observe
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph import dataset as morph_pipeline
from photoz_morph.morph.augmentation import (
    StampNoise,
    stamp_noise,
    with_fewer_years,
    with_random_pixel,
    with_random_years,
)
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.dataset import MorphBatches
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.surveys import LSST
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import MORPH_TINY

ALL = ("data.noise_augmentation=true", "data.pixel_augmentation=0.5")

# Noise


@pytest.mark.parametrize("binning", ["sample", "sum"])
@pytest.mark.parametrize("years", [1, 4])
def test_a_thinned_image_has_the_noise_of_fewer_years(years, binning):
    flux = np.array([40.0, 10.0, 100.0])  # [nJy per camera pixel]; in i as many electrons as the sky
    frame, noise = np.broadcast_to(flux, (FRAME_SIZE, FRAME_SIZE, 3)), stamp_noise(LSST, binning, 100.0)
    deep, shallow = [], []
    for seed in range(6):
        stamps = observe(frame, LSST, (10, years), np.random.default_rng([7, seed]), binning)
        deep.append(np.asarray(with_fewer_years(stamps[10], years, noise, [1, seed])))
        shallow.append(stamps[years])
    deep, shallow = np.reshape(deep, (-1, 3)), np.reshape(shallow, (-1, 3))
    np.testing.assert_allclose(deep.std(axis=0), shallow.std(axis=0), rtol=0.02)  # 60,000 pixels know it to 0.3 %
    error = np.hypot(deep.std(axis=0), shallow.std(axis=0)) / np.sqrt(len(deep))
    assert np.all(np.abs(deep.mean(axis=0) - shallow.mean(axis=0)) < 4 * error)


def test_all_years_leave_the_image_as_it_is():
    image = np.random.default_rng(0).normal(size=(9, 9, 3)).astype(np.float32)
    np.testing.assert_array_equal(with_fewer_years(image, 10, stamp_noise(LSST, "sample", 100.0), [1, 2]), image)


def test_years_are_drawn_alike_by_seed_and_galaxy():
    noise = StampNoise(10, (0.0,), (1.0,))  # of n years the variance is then 10 / n - 1
    image = np.zeros((50, 50, 1), np.float32)
    drawn = np.array([with_random_years(image, obj_id, noise, (3, 4)) for obj_id in range(400)])
    years = 10 / (1 + drawn.var(axis=(1, 2, 3)))
    counts = np.bincount(np.round(years).astype(int), minlength=11)[1:]
    assert len(counts) == 10 and counts.min() > 40 - 4 * 6 and counts.max() < 40 + 4 * 6  # sqrt(400 x 0.1 x 0.9) = 6
    np.testing.assert_array_equal(with_random_years(image, 5, noise, (3, 4)), drawn[5])
    assert not np.array_equal(with_random_years(image, 5, noise, (3, 5)), drawn[5]) or years[5] > 9.5


def test_images_of_unknown_unit_are_refused():
    builder = SimpleNamespace(data_dir="arrays", info=SimpleNamespace(metadata={"origin": "released"}))
    with pytest.raises(ValueError, match="arrays: data.noise_augmentation needs images in nJy .* origin released"):
        morph_pipeline.noise_of(builder)


# Pixels


def test_one_random_pixel_takes_a_corner_of_the_range():
    image, corners = np.full((6, 6, 3), 0.5, np.float32), np.array([[-1, -2, -3], [1, 2, 3]], np.float32)
    places, values, n_changed = set(), set(), 0
    for obj_id in range(600):
        found = np.asarray(with_random_pixel(image, obj_id, 0.75, corners, 9))
        changed = np.argwhere((found != image).any(axis=2))
        assert len(changed) <= 1
        n_changed += len(changed)
        for row, column in changed:
            places.add((row, column))
            values.add(tuple(found[row, column]))
    assert abs(n_changed - 450) < 4 * np.sqrt(600 * 0.75 * 0.25)
    assert len(places) == 36  # every pixel, the edges too
    assert len(values) == 8 and {tuple(np.abs(value)) for value in values} == {(1, 2, 3)}


# Batches


def epoch(data_dir, *overrides, paired=False, number=0):
    """Images, labels and galaxies of the first batch of an epoch."""
    config = load_config("morph_regular.yaml", MorphConfig, ["data.batch_size=16", *overrides])
    batches = MorphBatches(morph_pipeline.open_dataset(data_dir), config.data, paired)
    images, labels = next(iter(batches.epoch(1, number).as_numpy_iterator()))
    return images, labels, batches.obj_ids(1, number, 0)


def by_obj_id(data_dir, domain):
    """Training images of one depth as they are stored."""
    builder = morph_pipeline.open_dataset(data_dir)
    images = np.concatenate(list(morph_pipeline.domain_images(builder, "train", domain, 64).as_numpy_iterator()))
    return dict(zip(reading.read_columns(builder, "train")["obj_id"], images))


def test_pairs_are_of_one_galaxy_under_one_flip(morph_data_dir):
    images, _, ids = epoch(morph_data_dir, paired=True)
    y10, y1 = (by_obj_id(morph_data_dir, domain) for domain in ("y10", "y1"))
    turns = [lambda x, k=k, flip=flip: np.rot90(x[::-1] if flip else x, k) for k in range(4) for flip in (0, 1)]
    seen = set()
    for row, obj_id in enumerate(ids):
        found = [n for n, turn in enumerate(turns) if np.array_equal(turn(y10[obj_id]), images["source"][row])]
        assert len(found) == 1
        np.testing.assert_array_equal(turns[found[0]](y1[obj_id]), images["target"][row])
        seen.add(found[0])
    assert len(ids) == 16 and len(seen) > 3


def test_pairing_leaves_the_labelled_images_as_they_are(morph_data_dir):
    (alone, labels, _), (paired, paired_labels, _) = (epoch(morph_data_dir, paired=p) for p in (False, True))
    np.testing.assert_array_equal(alone["source"], paired["source"])
    np.testing.assert_array_equal(labels, paired_labels)
    assert not np.array_equal(alone["target"], paired["target"])


def test_augmentations_change_the_labelled_images_alone_and_follow_from_seed_and_epoch(morph_data_dir):
    (plain, labels, ids), *changed = (epoch(morph_data_dir, *overrides) for overrides in ((), ALL, ALL))
    for images, changed_labels, changed_ids in changed:
        np.testing.assert_array_equal(plain["target"], images["target"])
        np.testing.assert_array_equal(labels, changed_labels)
        np.testing.assert_array_equal(ids, changed_ids)
        assert not np.array_equal(plain["source"], images["source"])
        np.testing.assert_array_equal(images["source"], changed[0][0]["source"])


def test_another_epoch_has_other_noise_and_pixels(morph_data_dir):
    """By the changes of each galaxy that two epochs share in their first batches, flips left out."""
    config = load_config("morph_regular.yaml", MorphConfig, ["data.batch_size=150", "data.augment=false", *ALL])
    batches = MorphBatches(morph_pipeline.open_dataset(morph_data_dir), config.data)
    sums = []
    for number in (0, 1):
        images, _ = next(iter(batches.epoch(1, number).as_numpy_iterator()))
        sums.append(dict(zip(batches.obj_ids(1, number, 0)[:150], images["source"].sum(axis=(1, 2, 3)))))
    shared = set(sums[0]) & set(sums[1])
    assert len(shared) > 80
    # In one of a hundred both epochs draw ten years, and a quarter of those get no pixel either time.
    assert np.mean([sums[0][obj_id] != sums[1][obj_id] for obj_id in shared]) > 0.95


def test_random_pixels_span_the_training_images(morph_data_dir):
    plain, _, _ = epoch(morph_data_dir, "data.augment=false")
    changed, _, _ = epoch(morph_data_dir, "data.augment=false", "data.pixel_augmentation=1")
    stored = np.array(list(by_obj_id(morph_data_dir, "y10").values()))
    corners = np.array([stored.min(axis=(0, 1, 2)), stored.max(axis=(0, 1, 2))])
    rows, *place = np.nonzero((plain["source"] != changed["source"]).any(axis=3))
    assert list(rows) == list(range(16))
    assert np.all((changed["source"][(rows, *place)][:, None] == corners).any(axis=1))


# Consistency


def test_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    logits, other = (rng.normal(size=(7, 3)).astype(np.float32) * 3 for _ in range(2))
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits.astype(float), other.astype(float)))
    expected = (entropy(p, q, axis=1) + entropy(q, p, axis=1)) / 2
    np.testing.assert_allclose(probability_divergence(logits, other), expected, rtol=1e-5)
    np.testing.assert_array_equal(probability_divergence(logits, logits + 5) < 1e-6, True)  # the same probabilities


def pairs(n=48, seed=5):
    """Three classes told apart by colour, and the same images fainter and with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    source = rng.normal(size=(n, 16, 16, 3)) * 0.3 + np.eye(3)[labels][:, None, None]
    target = 0.4 * source + rng.normal(size=source.shape)
    return {"source": source.astype(np.float32), "target": target.astype(np.float32)}, labels.astype(np.int32)


def wrapped(weight, **options):
    network = build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6, dropout=0.0)
    head = network.get_layer("logits")
    head.kernel.assign(100 * head.kernel)  # fresh, it gives each class a third
    model = DomainAdaptedClassifier(network, mmd_weight=0.0, consistency_weight=weight, **options)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.mark.parametrize("batch_norm", ["both", "source"])
def test_loss_is_cross_entropy_plus_weighted_divergence_of_the_pairs(batch_norm):
    images, labels = pairs()
    model = wrapped(0.7, ramp_iterations=4, batch_norm=batch_norm)
    model.optimizer.iterations.assign(1)  # a quarter of the ramp
    both = {"image": np.concatenate([images["source"], images["target"]])}
    loss, (_, cross_entropy, mmd, consistency, *_) = model.losses((images, labels))
    # Afterwards: the moving averages, with which "source" compares, have moved by then.
    outputs = np.asarray(model.classifier(both, training=batch_norm == "both")["logits"])
    assert float(consistency) == pytest.approx(np.mean(probability_divergence(outputs[:48], outputs[48:])), rel=1e-4)
    assert float(loss) == pytest.approx(float(cross_entropy) + 0.7 / 4 * float(consistency), rel=1e-6)
    assert np.isnan(mmd)


def test_training_makes_the_depths_agree_only_with_consistency():
    images, labels = pairs()
    divergences = []
    for weight in (0.0, 1.0):
        model = wrapped(weight)
        model.fit(images, labels, batch_size=24, epochs=20, verbose=0)
        logits = [model({"image": images[domain]})["logits"] for domain in ("source", "target")]
        divergences.append(np.mean(probability_divergence(*logits)))
    assert divergences[1] < 0.3 * divergences[0]


def test_a_checkpoint_from_before_consistency_goes_on_with_its_columns():
    config = wrapped(0.0).get_config()
    del config["consistency_weight"]
    model = DomainAdaptedClassifier.from_config(config)
    assert model.consistency_weight == 0
    assert [metric.name for metric in model.metrics] == ["loss", "cross_entropy", "mmd", "accuracy"]


# Trainings


class Killed(Exception):
    """Stands in for SIGKILL: nothing in the package catches it."""


def test_a_killed_training_with_all_defences_ends_with_the_weights_of_an_undisturbed_one(morph_data_dir, tmp_path):
    def kill(epoch, n_epochs, loss, n_galaxies):
        if epoch == 2:
            raise Killed

    def train(folder, on_batch=None):
        config = load_config("morph_consistency.yaml", MorphConfig, [*MORPH_TINY, *ALL, "model.name=convnet"])
        return fit(MorphExperiment(config, morph_data_dir).fold(0), folder, 4, choose_strategy("none"), on_batch)

    whole = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill)
    train(tmp_path / "killed")
    weights = [load_network(tmp_path / name / "model.keras").get_weights() for name in ("whole", "killed")]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert np.isfinite(whole[-1]["consistency"]) and np.isnan(whole[-1]["mmd"])


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("noise", ["data.noise_augmentation"]),
        ("pixel", ["data.pixel_augmentation"]),
        ("consistency", ["adaptation.name", "adaptation.weight", "adaptation.warmup_epochs", "adaptation.ramp_epochs"]),
    ],
)
def test_each_defence_differs_from_the_regular_arm_in_itself_alone(name, keys):
    assert differing_keys(load_config("morph_regular.yaml", MorphConfig), load_config(f"morph_{name}.yaml", MorphConfig)) == keys
