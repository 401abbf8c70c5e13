import numpy as np
import tensorflow as tf

from photoz_morph.blend.config import BlendConfig, FieldNetworkConfig
from photoz_morph.blend.samples.targets import INDIFFERENT, cell_targets, pixel_targets, region_targets, target_function
from photoz_morph.models.detection.losses import HeatMapLoss

BOXES = [[1.5, 2.5, 6.5, 7.5], [9.5, 8.5, 14.5, 15.5], [4.5, 10.5, 7.5, 13.5], [np.nan] * 4]


def batch():
    """One image: a star that is asked for, a galaxy that is asked for, one that is too faint, one without a pixel."""
    instances = np.zeros((16, 16), int)
    instances[2:7, 3:8], instances[10:15, 9:16], instances[5:8, 11:14] = 1, 2, 3
    return {
        "image": tf.zeros((1, 16, 16, 3)), "instances": tf.constant(instances[None]),
        "y": tf.constant([[4.2, 12.0, 6.0, 2.0]]), "x": tf.constant([[4.9, 12.1, 12.0, 2.0]]),
        "box": tf.constant([BOXES], tf.float32), "kind": tf.constant([[1, 3, 2, 3]], tf.int64),
        "is_target": tf.constant([[True, True, False, False]]), "n_visible": tf.constant([[25, 35, 9, 0]]),
    }  # fmt: skip


def test_maps_of_a_unet():
    found = {name: np.array(values)[0] for name, values in pixel_targets(batch()).items()}
    instances = np.array(batch()["instances"])[0]
    np.testing.assert_array_equal(found["semantic"], np.array([0, 1, 3, 2])[instances])
    assert np.argwhere(found["heat"][..., 0] == 1).tolist() == [[4, 5], [12, 12]]
    assert found["heat"][6, 12, 0] == np.float32(INDIFFERENT)
    known = np.argwhere(np.isfinite(found["distances"]).all(axis=-1))
    assert known.tolist() == [[4, 5], [12, 12]]
    np.testing.assert_allclose(found["distances"][4, 5], [2.5, 2.5, 2.5, 2.5])
    np.testing.assert_allclose(found["distances"][12, 12], [2.5, 3.5, 2.5, 3.5])
    np.testing.assert_allclose(found["offsets"][2, 3], [2.2, 1.9], rtol=1e-5)
    assert np.array_equal(np.isnan(found["offsets"]).all(axis=-1), instances == 0)


def test_a_unet_may_say_what_it_likes_at_a_source_that_is_not_asked_for():
    truth = pixel_targets(batch())["heat"]
    logits = np.full((1, 16, 16, 1), -6.0, np.float32)
    logits[0, [4, 12], [5, 12]] = 6
    without, with_faint, with_false = logits, logits.copy(), logits.copy()
    with_faint[0, 6, 12], with_false[0, 2, 12] = 6, 6
    loss = [float(HeatMapLoss()(truth, each)) for each in (without, with_faint, with_false)]
    assert abs(loss[1] - loss[0]) < 1e-4 and loss[2] - loss[0] > 1


def test_cells_and_regions_have_what_is_asked_for():
    cells = np.array(cell_targets(batch(), 4))[0]
    assert np.argwhere(cells[..., 0] == 1).tolist() == [[1, 1], [3, 3]]
    np.testing.assert_allclose(cells[3, 3], [1, *BOXES[1], 3])
    regions = {name: np.array(values)[0] for name, values in region_targets(batch()).items()}
    assert regions["classes"].tolist() == [1, 3, 0, 0]
    np.testing.assert_allclose(regions["boxes"], [*BOXES[:2], [0] * 4, [0] * 4])
    np.testing.assert_array_equal(regions["sources"], np.array(batch()["instances"])[0])


def test_a_source_of_which_too_little_is_left_in_the_square_is_not_asked_for():
    cut = {**batch(), "n_visible": tf.constant([[4, 5, 9, 0]])}
    assert np.array(region_targets(cut)["classes"])[0].tolist() == [0, 3, 0, 0]
    assert (np.array(pixel_targets(cut)["heat"]) == 1).sum() == 1


def test_every_network_that_finds_sources_has_its_targets():
    for name, expected in (("unet", pixel_targets), ("faster_rcnn", region_targets), ("mask_rcnn", region_targets)):
        assert target_function(BlendConfig(model=FieldNetworkConfig(name=name))) is expected
    of_cells = target_function(BlendConfig(model=FieldNetworkConfig(name="grid_detector", stride=2)))
    assert of_cells(batch()).shape == (1, 8, 8, 6)
