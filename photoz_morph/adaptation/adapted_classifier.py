"""Train a classifier on labelled source images and, by adaptation losses, on unlabelled target images.

`DomainAdaptedClassifier` wraps a network and replaces Keras's training step. Source and target pass through the network
in one batch, so that batch-norm statistics mix both domains, unless those of the source alone are chosen. The
cross-entropy is that of the source half; each loss of `adaptation.losses` compares the outputs of the two halves, or
those of images that it has shown once more, changed. Where labels are distributions over the classes, as the targets of
binned redshift PDFs, a loss of these is given instead of the cross-entropy. With weights of 0 it is the regular arm of
the same experiment: the same forward pass, optimizer and weight decay, and nothing of the target in the loss. One
function computes the loss; a TensorFlow and a JAX step differentiate it.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.adaptation.latent_layer import check_outputs
from photoz_morph.adaptation.losses import LOSSES, make_loss
from photoz_morph.adaptation.weighting import EtaBounds, learned_sum

# Biases and batch norm, since decaying them shifts what batch norm is to fix; learnable weights and class centres.
NOT_DECAYED = ("bias", "gamma", "beta", "etas", "centres")
WEIGHTINGS = ("fixed", "learned")
DOMAINS = ("source", "target")
LOSS_OBJECTS = ("label_loss", "auxiliary_loss")
HEAD = "auxiliary"  # output of a second head, and its targets


@keras.saving.register_keras_serializable("photoz_morph")
class DomainAdaptedClassifier(keras.Model):
    """A classifier in training, with two domains.

    `fit` takes ({"source": images, "target": images}, labels), the two halves of the same size, labels those of the
    source; where the classifier has more inputs than an image, each half is a dictionary of its inputs. `predict` and
    calls take what the classifier takes. `self.classifier` is the network to save for use. Logs: `loss`,
    `cross_entropy`, each adaptation loss by its name (unweighted; NaN with weight 0, when it is not computed) and
    `accuracy`. With a `label_loss` its name stands for `cross_entropy`, and there is no accuracy.

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
        Coupled weight decay as in PyTorch's Adam: l2 / 2 times the sum of squares of all trainable weights but
        learnable weights and class centres. The decoupled decay of AdamW is the optimizer's own.
    weighting : {"fixed", "learned"}
        With "learned", cross-entropy and the sum of the other losses have the learnable weights of SIDDA, see
        `adaptation.weighting`; the ramp then leads from the cross-entropy alone to that sum.
    label_loss : keras.losses.Loss, optional
        Loss of labels of shape (n, n_classes) and logits, for labels that are distributions over the classes; without,
        labels are class numbers, and it is the cross-entropy.
    auxiliary_loss : keras.losses.Loss, optional
        Loss of a second head, the output `auxiliary` of the classifier, on the source; labels are then {"label",
        "auxiliary"}. Its log is `auxiliary`.
    auxiliary_weight : float
        Weight of that loss.
    decay_all : bool
        Whether the decoupled decay of the optimizer takes biases and batch norm too, as Keras's does on its own.
    seed : int
        Of the losses that have weights or random numbers of their own.
    """

    def __init__(
        self, classifier, losses=(), warmup_iterations=0, ramp_iterations=0, class_weights=None, batch_norm="both",
        l2=0.0, weighting="fixed", label_loss=None, auxiliary_loss=None, auxiliary_weight=1.0, decay_all=False, seed=0,
        name="domain_adapted_classifier",
    ):  # fmt: skip
        if batch_norm not in ("both", "source"):
            raise ValueError(f"batch_norm is {batch_norm!r}, must be 'both' or 'source'")
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting is {weighting!r}, must be one of {', '.join(WEIGHTINGS)}")
        if label_loss is not None and class_weights is not None:
            raise ValueError("class_weights are of classes, but labels of a label_loss are distributions; give one")
        check_outputs(classifier)
        if auxiliary_loss is not None and HEAD not in classifier.output:
            raise ValueError(f"there is an auxiliary_loss, but the classifier has no output {HEAD!r}; give it one")
        super().__init__(name=name, dtype="float32")  # images must reach the classifier's scaling uncast
        self.classifier, self.batch_norm, self.l2 = classifier, batch_norm, l2
        self.warmup_iterations, self.ramp_iterations = warmup_iterations, ramp_iterations
        self.class_weights = None if class_weights is None else tuple(class_weights)
        self.weighting, self.label_loss, self.decay_all, self.seed = weighting, label_loss, decay_all, seed
        self.auxiliary_loss, self.auxiliary_weight = auxiliary_loss, float(auxiliary_weight)
        self.terms = tuple((term, float(weight), dict(options)) for term, weight, options in losses)
        self._functions = tuple(make_loss(term, options) for term, _, options in self.terms)
        n_latent, n_classes = (classifier.output[name].shape[-1] for name in ("latent", "logits"))
        # Layers among the functions, in a list for Keras to save and train; a loss without weight has none.
        self.loss_layers = []
        for (term, weight, _), function in zip(self.terms, self._functions):
            if weight and hasattr(function, "create"):
                own = int(np.random.SeedSequence([seed, *term.encode()]).generate_state(1)[0] >> 1)
                function.create(n_latent, n_classes, own)
                self.loss_layers.append(function)
        if weighting == "learned":
            # Replicas put the bounds into force each for itself, on equal values.
            self.etas = self.add_weight(
                shape=(2,), initializer="ones", constraint=EtaBounds(), aggregation="mean", name="etas"
            )
        names = ["loss", label_loss.name if label_loss else "cross_entropy", *(term for term, _, _ in self.terms)]
        names += [HEAD] if auxiliary_loss else []
        self.means = [keras.metrics.Mean(name=term) for term in names]
        self.accuracy = None if label_loss else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self.built = True  # the classifier is, and there is nothing else

    def call(self, inputs, training=None):
        return self.classifier(inputs, training=training)

    def compile(self, optimizer):
        """Set the optimizer; its decoupled weight decay, if any, takes biases and batch norm only if `decay_all`."""
        # A built optimizer was compiled before, and keeps what was left out then.
        if not (optimizer.built or self.decay_all):
            optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        # In TensorFlow XLA is slower on CPUs and fails under MirroredStrategy; JAX is nothing without it.
        super().compile(optimizer, jit_compile=keras.backend.backend() == "jax")

    @property
    def metrics(self):
        return [*self.means, *([self.accuracy] if self.accuracy else [])]

    def train_step(self, *arguments):
        """One iteration: (data) in TensorFlow, (state, data) in JAX."""
        return {"tensorflow": self._tensorflow_step, "jax": self._jax_step}[keras.backend.backend()](*arguments)

    def losses(self, data, gather=lambda latents: latents, replica=(0, 1)):
        """Loss of one batch, in training mode.

        Parameters
        ----------
        data : tuple
            ({"source", "target"}, labels), with a second head ({"source", "target"}, {"label", "auxiliary"}).
        gather : callable
            Puts together the values of all replicas, for the losses that are no mean over galaxies.
        replica : tuple of int or int tensor
            Number of this replica, from 0, and how many there are.

        Returns
        -------
        loss : scalar tensor
        terms : tuple
            `loss`, `cross_entropy` or `label_loss`, each adaptation loss, that of a second head, and the labels and
            logits that accuracy is measured on.
        """
        images, labels = data[:2]
        of_source, outputs = self._outputs(images, replica)
        logits, known = of_source["logits"], None
        if self.auxiliary_loss:
            labels, known = labels["label"], labels[HEAD]
        if self.label_loss:
            each = self.label_loss.call(labels, logits)
        else:
            each = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.class_weights:
            each = each * ops.take(ops.convert_to_tensor(self.class_weights, "float32"), ops.cast(labels, "int32"))
        loss = cross_entropy = ops.mean(each)
        if self.l2:
            decayed = [weight for weight in self.trainable_variables if weight.name not in ("etas", "centres")]
            loss = loss + self.l2 / 2 * sum(ops.sum(ops.square(weight)) for weight in decayed)
        values, adaptation, ramp = [], 0.0, self.ramp_at(self.optimizer.iterations)
        for (name, weight, _), function in zip(self.terms, self._functions):
            value = ops.convert_to_tensor(np.nan, "float32")
            if weight:
                value = function(*_arguments(name, outputs, labels, gather))
                adaptation = adaptation + (weight * ramp if self.weighting == "fixed" else weight) * value
            values.append(value)
        if self.weighting == "learned":
            adaptation = ramp * (learned_sum(cross_entropy, adaptation, self.etas) - cross_entropy)
        loss = loss + adaptation
        if self.auxiliary_loss:
            values.append(ops.mean(self.auxiliary_loss.call(known, of_source[HEAD])))
            loss = loss + self.auxiliary_weight * values[-1]
        return loss, (loss, cross_entropy, *values, labels, logits)

    def ramp_at(self, iteration):
        """Factor of the weights of the adaptation losses in an iteration, counted from 0."""
        since_warmup = ops.cast(iteration, "float32") - self.warmup_iterations
        if self.ramp_iterations:
            return ops.clip(since_warmup / self.ramp_iterations, 0.0, 1.0)
        return ops.cast(since_warmup >= 0, "float32")

    def _outputs(self, images, replica):
        """Outputs of the source in training mode; and by name those of source, target and the views of losses, where a
        loss compares them."""
        inputs = {domain: self._inputs(images[domain], index) for index, domain in enumerate(DOMAINS)}
        source, target = (inputs[domain]["image"] for domain in DOMAINS)
        n, (number, n_replicas) = ops.shape(source)[0], replica
        for (name, weight, _), function in zip(self.terms, self._functions):
            if weight and (domain := LOSSES[name].view):
                view = function.view(source, target, (number * n, n, n_replicas * n))
                inputs[name] = {**inputs[domain], "image": view}
        if self.batch_norm == "both":
            joined = {key: ops.concatenate([part[key] for part in inputs.values()], axis=0) for key in inputs["source"]}
            together = self.classifier(joined, training=True)
            outputs = {
                name: {key: values[index * n : (index + 1) * n] for key, values in together.items()}
                for index, name in enumerate(inputs)
            }
            return outputs["source"], outputs
        of_source = self.classifier(inputs["source"], training=True)
        if not any(weight for _, weight, _ in self.terms):
            return of_source, None
        # All in inference mode: dropout in one of them would make outputs differ where the domains do not.
        return of_source, {name: self.classifier(part, training=False) for name, part in inputs.items()}

    def _inputs(self, images, domain):
        """Images, or inputs by name, as the classifier takes them, with their domain where it is told that."""
        inputs = images if isinstance(images, dict) else {"image": images}
        if "domain" not in self.classifier.input:
            return inputs
        return {**inputs, "domain": ops.full(ops.shape(inputs["image"])[:1], domain, "int32")}

    def _track(self, terms):
        """Add a batch to the metrics; their values so far."""
        *values, labels, logits = terms
        for mean, value in zip(self.means, values, strict=True):
            mean.update_state(value)
        if self.accuracy:
            self.accuracy.update_state(labels, logits)
        return {metric.name: metric.result() for metric in self.metrics}

    def _tensorflow_step(self, data):
        import tensorflow as tf

        replicas = tf.distribute.get_replica_context()
        several = replicas.num_replicas_in_sync > 1

        def gather(values):
            # TensorFlow forgets the sizes of the axes that are not gathered.
            return tf.ensure_shape(replicas.all_gather(values, axis=0), (None, *values.shape[1:]))

        with tf.GradientTape() as tape:
            replica = replicas.replica_id_in_sync_group if several else 0, replicas.num_replicas_in_sync
            loss, terms = self.losses(data, gather if several else lambda values: values, replica)
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
        names = (
            "warmup_iterations", "ramp_iterations", "class_weights", "batch_norm", "l2", "weighting",
            "auxiliary_weight", "decay_all", "seed", "name",
        )  # fmt: skip
        return {
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            **{name: _serialized(getattr(self, name)) for name in LOSS_OBJECTS},
            "losses": [[name, weight, dict(options)] for name, weight, options in self.terms],
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config):
        config = _with_losses(dict(config))
        for name in LOSS_OBJECTS:
            if config.get(name):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(keras.saving.deserialize_keras_object(config.pop("classifier")), **config)

    def get_compile_config(self):
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)}

    def compile_from_config(self, config):
        # Keras saves no list of what an optimizer does not decay: `compile` makes it again, before the build.
        self.compile(keras.saving.deserialize_keras_object(config["optimizer"]))
        self.optimizer.build(self.trainable_variables)


def _arguments(name, outputs, labels, gather):
    """Arguments of a loss, with the outputs or labels of all replicas where it needs them."""
    row = LOSSES[name]
    parts = {
        domain: {key: gather(values) if key in row.gathered else values for key, values in outputs[domain].items()}
        for domain in DOMAINS
    }
    if row.view:
        parts[row.view]["view_logits"] = outputs[name]["logits"]
    return parts["source"], parts["target"], gather(labels) if "labels" in row.gathered else labels


def _serialized(loss):
    """Config of a Keras loss, or None."""
    return loss and keras.saving.serialize_keras_object(loss)


def _with_losses(config):
    """A saved config with the list of losses, which earlier versions saved as `mmd_weight`, `estimator` and, later,
    `consistency_weight`."""
    if "losses" in config:
        return config
    losses = [["mmd", config.pop("mmd_weight"), {"estimator": config.pop("estimator")}]]
    if consistency := config.pop("consistency_weight", 0.0):
        losses.append(["consistency", consistency, {}])
    return {**config, "losses": losses}
