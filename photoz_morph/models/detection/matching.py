"""Which true source a box stands for in training, and which boxes the losses are measured on."""

from keras import ops

PRIME = 46337  # the largest whose square is an int32; 3 does not divide PRIME - 1, so cubes are a permutation


def match(overlaps, is_true, positive, negative, keep_best=False):
    """True source of each box, and whether it is an example of one.

    Parameters
    ----------
    overlaps : tensor, shape (n, n_boxes, n_sources)
        IoU of boxes and true sources.
    is_true : bool tensor, shape (n, n_sources)
        False for rows that only fill the array.
    positive, negative : float
        A box is positive with an IoU of at least `positive`, negative below `negative`, and ignored between the two.
    keep_best : bool
        Whether the boxes that overlap a source most are positive too, for that source, however little they do.

    Returns
    -------
    source : int tensor, shape (n, n_boxes)
        Row of the source that a box overlaps most; of equal ones the first.
    is_positive, is_negative : bool tensor, shape (n, n_boxes)

    Notes
    -----
    Ren et al. (2015), Sec. 3.1.2, rules (i) and (ii). Without (i) a source smaller than every anchor, or half behind
    another, is never learnt; as the best box of a faint neighbour it is not taken by the brighter source.
    """
    overlaps = ops.where(is_true[:, None], overlaps, -1.0)
    best = ops.max(overlaps, axis=-1)
    source = ops.argmax(overlaps, axis=-1)
    is_positive, is_negative = best >= positive, best < negative
    if keep_best:
        of_source = ops.max(overlaps, axis=1, keepdims=True)
        is_best = ops.logical_and(overlaps == of_source, of_source > 0)
        is_any = ops.any(is_best, axis=-1)
        source = ops.where(is_any, ops.argmax(ops.where(is_best, overlaps, -1.0), axis=-1), source)
        is_positive = ops.logical_or(is_positive, is_any)
        is_negative = ops.logical_and(is_negative, ops.logical_not(is_any))
    return ops.cast(source, "int32"), is_positive, is_negative


def sample(is_positive, is_negative, n, positive_fraction, step):
    """Boxes of a sample, positive ones first.

    Parameters
    ----------
    is_positive, is_negative : bool tensor, shape (n_images, n_boxes)
    n : int
        Size of the sample of an image.
    positive_fraction : float
        At most this fraction of `n` is positive; negatives fill the rest.
    step : int or int tensor
        Number of the training step, of which the choice among the boxes is a function: it depends on neither the batch
        nor the number of replicas, and an interrupted training makes the choices of an uninterrupted one.

    Returns
    -------
    index : int tensor, shape (n_images, min(n, n_boxes))
    is_positive, is_used : bool tensor, same shape
        Rows that are not used fill the array where there are too few.
    """
    n_boxes = is_positive.shape[1]
    n = min(n, n_boxes)
    n_positive = max(int(n * positive_fraction), 1)
    place = shuffled(n_boxes, step)[None]  # in (0, 1)
    last = ops.top_k(ops.where(is_positive, place, 0.0), n_positive)[0][:, -1:]
    is_positive = ops.logical_and(is_positive, place >= last)
    key, index = ops.top_k(ops.where(is_positive, 2 + place, ops.where(is_negative, 1 + place, 0.0)), n)
    return index, key >= 2, key >= 1


def shuffled(n, step):
    """Numbers in (0, 1) in an irregular order, distinct up to n = 46,337, another order for each step, shape (n,)."""
    step = ops.cast(step, "int32") % PRIME
    factor = 1 + (step * 7919 + 271) % (PRIME - 1)
    places = (ops.arange(n, dtype="int32") % PRIME * factor + step * 3571 % PRIME) % PRIME
    places = places * places % PRIME * places % PRIME  # a line modulo a prime is too regular by itself
    return (ops.cast(places, "float32") + 0.5) / PRIME
