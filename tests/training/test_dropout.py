import numpy as np

from photoz_morph.models.registry import build_classifier
from photoz_morph.training.dropout import reset_dropout


def dropout_network():
    return build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6, dropout=0.5)


def test_dropout_of_an_epoch_depends_on_seed_and_epoch_alone():
    model = dropout_network()
    image = np.random.default_rng(5).normal(size=(8, 16, 16, 3)).astype(np.float32)

    def latents(seed, epoch):
        reset_dropout(model, seed, epoch)
        return [np.asarray(model({"image": image}, training=True)["latent"]) for _ in range(2)]

    first = latents(1, 0)
    assert not np.array_equal(*first)  # each batch has masks of its own
    np.testing.assert_array_equal(first, latents(1, 0))
    assert not np.array_equal(first[0], latents(1, 1)[0])
    assert not np.array_equal(first[0], latents(2, 0)[0])


def test_layers_have_masks_of_their_own_and_weights_are_left():
    import keras

    image = keras.Input((1000,))
    drops = [keras.layers.Dropout(0.5, seed=seed)(image) for seed in (3, 3)]  # alike until they are reset
    network = keras.Model(image, drops)
    ones = np.ones((1, 1000), np.float32)
    before = [np.asarray(values) for values in network(ones, training=True)]
    np.testing.assert_array_equal(*before)
    reset_dropout(network, seed=1, epoch=0)
    first, second = (np.asarray(values) for values in network(ones, training=True))
    assert np.mean(first == second) < 0.6  # independent masks agree in half of their values
