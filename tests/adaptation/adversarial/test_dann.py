import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.adaptation.adversarial.dann import dann_loss
from photoz_morph.adaptation.adversarial.discriminator import domain_cross_entropy


def latents(n=24, d=4, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def test_loss_is_the_cross_entropy_of_its_discriminator():
    loss = dann_loss(discriminator_width=8, discriminator_dropout=0.0)
    loss.create(4, 3, seed=1)
    source, target = latents(), latents(shift=1, seed=1)
    logits = [loss.discriminator(values)[:, 0] for values in (source, target)]
    value = float(loss({"latent": source}, {"latent": target}, None))
    assert value == pytest.approx(float(domain_cross_entropy(*logits)), rel=1e-6)
    assert value == pytest.approx(2 * np.log(2), abs=0.05)  # fresh, it tells nothing apart


def test_a_trained_discriminator_tells_domains_apart_the_better_the_larger_their_shift():
    loss, optimizer = dann_loss(discriminator_width=8, discriminator_dropout=0.0), keras.optimizers.Adam(0.03)
    loss.create(4, 3, seed=1)
    optimizer.build(loss.trainable_variables)
    variables = [*loss.trainable_variables, *optimizer.variables]
    start, values = [np.array(variable) for variable in variables], []

    @tf.function
    def step(source, target):
        with tf.GradientTape() as tape:
            value = loss({"latent": source}, {"latent": target}, None)
        weights = loss.trainable_variables
        optimizer.apply(tape.gradient(value, [weight.value for weight in weights]), weights)
        return value

    for shift in (0.0, 1.0, 4.0):
        for variable, first in zip(variables, start):
            variable.assign(first)
        source, target = tf.constant(latents(256)), tf.constant(latents(256, shift=shift, seed=1))
        values.append([float(step(source, target)) for _ in range(60)][-1])
    assert values[0] > 1.25 > values[1] > 0.5 > values[2]  # 2 ln 2 is 1.386
