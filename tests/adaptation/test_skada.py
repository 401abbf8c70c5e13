"""Losses against skada's of the same outputs; see `scripts/make_adaptation_reference.py`."""

import numpy as np
import pytest
from keras import ops

from photoz_morph.adaptation.adversarial.cdan import multilinear_map
from photoz_morph.adaptation.adversarial.discriminator import domain_cross_entropy
from photoz_morph.adaptation.losses import make_loss
from tests.support.paths import DATA


@pytest.fixture(scope="module")
def skada():
    return dict(np.load(DATA / "adaptation_reference.npz"))


@pytest.mark.parametrize("name, option", [("coral", None), ("deepjdot", "jdot_distance"), ("mcc", "temperature")])
def test_a_loss_of_outputs_is_skadas(skada, name, option):
    outputs = [
        {"latent": ops.convert_to_tensor(skada[domain]), "logits": ops.convert_to_tensor(skada[domain] @ skada["head"])}
        for domain in ("source", "target")
    ]
    loss = make_loss(name, {option: float(skada[option])} if option else {})
    assert float(loss(*outputs, ops.convert_to_tensor(skada["labels"]))) == pytest.approx(float(skada[name]), rel=1e-5)


def test_a_discriminator_of_latents_has_the_loss_of_skadas_dann(skada):
    logits = [ops.convert_to_tensor(skada[domain] @ skada["of_latents"]) for domain in ("source", "target")]
    assert float(domain_cross_entropy(*logits)) == pytest.approx(float(skada["dann"]), rel=1e-5)


def test_a_discriminator_of_latents_times_probabilities_has_the_loss_of_skadas_cdan(skada):
    logits = []
    for domain in ("source", "target"):
        probability = ops.softmax(ops.convert_to_tensor(skada[domain] @ skada["head"]))
        products = multilinear_map(ops.convert_to_tensor(skada[domain]), probability)
        logits.append(ops.matmul(products, ops.convert_to_tensor(skada["of_products"])))
    assert float(domain_cross_entropy(*logits)) == pytest.approx(float(skada["cdan"]), rel=1e-5)
