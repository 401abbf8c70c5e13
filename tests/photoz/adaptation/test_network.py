import dataclasses

import keras
import numpy as np
import pytest

from photoz_morph.adaptation.mmd import median_mmd
from photoz_morph.config import load_config
from photoz_morph.models.loading import load_network
from photoz_morph.photoz.adaptation.network import adapted_network, pdf_of
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import new_network
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import PIXELS_ALONE, colour_stacks
from tests.support.training import copy_at, final_weights, fit_fold, same
from tfds_builders.sdss_ugriz import build

SHALLOW_TO_DEEP = (*PIXELS_ALONE, "data.train_on=shallow", "adaptation.target_depth=deep")
SMALL_DISCRIMINATOR = "adaptation.discriminator_width=8"


def config_of(*options):
    return load_config("photoz_simulated.yaml", PhotozConfig, [*PIXELS_ALONE, *options])


def batch(n=16, n_bins=180, seed=2):
    rng = np.random.default_rng(seed)
    halves = {}
    for number, domain in enumerate(("source", "target")):
        images, table = colour_stacks(n, first_id=100 * number)
        halves[domain] = {"image": images, "ebv": np.asarray(table["ebv"], np.float32)}
    return halves, rng.dirichlet(np.ones(n_bins), n).astype(np.float32)


def test_without_weight_the_steps_are_those_of_a_training_without_adaptation():
    config = config_of("train.weight_decay=0.3", "adaptation={name: mmd, target_dir: x}")
    config = dataclasses.replace(config, adaptation=dataclasses.replace(config.adaptation, weight=0.0))
    plain, other = new_network(config, 10, seed=3), new_network(config, 10, seed=3)
    wrapped = adapted_network(other, config, 5, 10, seed=3)
    halves, target = batch()
    np.testing.assert_allclose(pdf_of(wrapped.predict(halves["source"], verbose=0)), plain(halves["source"]), atol=1e-6)
    for _ in range(3):
        logs = plain.train_on_batch(halves["source"], target, return_dict=True)
        both = wrapped.train_on_batch(halves, target, return_dict=True)
        assert both["loss"] == pytest.approx(logs["loss"], rel=1e-4) and both["loss"] == both["cross_entropy"]
    for a, b in zip(plain.get_weights(), wrapped.classifier.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_a_discriminator_of_latents_and_pdfs_has_a_random_map_where_their_product_is_too_wide():
    config = config_of("model.dense_units=40", SMALL_DISCRIMINATOR, "adaptation={name: cdan, target_dir: x}")
    model = adapted_network(new_network(config, 10, seed=3), config, 5, 10, seed=3)  # 40 x 180 products
    (loss,) = model.loss_layers
    assert [projection.shape for projection in loss.projections] == [(40, 4096), (180, 4096)]
    before = [np.array(weight) for weight in loss.weights]
    halves, target = batch()
    logs = model.train_on_batch(halves, target, return_dict=True)
    assert logs["cdan"] == pytest.approx(2 * np.log(2), rel=0.05)  # a fresh one cannot tell the domains apart
    for start, weight in zip(before, loss.weights, strict=True):
        is_drawn = "projection" in weight.path
        assert np.array_equal(start, weight) == is_drawn or "seed" in weight.path


def test_a_weight_that_never_rises_is_refused():
    config = config_of("train.epochs=null", "train.iterations=20", "adaptation={name: mmd, target_dir: x}",
                       "adaptation.warmup_epochs=4")  # fmt: skip
    with pytest.raises(ValueError, match="'adaptation.warmup_epochs' is 4, 20 of the 20 iterations, so mmd would have"):
        adapted_network(new_network(config, 20, 1), config, 5, 20, 1)


def test_an_interrupted_training_ends_with_the_weights_of_an_undisturbed_one(data_dir, tmp_path):
    options = ["adaptation={name: cdan, ramp_epochs: 1}", SMALL_DISCRIMINATOR, "model.dropout=0.2", "data.shift=1",
               "train.weight_decay=0.1", "train.ema_momentum=0.8", "train.loss=crps"]  # fmt: skip
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*SHALLOW_TO_DEEP, *options])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    history = fit_fold(config, data_dir, whole, seed=4, on_batch=copy_at(2, 3, whole, killed))
    resumed = fit_fold(config, data_dir, killed, seed=4)
    assert same(final_weights(whole), final_weights(killed))
    # The weights are the same to the last bit; the mean loss of an epoch is summed up in any order.
    assert {**history[-1], "seconds": 0} == pytest.approx({**resumed[-1], "seconds": 0}, rel=1e-6)
    assert {"crps", "cdan"} < set(history[-1])
    assert np.isfinite(history[-1]["validation_sigma_mad"])


def test_what_is_kept_is_a_plain_network_and_target_redshifts_change_nothing(data_dir, target_dir, tmp_path):
    """Galaxies of the target with redshifts, and the same ones without."""
    images, table = colour_stacks(150, first_id=300)
    (tmp_path / "stacks").mkdir()
    write_shard(shard_path(tmp_path / "stacks", 0), 0.5 * images, table, SDSS, "simulated")
    build(tmp_path / "stacks", tmp_path / "known", progress=False)
    for name, folder in (("unknown", target_dir), ("known", tmp_path / "known")):
        config = config_of(f"adaptation={{name: mmd, target_dir: {folder}}}", "train.epochs=1")
        fit_fold(config, data_dir, tmp_path / "runs" / name)
    assert same(*(final_weights(tmp_path / "runs" / name) for name in ("unknown", "known")))
    network, plain = load_network(tmp_path / "runs" / "known" / "model.keras"), new_network(config, 10, 1)
    assert [layer.name for layer in network.layers] == [layer.name for layer in plain.layers] and not network.compiled
    pdf = network(batch()[0]["source"])
    assert network.name == plain.name and pdf.shape == (16, 180)
    np.testing.assert_allclose(np.sum(pdf, axis=1), 1, atol=1e-5)


def test_adaptation_brings_the_latents_of_the_domains_together(data_dir, target_dir, tmp_path):
    """Galaxies of half the light: their latents lie elsewhere, unless the training compares them."""
    distances, losses = {}, {}
    for name in ("none", "mmd"):
        config = config_of(
            f"adaptation={{name: {name}, target_dir: {target_dir}, weight: 1}}", "train.epochs=6", "train.loss=crps"
        )
        losses[name] = fit_fold(config, data_dir, tmp_path / name)[-1]["validation_loss"]
        network = load_network(tmp_path / name / "model.keras")
        latents = keras.Model(network.input, network.get_layer("FC2").output)
        images, table = colour_stacks(128, first_id=600)
        ebv = np.asarray(table["ebv"], np.float32)
        distances[name] = float(median_mmd(*(latents({"image": c * images, "ebv": ebv}) for c in (1, 0.5))))
    assert distances["mmd"] < 0.5 * distances["none"]
    assert losses["mmd"] < 1.3 * losses["none"]
