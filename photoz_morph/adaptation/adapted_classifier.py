"""Train a classifier on labelled source images and, by MMD or consistency, on unlabelled target images.

`DomainAdaptedClassifier` wraps a network and replaces Keras's training step. Source and target go through the network
in one batch, so batch-norm statistics mix both domains, or are those of the source alone if so chosen; cross-entropy
sees the source half, MMD the latents of both, consistency the class probabilities of both. With weights of 0 it is the
regular arm of the same experiment: the same forward pass, optimizer and weight decay, and nothing of the target in the
loss. One function computes the loss; a TensorFlow and a JAX step differentiate it.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.adaptation.consistency import probability_divergence
from photoz_morph.adaptation.mmd import ESTIMATORS

NOT_DECAYED = ("bias", "gamma", "beta")  # biases and batch norm; decaying them shifts what batch norm is to fix


@keras.saving.register_keras_serializable("photoz_morph")
class DomainAdaptedClassifier(keras.Model):
    """A classifier in training, with two domains.

    `fit` takes ({"source": images, "target": images}, labels), the two halves of the same size, labels those of the
    source. `predict` and calls take what the classifier takes. `self.classifier` is the network to save for use.
    Logs: `loss`, `cross_entropy`, `mmd` (unweighted; NaN with `mmd_weight` 0, when it is not computed), `accuracy`, and
    `consistency` (unweighted) where it has a weight.

    Parameters
    ----------
    classifier : keras.Model
        Returns {"logits", "latent"}.
    mmd_weight : float
        Of the MMD in the loss; 0.05 in arXiv 2111.00961, 0.01 in its code.
    estimator : {"median", "paper"}
        See `maximum_mean_discrepancy`.
    warmup_iterations, ramp_iterations : int
        Both weights are 0 during the warm-up, then rise linearly to their values during the ramp.
    class_weights : sequence of float, optional
        Factor of the cross-entropy of each class; the mean is over galaxies, not over weights as in PyTorch.
    batch_norm : {"both", "source"}
        Whose statistics batch norm takes. With "source" the regular arm never sees the target, and MMD and consistency
        compare outputs in inference mode, with the moving averages and without dropout.
    l2 : float
        Coupled weight decay as in PyTorch's Adam: l2 / 2 times the sum of squares of all trainable weights. The
        decoupled decay of AdamW is the optimizer's own.
    consistency_weight : float
        Of `probability_divergence` in the loss; source and target must then be pairs, the same galaxy row by row.
    """

    def __init__(
        self, classifier, mmd_weight=0.05, estimator="median", warmup_iterations=0, ramp_iterations=0,
        class_weights=None, batch_norm="both", l2=0.0, consistency_weight=0.0, name="domain_adapted_classifier",
    ):  # fmt: skip
        if batch_norm not in ("both", "source"):
            raise ValueError(f"batch_norm is {batch_norm!r}, must be 'both' or 'source'")
        if estimator not in ESTIMATORS:
            raise ValueError(f"no MMD estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
        super().__init__(name=name, dtype="float32")  # images must reach the classifier's scaling uncast
        self.classifier = classifier
        self.mmd_weight, self.estimator, self.batch_norm, self.l2 = mmd_weight, estimator, batch_norm, l2
        self.warmup_iterations, self.ramp_iterations = warmup_iterations, ramp_iterations
        self.consistency_weight = consistency_weight
        self.class_weights = None if class_weights is None else tuple(class_weights)
        # A run from before consistency goes on with the columns of its history.
        terms = ("loss", "cross_entropy", "mmd", *(["consistency"] if consistency_weight else []))
        self.means = [keras.metrics.Mean(name=term) for term in terms]
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
            Puts together the latents of all replicas: MMD is no sum over replicas. Consistency is.

        Returns
        -------
        loss : scalar tensor
        terms : tuple
            `loss`, `cross_entropy`, `mmd`, `consistency` if it has a weight, and what accuracy is measured on, labels
            and logits.
        """
        images, labels = data[:2]
        logits, source, target = self._outputs(images)
        each = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.class_weights:
            each = each * ops.take(ops.convert_to_tensor(self.class_weights, "float32"), ops.cast(labels, "int32"))
        loss = cross_entropy = ops.mean(each)
        if self.l2:
            loss = loss + self.l2 / 2 * sum(ops.sum(ops.square(weight)) for weight in self.trainable_variables)
        mmd = ops.convert_to_tensor(np.nan, "float32")
        if self.mmd_weight:
            mmd = ESTIMATORS[self.estimator](gather(source["latent"]), gather(target["latent"]))
            loss = loss + self.mmd_weight_at(self.optimizer.iterations) * mmd
        if not self.consistency_weight:
            return loss, (loss, cross_entropy, mmd, labels, logits)
        consistency = ops.mean(probability_divergence(source["logits"], target["logits"]))
        loss = loss + self.consistency_weight * self.ramp_at(self.optimizer.iterations) * consistency
        return loss, (loss, cross_entropy, mmd, consistency, labels, logits)

    def mmd_weight_at(self, iteration):
        """Weight of the MMD in an iteration, counted from 0."""
        return self.mmd_weight * self.ramp_at(iteration)

    def ramp_at(self, iteration):
        """Part of the weights of MMD and consistency that counts in an iteration, counted from 0."""
        since_warmup = ops.cast(iteration, "float32") - self.warmup_iterations
        if self.ramp_iterations:
            return ops.clip(since_warmup / self.ramp_iterations, 0.0, 1.0)
        return ops.cast(since_warmup >= 0, "float32")

    def _outputs(self, images):
        """Logits of the source, and the outputs of both domains to compare; None for these where nothing needs them."""
        source, target = self._inputs(images["source"], 0), self._inputs(images["target"], 1)
        if self.batch_norm == "both":
            joined = {name: ops.concatenate([source[name], target[name]], axis=0) for name in source}
            outputs, n_source = self.classifier(joined, training=True), ops.shape(images["source"])[0]
            of_source = {name: values[:n_source] for name, values in outputs.items()}
            return of_source["logits"], of_source, {name: values[n_source:] for name, values in outputs.items()}
        logits = self.classifier(source, training=True)["logits"]
        if not (self.mmd_weight or self.consistency_weight):
            return logits, None, None
        # Both in inference mode: between dropout and none, outputs would differ where the domains do not.
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
            # The optimizer sums gradients over replicas. Each has the full MMD and the mean of its own cross-entropy.
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
        options = (
            "mmd_weight", "estimator", "warmup_iterations", "ramp_iterations", "class_weights", "batch_norm", "l2",
            "consistency_weight", "name",
        )  # fmt: skip
        classifier = keras.saving.serialize_keras_object(self.classifier)
        return {"classifier": classifier, **{name: getattr(self, name) for name in options}}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(config.pop("classifier")), **config)

    def get_compile_config(self):
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}

    def compile_from_config(self, config):
        # Keras saves no list of what an optimizer does not decay: `compile` makes it again, before the build.
        self.compile(keras.saving.deserialize_keras_object(config["optimizer"]))
        self.optimizer.build(self.trainable_variables)
