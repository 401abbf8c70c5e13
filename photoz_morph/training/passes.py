"""Several passes through few galaxies as one epoch."""


class SeveralPasses:
    """Training batches whose epoch is several epochs of others, one after the other.

    Parameters
    ----------
    batches : PhotozBatches, MorphBatches or DomainBatches
    n_passes : int
    """

    def __init__(self, batches, n_passes):
        self._batches, self.n_passes = batches, n_passes
        self.batch_size, self.n_galaxies = batches.batch_size, batches.n_galaxies
        self.steps_per_epoch = n_passes * batches.steps_per_epoch

    def epoch(self, seed, epoch):
        """tf.data.Dataset of all passes of an epoch."""
        first, *others = (self._batches.epoch(seed, epoch * self.n_passes + number) for number in range(self.n_passes))
        for other in others:
            first = first.concatenate(other)
        return first

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch."""
        number, at = divmod(batch, self._batches.steps_per_epoch)
        return self._batches.obj_ids(seed, epoch * self.n_passes + number, at)
