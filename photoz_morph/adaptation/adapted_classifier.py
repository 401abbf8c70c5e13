"""Train a classifier on labelled source images and, by adaptation losses, on unlabelled target images.

`DomainAdaptedClassifier` wraps a network and replaces Keras's training step. Source and target pass through the network
in one batch, so that batch-norm statistics mix both domains, unless those of the source alone are chosen. The
cross-entropy is that of the source half; each loss of `adaptation.losses` compares the outputs of the two halves. With
weights of 0 it is the regular arm of the same experiment: the same forward pass, optimizer and weight decay, and
nothing of the target in the loss. One function computes the loss; a TensorFlow and a JAX step differentiate it.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.adaptation.losses import LOSSES, make_loss

NOT_DECAYED = ("bias", "gamma", "beta")  # biases and batch norm; decaying them shifts what batch norm is to fix


@keras.saving.register_keras_serializable("photoz_morph")
class DomainAdaptedClassifier(keras.Model):
    """A classifier in training, with two domains.

    `fit` takes ({"source": images, "target": images}, labels), the two halves of the same size, labels those of the
    source. `predict` and calls take what the classifier takes. `self.classifier` is the network to save for use.
    Logs: `loss`, `cross_entropy`, each adaptation loss by its name (unweighted; NaN with weight 0, when it is not
    computed) and `accuracy`.

    Parameters
    ----------
    classifier : keras.Model
        Returns {"logits", "latent"}.
    losses : sequence of (str, float, dict)
        Name in `adaptation.losses.LOSSES`, weight in the loss, and options. The weight of MMD is 0.05 in arXiv
        2111.00961, 0.01 in its code.
    warmup_iterations, ramp_iterations : int
        All weights are 0 during the warm-up, then rise linearly to their values during the ramp.
    class_weights : sequence of float, optional
        Factor of the cross-entropy of each class; the mean is over galaxies, not over weights as in PyTorch.
    batch_norm : {"both", "source"}
        Images that batch norm takes its statistics from. With "source" the regular arm never sees the target, and
        adaptation losses compare outputs in inference mode, with the moving averages and without dropout.
    l2 : float
        Coupled weight decay as in PyTorch's Adam: l2 / 2 times the sum of squares of all trainable weights. The
        decoupled decay of AdamW is the optimizer's own.
    """

    def __init__(
        self, classifier, losses=(), warmup_iterations=0, ramp_iterations=0, class_weights=None, batch_norm="both",
        l2=0.0, name="domain_adapted_classifier",
    ):  # fmt: skip
        if batch_norm not in ("both", "source"):
            raise ValueError(f"batch_norm is {batch_norm!r}, must be 'both' or 'source'")
        super().__init__(name=name, dtype="float32")  # images must reach the classifier's scaling uncast
        self.classifier, self.batch_norm, self.l2 = classifier, batch_norm, l2
        self.warmup_iterations, self.ramp_iterations = warmup_iterations, ramp_iterations
        self.class_weights = None if class_weights is None else tuple(class_weights)
        self.terms = tuple((term, float(weight), dict(options)) for term, weight, options in losses)
        self._functions = tuple(make_loss(term, options) for term, _, options in self.terms)
        names = ("loss", "cross_entropy", *(term for term, _, _ in self.terms))
        self.means = [keras.metrics.Mean(name=term) for term in names]
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self.built = True  # the classifier is, and there is nothing else

    def call(self, inputs, training=None):
        return self.classifier(inputs, training=training)

    def compile(self, optimizer):
        """Set the optimizer; its decoupled weight decay, if it has one, leaves out biases and batch norm."""
        if not optimizer.built:  # a built optimizer was compiled before, and keeps what was left out then
            optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        # In TensorFlow XLA is slower on CPUs and fails under MirroredStrategy; JAX is nothing without it.
        super().compile(optimizer, jit_compile=keras.backend.backend() == "jax")

    @property
    def metrics(self):
        return [*self.means, self.accuracy]

    def train_step(self, *arguments):
        """One iteration: (data) in TensorFlow, (state, data) in JAX."""
        return {"tensorflow": self._tensorflow_step, "jax": self._jax_step}[keras.backend.backend()](*arguments)

    def losses(self, data, gather=lambda latents: latents):
        """Loss of one batch, in training mode.

        Parameters
        ----------
        data : tuple
            ({"source", "target"}, labels).
        gather : callable
            Puts together the values of all replicas, for the losses that are no mean over galaxies.

        Returns
        -------
        loss : scalar tensor
        terms : tuple
            `loss`, `cross_entropy`, each adaptation loss, and the labels and logits that accuracy is measured on.
        """
        images, labels = data[:2]
        logits, source, target = self._outputs(images)
        each = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.class_weights:
            each = each * ops.take(ops.convert_to_tensor(self.class_weights, "float32"), ops.cast(labels, "int32"))
        loss = cross_entropy = ops.mean(each)
        if self.l2:
            loss = loss + self.l2 / 2 * sum(ops.sum(ops.square(weight)) for weight in self.trainable_variables)
        values = []
        for (name, weight, _), function in zip(self.terms, self._functions):
            value = ops.convert_to_tensor(np.nan, "float32")
            if weight:
                value = function(*_gathered(name, source, target, labels, gather))
                loss = loss + weight * self.ramp_at(self.optimizer.iterations) * value
            values.append(value)
        return loss, (loss, cross_entropy, *values, labels, logits)

    def ramp_at(self, iteration):
        """Factor of the weights of the adaptation losses in an iteration, counted from 0."""
        since_warmup = ops.cast(iteration, "float32") - self.warmup_iterations
        if self.ramp_iterations:
            return ops.clip(since_warmup / self.ramp_iterations, 0.0, 1.0)
        return ops.cast(since_warmup >= 0, "float32")

    def _outputs(self, images):
        """Logits of the source, and the outputs of source and target; None for these where no loss compares them."""
        source, target = self._inputs(images["source"], 0), self._inputs(images["target"], 1)
        if self.batch_norm == "both":
            joined = {name: ops.concatenate([source[name], target[name]], axis=0) for name in source}
            outputs, n_source = self.classifier(joined, training=True), ops.shape(images["source"])[0]
            of_source = {name: values[:n_source] for name, values in outputs.items()}
            return of_source["logits"], of_source, {name: values[n_source:] for name, values in outputs.items()}
        logits = self.classifier(source, training=True)["logits"]
        if not any(weight for _, weight, _ in self.terms):
            return logits, None, None
        # Both in inference mode: dropout in one of them would make outputs differ where the domains do not.
        return logits, *(self.classifier(inputs, training=False) for inputs in (source, target))

    def _inputs(self, images, domain):
        """Images as the classifier takes them, with their domain where it has a scaling for each."""
        if "domain" not in self.classifier.input:
            return {"image": images}
        return {"image": images, "domain": ops.full(ops.shape(images)[:1], domain, "int32")}

    def _track(self, terms):
        """Add a batch to the metrics; their values so far."""
        *values, labels, logits = terms
        for mean, value in zip(self.means, values, strict=True):
            mean.update_state(value)
        self.accuracy.update_state(labels, logits)
        return {metric.name: metric.result() for metric in self.metrics}

    def _tensorflow_step(self, data):
        import tensorflow as tf

        replicas = tf.distribute.get_replica_context()
        several = replicas.num_replicas_in_sync > 1
        with tf.GradientTape() as tape:
            loss, terms = self.losses(data, lambda x: replicas.all_gather(x, axis=0) if several else x)
            # The optimizer sums gradients over replicas. Each has the gathered losses in full, and the mean of its own
            # cross-entropy.
            loss = loss / replicas.num_replicas_in_sync
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return self._track(terms)

    def _jax_step(self, state, data):
        import jax

        trainable, non_trainable, optimizer_variables, metrics_variables = state
        # The first variable of every Keras optimizer counts its iterations.
        fixed = [(self.optimizer.iterations, optimizer_variables[0])]
        fixed += zip(self.non_trainable_variables, non_trainable)

        def stateless_losses(trainable):
            with keras.StatelessScope([*zip(self.trainable_variables, trainable), *fixed]) as scope:
                loss, terms = self.losses(data)
            return loss, (terms, [scope.get_current_value(variable) for variable in self.non_trainable_variables])

        gradients, (terms, non_trainable) = jax.grad(stateless_losses, has_aux=True)(trainable)
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
        with keras.StatelessScope([*zip(self.metrics_variables, metrics_variables)]) as scope:
            logs = self._track(terms)
        metrics_variables = [scope.get_current_value(variable) for variable in self.metrics_variables]
        return logs, (trainable, non_trainable, optimizer_variables, metrics_variables)

    def get_config(self):
        options = ("warmup_iterations", "ramp_iterations", "class_weights", "batch_norm", "l2", "name")
        return {
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "losses": [[name, weight, dict(options)] for name, weight, options in self.terms],
            **{name: getattr(self, name) for name in options},
        }

    @classmethod
    def from_config(cls, config):
        config = _with_losses(dict(config))
        return cls(keras.saving.deserialize_keras_object(config.pop("classifier")), **config)

    def get_compile_config(self):
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}

    def compile_from_config(self, config):
        # Keras saves no list of what an optimizer does not decay: `compile` makes it again, before the build.
        self.compile(keras.saving.deserialize_keras_object(config["optimizer"]))
        self.optimizer.build(self.trainable_variables)


def _gathered(name, source, target, labels, gather):
    """Arguments of a loss, with the outputs or labels of all replicas where it needs them."""
    gathered = LOSSES[name].gathered
    source, target = (
        {key: gather(values) if key in gathered else values for key, values in outputs.items()}
        for outputs in (source, target)
    )
    return source, target, gather(labels) if "labels" in gathered else labels


def _with_losses(config):
    """A saved config with the list of losses, which earlier versions saved as `mmd_weight`, `estimator` and, later,
    `consistency_weight`."""
    if "losses" in config:
        return config
    losses = [["mmd", config.pop("mmd_weight"), {"estimator": config.pop("estimator")}]]
    if consistency := config.pop("consistency_weight", 0.0):
        losses.append(["consistency", consistency, {}])
    return {**config, "losses": losses}
