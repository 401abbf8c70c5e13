"""Batches of labelled source galaxies and, beside them, unlabelled galaxies of a target.

An epoch is a pass through the source. The target, which has another number of galaxies, is drawn in an order of its
own, again and again if it is the smaller one.
"""

import numpy as np
import tensorflow as tf

from photoz_morph.datasets import batches

TARGET = int.from_bytes(b"target")  # number of the stream of seeds


class DomainBatches:
    """Training batches of two domains.

    Parameters
    ----------
    source : PhotozBatches
    target : PhotozBatches
        Without labels, of the same batch size, one batch or more.
    """

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.batch_size, self.n_galaxies = source.batch_size, source.n_galaxies
        self.steps_per_epoch = source.steps_per_epoch

    def epoch(self, seed, epoch):
        """One pass through the source, with as many galaxies of the target.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            ({"source": inputs, "target": inputs}, target of the PDFs of the source); see `PhotozBatches.epoch`.
        """
        own, passes = self._passes(seed, epoch)
        others = [self.target.epoch(own, number) for number in passes]
        joined = others[0]
        for other in others[1:]:
            joined = joined.concatenate(other)
        both = tf.data.Dataset.zip(self.source.epoch(seed, epoch), joined)
        return batches.divided(both, lambda source, inputs: ({"source": source[0], "target": inputs}, source[1]))

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, those of the source first."""
        own, passes = self._passes(seed, epoch)
        number, at = divmod(batch, self.target.steps_per_epoch)
        of_target = self.target.obj_ids(own, passes[number], at)
        return np.concatenate([self.source.obj_ids(seed, epoch, batch), of_target])

    def _passes(self, seed, epoch):
        """Seed of the target, and the numbers of its passes that an epoch of the source takes."""
        own = int(np.random.SeedSequence([seed, TARGET]).generate_state(1)[0] >> 1)
        n_passes = -(-self.steps_per_epoch // self.target.steps_per_epoch)
        return own, range(epoch * n_passes, (epoch + 1) * n_passes)
