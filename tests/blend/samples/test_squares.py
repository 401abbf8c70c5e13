import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.blend.samples.squares import padded, random_square, turned
from photoz_morph.simulation.blends.truth import box_of
from tests.support.blends import random_scenes


@pytest.fixture(scope="module")
def example():
    """A scene as `batches.read_images` gives it."""
    (scene,) = random_scenes(1, seed=3, n_sources=7)
    columns = {name: np.asarray(scene.truth[name]) for name in ("y", "x", "box", "kind", "is_target")}
    floats = {name: tf.constant(columns[name], tf.float32) for name in ("y", "x", "box")}
    return {"image": tf.constant(scene.image), "instances": tf.constant(scene.instances), "obj_id": tf.constant(7),
            "kind": tf.constant(columns["kind"], tf.int64), "is_target": tf.constant(columns["is_target"]), **floats}


def seen(example):
    """Box of the visible pixels of each source, NaN without any."""
    maps, n = np.array(example["instances"]), len(example["kind"])
    return np.array([box_of(maps == k + 1) if (maps == k + 1).any() else [np.nan] * 4 for k in range(n)])


@pytest.mark.parametrize("element", range(8))
def test_sources_turn_with_their_pixels(element, example):
    found = turned(example, tf.constant(element))
    maps = np.array(found["instances"])
    for k, (y, x) in enumerate(zip(found["y"], found["x"])):
        before = np.array(example["instances"])[round(float(example["y"][k])), round(float(example["x"][k]))]
        assert maps[round(float(y)), round(float(x))] == before
    # The boxes of visible pixels turn as the boxes of all pixels do.
    of_visible = turned({**example, "box": tf.constant(seen(example), tf.float32)}, tf.constant(element))
    np.testing.assert_array_equal(of_visible["box"], seen(found))
    value = {(int(n), float(v)) for n, v in zip(np.ravel(example["instances"]), np.ravel(example["image"][..., 0]))}
    turned_value = {(int(n), float(v)) for n, v in zip(maps.ravel(), np.ravel(found["image"][..., 0]))}
    assert value == turned_value


def test_squares_are_parts_of_the_image_that_depend_on_seed_and_image_alone(example):
    found, again, other = (random_square(example, 32, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(found["image"], again["image"])
    assert not np.array_equal(found["image"], other["image"])
    assert not np.array_equal(found["image"], random_square({**example, "obj_id": tf.constant(8)}, 32, 5)["image"])
    shift = np.array(example["y"] - found["y"])[0], np.array(example["x"] - found["x"])[0]
    row, column = (int(part) for part in shift)
    for name in ("image", "instances"):
        whole = np.array(example[name])[row : row + 32, column : column + 32]
        np.testing.assert_array_equal(found[name], whole)
    box = np.clip(np.array(example["box"]) - np.array([row, column] * 2), -0.5, 31.5)
    np.testing.assert_array_equal(found["box"], box)


def test_every_place_of_a_square_is_drawn(example):
    """Corners are uniform: of 33 x 33 places the lowest and highest rows and columns occur."""
    corners = []
    for number in range(300):
        found = random_square({**example, "obj_id": tf.constant(number)}, 32, 1)
        corners.append([float(example["y"][0] - found["y"][0]), float(example["x"][0] - found["x"][0])])
    corners = np.round(corners)
    assert corners.min() == 0 and corners.max() == 32
    assert np.abs(corners.mean(axis=0) - 16).max() < 4 * 9.5 / np.sqrt(300)  # four standard errors


def test_padded_arrays_hold_the_sources_and_their_visible_pixels(example):
    n = len(example["kind"])
    found = padded(example, n + 3)
    np.testing.assert_array_equal(found["kind"], np.append(example["kind"], [0, 0, 0]))
    assert found["box"].shape == (n + 3, 4) and not np.any(found["is_target"][n:])
    counts = [(np.array(example["instances"]) == k + 1).sum() for k in range(n)]
    np.testing.assert_array_equal(found["n_visible"], [*counts, 0, 0, 0])
