"""Learning-rate schedules and length of a training run."""

import keras

FEWEST_STEPS = 100  # of an epoch on few labels
CYCLE_RISE = 0.3  # fraction of a one-cycle training, as most implementations of Smith & Topin (2018) have it


def learning_rate_schedule(train, n_iterations):
    """Learning rate by iteration: constant, cosine to zero, or divided by five at half-way, after a warm-up; one cycle.

    Parameters
    ----------
    train : TrainConfig or MorphTrainConfig
    n_iterations : int
        Of the whole training.

    Returns
    -------
    float or keras.optimizers.schedules.LearningRateSchedule

    Raises
    ------
    ValueError
        If the warm-up takes the whole training, or, before a halving, half of it.

    Notes
    -----
    The warm-up rises linearly before a cosine; otherwise it has two steps, a tenth and a third of the peak. One cycle
    (Smith & Topin 2018, without their change of the momentum) is a cosine whose warm-up is the first 30 % of the
    training, however long it is.
    """
    peak, warmup = train.learning_rate, train.warmup_iterations
    end = n_iterations // 2 if train.schedule == "halfway" else n_iterations
    if warmup and warmup >= end:
        raise ValueError(
            f"train.warmup_iterations is {warmup}, but the learning rate of {n_iterations} iterations is to reach its "
            f"peak before iteration {end}; give fewer, or train longer"
        )
    if train.schedule == "one_cycle":
        warmup = round(CYCLE_RISE * n_iterations)
    if train.schedule in ("cosine", "one_cycle"):
        decay = max(n_iterations - warmup, 1)
        if warmup == 0:
            return keras.optimizers.schedules.CosineDecay(peak, decay)
        return keras.optimizers.schedules.CosineDecay(peak / warmup, decay, warmup_target=peak, warmup_steps=warmup)
    boundaries, values = ([n_iterations // 2], [peak, peak / 5]) if train.schedule == "halfway" else ([], [peak])
    if warmup:
        boundaries, values = [warmup // 2, warmup, *boundaries], [peak / 10, peak / 3, *values]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values) if boundaries else peak


def passes_per_epoch(config, n_galaxies):
    """Passes through the training galaxies that make an epoch, between two validations and checkpoints.

    One, but where `data.n_labels` leaves so few batches that these would take longer than the steps of a pass.

    Parameters
    ----------
    config : PhotozConfig or MorphConfig
    n_galaxies : int
        Size of the training set.
    """
    if getattr(config.train, "iterations", None) is None or config.data.n_labels is None:
        return 1
    return max(1, FEWEST_STEPS // max(n_galaxies // config.data.batch_size, 1))


def training_length(config, n_galaxies):
    """Iterations and epochs of one network; the last epoch may be partial.

    Parameters
    ----------
    config : PhotozConfig or MorphConfig
    n_galaxies : int
        Size of the training set.
    """
    steps_per_epoch = n_galaxies // config.data.batch_size * passes_per_epoch(config, n_galaxies)
    n_iterations = getattr(config.train, "iterations", None) or config.train.epochs * steps_per_epoch
    return n_iterations, -(-n_iterations // max(steps_per_epoch, 1))
