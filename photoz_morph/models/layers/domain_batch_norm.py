"""Batch normalisation with statistics and weights of each domain (Chang et al. 2019, CVPR; arXiv 1906.03950).

Source and target pass through the same convolutions; between these, each is brought to mean and variance of its own
choice, from those of its own images. Without any loss between them this already undoes what a domain changes in the
mean and scale of maps. Every image comes with the index of its domain, in use as in training.
"""

import keras
from keras import ops

N_DOMAINS = 2  # source, target


@keras.saving.register_keras_serializable("photoz_morph")
class DomainBatchNormalization(keras.layers.Layer):
    """Batch normalisation of the last axis, with moments, gamma and beta for each domain.

    Parameters
    ----------
    momentum, epsilon : float
        As of `keras.layers.BatchNormalization`; the published network's by default.

    Notes
    -----
    Chang et al. (2019), Eq. 2 to 5. In training over several replicas, moments are those of all of them.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        names = {"gamma": ("ones", True), "beta": ("zeros", True), "moving_mean": ("zeros", False),
                 "moving_variance": ("ones", False)}  # fmt: skip
        for name, (start, trainable) in names.items():
            weight = self.add_weight(
                shape=(N_DOMAINS, input_shape[-1]), initializer=start, trainable=trainable, name=name, autocast=False,
                aggregation="none" if trainable else "mean",  # replicas assign equal moments
            )  # fmt: skip
            setattr(self, name, weight)

    def call(self, maps, domain, training=None):
        """Normalised maps.

        Parameters
        ----------
        maps : tensor, shape (n, ..., n_maps)
        domain : int tensor, shape (n,)
            0 for source, 1 for target.
        """
        values = ops.cast(maps, "float32")  # as Keras's own: bfloat16 has too few digits for moments
        domain = ops.cast(domain, "int32")
        if training:
            mean, variance = self._moments(values, domain)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shape = (-1, *[1] * (len(maps.shape) - 2), maps.shape[-1])
        scale, offset = (ops.reshape(ops.take(of, domain, axis=0), shape) for of in (scale, self.beta - mean * scale))
        return ops.cast(values * scale + offset, self.compute_dtype)

    def _moments(self, values, domain):
        """Mean and variance of each domain, of which the moving averages are kept; a domain not shown has these."""
        belongs = ops.one_hot(domain, N_DOMAINS)  # (n, 2)
        axes = tuple(range(1, len(values.shape) - 1))
        n_places = ops.cast(ops.prod(ops.shape(values)[1:-1]) if axes else 1, "float32")
        count = _of_all_replicas(ops.sum(belongs, axis=0)[:, None])
        is_shown, count = count > 0, ops.maximum(count, 1) * n_places
        sums = ops.matmul(ops.transpose(belongs), ops.sum(values, axis=axes))
        mean = _of_all_replicas(sums) / count
        shape = (-1, *[1] * len(axes), values.shape[-1])
        centred = values - ops.reshape(ops.matmul(belongs, mean), shape)
        squares = ops.matmul(ops.transpose(belongs), ops.sum(ops.square(centred), axis=axes))
        variance = _of_all_replicas(squares) / count
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            before = ops.convert_to_tensor(moving)  # JAX's functions take no Keras variables
            changed = before * self.momentum + ops.stop_gradient(new) * (1 - self.momentum)
            moving.assign(ops.where(is_shown, changed, before))
        mean = ops.where(is_shown, mean, ops.convert_to_tensor(self.moving_mean))
        return mean, ops.where(is_shown, variance, ops.convert_to_tensor(self.moving_variance))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


def with_domain_batch_norm(classifier):
    """Copy of a classifier whose batch norms are `DomainBatchNormalization`, with the same weights.

    Parameters
    ----------
    classifier : keras.Model
        Functional, {"image"} or {"image", "domain"} to outputs; its batch norms are over the last axis.

    Returns
    -------
    keras.Model
        {"image", "domain"} to the same outputs, its name ending in "_domain_bn". Until it is trained, both domains have
        the outputs of the classifier.

    Raises
    ------
    ValueError
        If the classifier has no batch norm, or one over another axis than the last.
    """
    norms = [layer for layer in classifier.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not norms:
        raise ValueError(f"network {classifier.name!r} has no batch norm to make one for each domain")
    for layer in norms:
        if layer.axis not in (-1, len(layer.input.shape) - 1):
            raise ValueError(f"batch norm {layer.name!r} is over axis {layer.axis}, must be over the last")
    given = {tensor.name: tensor for tensor in classifier.inputs}
    given.setdefault("domain", keras.Input((), dtype="int32", name="domain"))
    inputs = {name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name) for name, tensor in given.items()}

    def cloned(layer):
        if not isinstance(layer, keras.layers.BatchNormalization):
            return layer.__class__.from_config(layer.get_config())
        return DomainBatchNormalization(layer.momentum, layer.epsilon, name=layer.name, dtype=layer.dtype_policy)

    def called(layer, *arguments, **keywords):
        if isinstance(layer, DomainBatchNormalization):
            return layer(arguments[0], inputs["domain"])  # a functional model also passes Keras's own a mask
        return layer(*arguments, **keywords)

    # The same layers with the domain among the inputs, which a clone needs to find it.
    widened = keras.Model(given, classifier.output, name=f"{classifier.name}_domain_bn")
    network = keras.models.clone_model(widened, inputs, clone_function=cloned, call_function=called)
    for layer in classifier.layers:
        own = network.get_layer(layer.name)
        if isinstance(own, DomainBatchNormalization):
            own.set_weights([ops.stack([weight] * N_DOMAINS) for weight in _four_weights(layer)])
        else:
            own.set_weights(layer.get_weights())
    return network


def _four_weights(layer):
    """Gamma, beta, mean and variance of a batch norm, also of one without gamma or beta."""
    gamma, beta, mean, variance = layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance
    gamma = ops.ones_like(mean) if gamma is None else gamma
    beta = ops.zeros_like(mean) if beta is None else beta
    return [ops.convert_to_numpy(values) for values in (gamma, beta, mean, variance)]


def _of_all_replicas(sums):
    """Sums over the rows of all replicas of a distribution strategy of TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return sums
    import tensorflow as tf

    replicas = tf.distribute.get_replica_context()
    if replicas is None or replicas.num_replicas_in_sync == 1:
        return sums
    return replicas.all_reduce(tf.distribute.ReduceOp.SUM, sums)
