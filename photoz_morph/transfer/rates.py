"""Adam and AdamW with a learning rate for each layer, a factor times that of the schedule.

Adam divides each gradient by its own scale, so a scaled gradient would change nothing: the step itself is scaled, and
with it the decoupled weight decay. Layers are known by their names, so that a saved optimizer finds them again.
"""

import keras
from keras import ops


class _RateByLayer:
    """What both optimizers have in common.

    Parameters
    ----------
    factors : dict of str to float
        Factor of the learning rate by the name of a layer; 1 for others.
    """

    def __init__(self, *arguments, factors=None, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.factors = dict(factors or {})

    def build(self, variables):
        if not self.built:  # a path ends in the name of the layer and that of the variable
            layers = [variable.path.rpartition("/")[0].rpartition("/")[2] for variable in variables]
            self._factors = tuple(self.factors.get(layer, 1.0) for layer in layers)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow's variable here, which has no path.
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[self._get_variable_index(variable)]
        if self.weight_decay is not None and self._use_weight_decay(variable):
            self.assign_sub(variable, ops.multiply(variable, rate * self.weight_decay))
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        """Do nothing: decay is part of the step, with its rate. Kernels near the input would else decay at the full."""

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


@keras.saving.register_keras_serializable("photoz_morph")
class AdamByLayer(_RateByLayer, keras.optimizers.Adam):
    """Adam with a factor of the learning rate for each layer."""


@keras.saving.register_keras_serializable("photoz_morph")
class AdamWByLayer(_RateByLayer, keras.optimizers.AdamW):
    """AdamW with a factor of learning rate and weight decay for each layer."""


def adam(learning_rate, weight_decay=None, factors=None, **options):
    """Optimizer of a training: Adam, or AdamW where `weight_decay` is not None, with rates by layer if there are any.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
    weight_decay : float, optional
    factors : dict of str to float, optional
        See `AdamByLayer`.
    **options
        Of Keras's Adam.
    """
    if factors:
        options["factors"] = factors
    if weight_decay is None:
        return (AdamByLayer if factors else keras.optimizers.Adam)(learning_rate, **options)
    kind = AdamWByLayer if factors else keras.optimizers.AdamW
    return kind(learning_rate, weight_decay=weight_decay, **options)
