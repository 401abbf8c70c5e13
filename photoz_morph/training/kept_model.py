"""One compiled model for the networks that a process trains in turn.

A training step and a prediction are traced when a model first takes them, which costs as much as some epochs of a small
network. Networks of a fold that differ in nothing but the values of their variables can share the model: the next one
starts from the variables of a new network of its own.
"""

import numpy as np


class KeptModel:
    """Gives networks to be trained, all in the first of them."""

    def __init__(self):
        self._model = None

    def __call__(self, network):
        """A new network as a model that may have been trained before.

        Parameters
        ----------
        network : keras.Model
            Compiled, and with an optimizer that is built.

        Returns
        -------
        keras.Model
            The first network that was given, with all variables of this one, those of its optimizer too.

        Raises
        ------
        ValueError
            If the networks do not have the same variables.
        """
        if self._model is None:
            self._model = network
        if self._model is not network:
            ours, others = (_variables(model) for model in (self._model, network))
            if [variable.shape for variable in ours] != [variable.shape for variable in others]:
                raise ValueError(f"{network.name}: has other variables than the network that was trained before it")
            for variable, other in zip(ours, others):
                variable.assign(np.asarray(other))
        return self._model


def _variables(model):
    return [*model.variables, *model.optimizer.variables]
