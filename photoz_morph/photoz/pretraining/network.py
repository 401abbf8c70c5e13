"""A photo-z network in pre-training: two heads beside the redshift PDF, and a training step for the triple loss.

Both views of a batch pass through the network at once. From FC2, the layer before the PDF, a projection is trained to
recognise the other view of a galaxy, and a linear head to give its colours. The heads are not part of what is saved
for use.
"""

import keras
import tensorflow as tf
from keras import ops

from photoz_morph.photoz.pretraining.losses import TERMS, colour_loss, contrast_loss, redshift_loss

LATENT = "FC2"


def triple_loss_network(network, n_colours, settings, seed):
    """A `TripleLossNetwork` around a photo-z network.

    Parameters
    ----------
    network : keras.Model
        From `inception_photoz`.
    n_colours : int
    settings : PretrainConfig
    seed : int
        Of the weights of the heads.
    """
    outputs = {"latent": network.get_layer(LATENT).output, "pdf": network.output}
    weights = {term: getattr(settings, term) for term in TERMS}
    return TripleLossNetwork(
        keras.Model(network.input, outputs), n_colours, weights, settings.temperature, settings.projection_units, seed
    )


@keras.saving.register_keras_serializable("photoz_morph")
class TripleLossNetwork(keras.Model):
    """A photo-z network with a projection and a head of colours.

    `fit` takes ({"first", "second"}, {"redshift", "colours"}): the inputs of the network for two views of the same
    galaxies, and targets of shapes (n, n_bins) and (n, n_colours), NaN where unknown. Logs: `loss` and each of its
    terms whose weight is not 0, unweighted.

    Parameters
    ----------
    encoder : keras.Model
        Inputs of the photo-z network to {"latent", "pdf"}.
    n_colours : int
    weights : dict of str to float
        Weight of each of `losses.TERMS` in the loss.
    temperature : float
        Of the contrast.
    projection_units : int
    seed : int
        Of the weights of the heads.
    """

    def __init__(
        self, encoder, n_colours, weights, temperature, projection_units, seed=0, name="triple_loss_network"
    ):
        super().__init__(name=name, dtype="float32")
        self.encoder, self.n_colours, self.weights_of = encoder, n_colours, dict(weights)
        self.temperature, self.projection_units, self.seed = temperature, projection_units, seed
        self.hidden, self.projection, self.colours = (
            keras.layers.Dense(
                units, activation, name=head, dtype="float32",
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number),
            )
            for number, (head, units, activation) in enumerate(
                (("hidden", projection_units, "relu"), ("projection", projection_units, None),
                 ("colours", n_colours, None))
            )
        )  # fmt: skip
        n_latent = encoder.output["latent"].shape[-1]
        for head, n_inputs in ((self.hidden, n_latent), (self.projection, projection_units), (self.colours, n_latent)):
            head.build((None, n_inputs))
        self.means = [keras.metrics.Mean(name=term) for term in ("loss", *self.terms)]
        self.built = True

    @property
    def terms(self):
        """Names of the terms whose weight is not 0."""
        return tuple(term for term in TERMS if self.weights_of[term])

    @property
    def network(self):
        """The photo-z network, without the heads."""
        return keras.Model(self.encoder.input, self.encoder.output["pdf"], name="inception_photoz")

    @property
    def metrics(self):
        return self.means

    def call(self, inputs, training=None):
        return self.encoder(inputs, training=training)["pdf"]

    def triple_loss(self, views, targets, training=True, gather=lambda values: values):
        """Loss of one batch and its terms, a dict.

        Parameters
        ----------
        views, targets : dict
            See the head of this class.
        training : bool
        gather : callable
            Puts together the values of all replicas.
        """
        n = ops.shape(targets["redshift"])[0]
        both = {name: ops.concatenate([values, views["second"][name]]) for name, values in views["first"].items()}
        outputs = self.encoder(both, training=training)
        latent = outputs["latent"]
        halves = {
            "projection": self.projection(self.hidden(latent)), "colours": self.colours(latent), "pdf": outputs["pdf"]
        }  # fmt: skip
        halves = {name: (gather(values[:n]), gather(values[n:])) for name, values in halves.items()}
        redshift, colours = gather(targets["redshift"]), gather(targets["colours"])
        of_term = {
            "contrast": lambda: contrast_loss(*halves["projection"], self.temperature),
            "colours": lambda: sum(colour_loss(predicted, colours) for predicted in halves["colours"]) / 2,
            "redshift": lambda: sum(redshift_loss(pdf, redshift) for pdf in halves["pdf"]) / 2,
        }
        terms = {term: of_term[term]() for term in self.terms}
        return sum(self.weights_of[term] * value for term, value in terms.items()), terms

    def train_step(self, data):
        """One iteration; the loss is that of the whole batch, whatever the number of replicas."""
        replicas = tf.distribute.get_replica_context()
        several = replicas.num_replicas_in_sync > 1
        with tf.GradientTape() as tape:
            loss, terms = self.triple_loss(
                *data, gather=lambda values: replicas.all_gather(values, axis=0) if several else values
            )
            # The optimizer sums gradients over replicas, and each has the loss of all galaxies.
            shared = loss / replicas.num_replicas_in_sync
        gradients = [
            # of a term of weight 0, whose head has no part in the loss
            ops.zeros_like(variable) if gradient is None else gradient
            for variable, gradient in zip(
                self.trainable_variables, tape.gradient(shared, self.trainable_variables), strict=True
            )
        ]
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for mean, value in zip(self.means, (loss, *terms.values()), strict=True):
            mean.update_state(value)
        return {mean.name: mean.result() for mean in self.means}

    def get_config(self):
        options = ("n_colours", "temperature", "projection_units", "seed", "name")
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "weights": self.weights_of,
            **{name: getattr(self, name) for name in options},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects=custom_objects)
        return cls(**{**config, "encoder": encoder})
