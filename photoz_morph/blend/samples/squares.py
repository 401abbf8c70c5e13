"""Random squares of images under flips and rotations, with the sources that are seen in them.

An image is a dict of tensors: `image`, shape (size, size, n_bands), `instances`, shape (size, size), `obj_id`, and of
each of its k sources `y`, `x`, `box`, `kind`, `is_target`. Which square of it is shown, and how it is turned, is a
function of a seed, that of an epoch, and of its `obj_id`.
"""

import tensorflow as tf

from photoz_morph.datasets.augmentation import dihedral

OF_SOURCES = {"y": (), "x": (), "box": (4,), "kind": (), "is_target": ()}  # shapes


def random_square(example, size, seed):
    """A square of `size` pixels of an image, anywhere in it with the same probability.

    Parameters
    ----------
    example : dict of str to tensor
    size : int
    seed : int

    Returns
    -------
    dict of str to tensor
        Positions and boxes are those in the square; boxes are cut at its edges.
    """
    side = example["image"].shape[0]
    corner = tf.random.stateless_uniform((2,), [seed, example["obj_id"]], 0, side - size + 1, tf.int32)
    shift = tf.cast(tf.concat([corner, corner], axis=0), tf.float32)
    return {
        **example,
        "image": tf.ensure_shape(
            tf.slice(example["image"], [corner[0], corner[1], 0], [size, size, -1]),
            (size, size, example["image"].shape[-1]),
        ),
        "instances": tf.ensure_shape(tf.slice(example["instances"], corner, [size, size]), (size, size)),
        "y": example["y"] - shift[0],
        "x": example["x"] - shift[1],
        "box": tf.clip_by_value(example["box"] - shift, -0.5, size - 0.5),
    }


def turned(example, element):
    """An image under element 0 ... 7 of the symmetry group of the square, with its sources; see `dihedral`.

    Of images that have no list of sources, `image` and `truth`, if it is an image.
    """
    if "truth" in example:
        turned_ones = [name for name in ("image", "truth") if len(example[name].shape) == 3]
        return {**example, **{name: dihedral(example[name], element) for name in turned_ones}}
    size = example["image"].shape[0]
    # In single precision, since all numbers of sources are exact in it.
    numbers = dihedral(tf.cast(example["instances"], tf.float32)[..., None], element)[..., 0]
    y, x, box = example["y"], example["x"], example["box"]
    is_transposed, from_below, from_right = (tf.bitwise.bitwise_and(element, bit) > 0 for bit in (1, 2, 4))
    y, x = tf.where(is_transposed, x, y), tf.where(is_transposed, y, x)
    box = tf.where(is_transposed, tf.gather(box, [1, 0, 3, 2], axis=1), box)
    y0, x0, y1, x1 = tf.unstack(box, axis=1)
    y, y0, y1 = (tf.where(from_below, size - 1 - a, b) for a, b in ((y, y), (y1, y0), (y0, y1)))
    x, x0, x1 = (tf.where(from_right, size - 1 - a, b) for a, b in ((x, x), (x1, x0), (x0, x1)))
    return {
        **example,
        "image": dihedral(example["image"], element),
        "instances": tf.cast(numbers, example["instances"].dtype),
        "y": y,
        "x": x,
        "box": tf.stack([y0, x0, y1, x1], axis=1),
    }


def padded(example, n_sources):
    """An image whose sources fill arrays of `n_sources` rows, with `n_visible`, the pixels of each in the square.

    Rows beyond its sources have the class 0 and are no targets.
    """
    n = tf.shape(example["kind"])[0]
    visible = tf.math.bincount(
        tf.reshape(tf.cast(example["instances"], tf.int32), [-1]), minlength=n_sources + 1, maxlength=n_sources + 1
    )[1:]
    arrays = {}
    for name, shape in OF_SOURCES.items():
        values = tf.pad(example[name], [(0, n_sources - n), *[(0, 0)] * len(shape)])
        arrays[name] = tf.ensure_shape(values, (n_sources, *shape))
    return {**example, **arrays, "n_visible": tf.ensure_shape(visible, (n_sources,))}
