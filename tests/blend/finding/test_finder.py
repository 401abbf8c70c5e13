import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.blend.config import BlendConfig, FieldNetworkConfig
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.blend.finding.finder import SourceFinder
from photoz_morph.blend.predictions import blend_predictions
from photoz_morph.blend.samples.squares import OF_SOURCES, padded
from photoz_morph.blend.samples.targets import pixel_targets, region_targets
from tests.support.blends import META, SIGMA, numbered, random_scenes


@pytest.fixture(scope="module")
def scenes():
    """Scenes whose sources are all targets, with eight rows of them at most."""
    scenes = [scene for scene in random_scenes(12, 5) if np.all(scene.truth["is_target"])]
    return numbered(scenes[:6])


def batch_of(scenes):
    """What `samples.batches` makes of the scenes."""
    kinds = {"y": tf.float32, "x": tf.float32, "box": tf.float32, "kind": tf.int64, "is_target": tf.bool}
    rows = []
    for scene in scenes:
        columns = {name: tf.constant(np.asarray(scene.truth[name]), kinds[name]) for name in OF_SOURCES}
        maps = {"image": tf.constant(scene.image), "instances": tf.constant(scene.instances)}
        rows.append(padded({**maps, **columns}, 8))
    return {name: tf.stack([row[name] for row in rows]) for name in rows[0]}


def scores_of(find, scenes):
    """Scores of what a finder finds."""
    parts = find(np.stack([scene.image for scene in scenes]))
    ids = [scene.obj_id for scene in scenes]
    predictions = blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), META)
    return evaluate_blend(predictions, scenes, n_bootstrap=20)


def test_the_right_maps_of_a_unet_give_back_sources_pixels_classes_and_most_of_the_light(scenes):
    truth = pixel_targets(batch_of(scenes))

    def network(inputs, training):
        """The right outputs as logits."""
        return {
            "semantic": 20 * tf.one_hot(truth["semantic"], 5), "heat": tf.where(truth["heat"] == 1, 10.0, -10.0),
            **{name: tf.where(tf.math.is_nan(truth[name]), 1.0, truth[name]) for name in ("distances", "offsets")},
        }  # fmt: skip

    scores = scores_of(SourceFinder([network], BlendConfig(), SIGMA), scenes)
    assert scores["n_detections"] == scores["n_targets"]
    assert scores["completeness"]["all"]["value"] == scores["ap50"]["value"] == 1
    assert scores["source_iou"]["all"]["value"] == pytest.approx(1) and scores["class_iou"]["mean"]["value"] == 1
    # The sources are Gaussians, not exponential disks.
    assert scores["flux_error"]["all"]["of_found"]["median_absolute"]["value"] < 0.2
    assert scores["colour_error"]["all"]["median_absolute"]["value"] < 0.1


def test_the_right_boxes_give_most_pixels_to_their_sources(scenes):
    truth = region_targets(batch_of(scenes))

    def network(inputs, training):
        """The right boxes as those of a Faster R-CNN."""
        classes = tf.cast(truth["classes"], tf.int32)
        return {
            "boxes": truth["boxes"], "scores": tf.where(classes > 0, 0.9, 0.0), "is_valid": classes > 0,
            "classes": classes, "probabilities": 0.9 * tf.one_hot(classes, 5) + 0.02,
        }  # fmt: skip

    config = BlendConfig(model=FieldNetworkConfig(name="faster_rcnn"))
    scores = scores_of(SourceFinder([network], config, SIGMA), scenes)
    assert scores["completeness"]["all"]["value"] == scores["ap"]["value"] == 1
    assert scores["source_iou"]["all"]["value"] > 0.75 and scores["foreground_iou"]["value"] > 0.8
    assert scores["flux_error"]["all"]["of_found"]["median_absolute"]["value"] < 0.2


def test_boxes_end_where_the_image_does():
    def network(inputs, training):
        heat = tf.tensor_scatter_nd_update(tf.fill((1, 16, 16, 1), -10.0), [[0, 2, 14, 0]], [3.0])
        semantic = tf.tile(tf.constant([[[[0.0, 5, 0, 0, 0]]]]), (1, 16, 16, 1))
        return {"semantic": semantic, "heat": heat, "distances": tf.fill((1, 16, 16, 4), 4.0),
                "offsets": tf.zeros((1, 16, 16, 2))}  # fmt: skip

    ((table, segmentation),) = SourceFinder([network], BlendConfig(), SIGMA)(np.ones((1, 16, 16, 2), np.float32))
    np.testing.assert_array_equal(table["box"], [[-0.5, 10, 6, 15.5]])
    assert segmentation.min() == segmentation.max() == 1 and table["n_visible"][0] == 256
