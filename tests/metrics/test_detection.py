import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from photoz_morph.metrics.detection import (
    COCO_DETECTIONS,
    COCO_THRESHOLDS,
    average_precision,
    box_overlap,
    match_images,
    precision_at_recall,
)
from photoz_morph.metrics.group_errors import group_weights


def random_boxes(n, rng, size=64):
    corner, side = rng.uniform(-0.5, size - 12, (n, 2)), rng.uniform(4, 20, (n, 2))
    return np.concatenate([corner, corner + side], axis=1)


def random_images(n_images, seed, n_truths=12, with_regions=False):
    """Truths of two classes, of which some are no targets, and detections: shaken truths, doubles and noise."""
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for _ in range(n_images):
        n = rng.integers(0, n_truths)
        boxes = random_boxes(n, rng)
        doubled = np.concatenate([boxes, boxes[: n // 3]])
        near = doubled + rng.normal(0, 1.5, doubled.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        found = np.concatenate([near, random_boxes(rng.integers(0, 8), rng)])
        label = np.concatenate([rng.integers(1, 3, n), rng.integers(1, 3, len(found) - n)])
        score = np.round(rng.random(len(found)), 2)  # with ties
        detections.append({"box": found, "score": score, "kind": label})
        is_region = (rng.random(n) < 0.15) & with_regions
        truths.append({
            "box": boxes, "kind": label[:n], "is_target": (rng.random(n) < 0.7) & ~is_region, "is_region": is_region,
        })  # fmt: skip
    return detections, truths


def coco_box(box):
    """Box as x, y, width, height."""
    return [box[1], box[0], box[3] - box[1], box[2] - box[0]]


def coco_evaluation(detections, truths, label, max_detections=COCO_DETECTIONS):
    """pycocotools' precision, shape (n_t, 101): regions are crowds, what is no target is too large to count."""
    annotations, found = [], []
    for image, (detected, truth) in enumerate(zip(detections, truths), start=1):
        for row in np.flatnonzero((truth["kind"] == label) | truth["is_region"]):
            counts = truth["is_target"][row] or truth["is_region"][row]
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": 1, "bbox": coco_box(truth["box"][row]),
                "iscrowd": int(truth["is_region"][row]), "area": 1.0 if counts else 1e11,
            })  # fmt: skip
        for row in np.flatnonzero(detected["kind"] == label):
            box, score = coco_box(detected["box"][row]), detected["score"][row]
            found.append({"image_id": image, "category_id": 1, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {}, "images": [{"id": image + 1} for image in range(len(truths))], "annotations": annotations,
            "categories": [{"id": 1}],
        }  # fmt: skip
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.params.maxDets = [1, 2, max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, 0, 0, -1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_regions", [False, True])
def test_average_precision_is_that_of_pycocotools(seed, with_regions):
    detections, truths = random_images(25, seed, with_regions=with_regions)
    for label in (1, 2):
        expected = coco_evaluation(detections, truths, label)
        matches = match_images(detections, truths, label=label, max_detections=COCO_DETECTIONS)
        np.testing.assert_allclose(average_precision(matches), expected.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(precision_at_recall(matches), expected[:, 80], atol=1e-9)
        assert 0.05 < average_precision(matches)[0] < 0.95  # neither all nor nothing is found


def test_the_number_of_detections_of_an_image_is_limited_as_in_pycocotools():
    detections, truths = random_images(15, 3)
    expected = coco_evaluation(detections, truths, 1, max_detections=4).mean(axis=1)
    limited = average_precision(match_images(detections, truths, label=1, max_detections=4))
    np.testing.assert_allclose(limited, expected, atol=1e-9)
    assert limited[0] < average_precision(match_images(detections, truths, label=1))[0]


def test_average_precision_worked_by_hand():
    # Two truths; detections by score: true, false (a double of the first), true. Recall 1/2, 1/2, 1; precision 1, 1/2,
    # 2/3, so the envelope is 1 up to recall 0.5 (51 of 101 values) and 2/3 beyond (50).
    boxes = np.array([[-0.5, -0.5, 9.5, 9.5], [19.5, 19.5, 29.5, 29.5]])
    truths = [{"box": boxes}]
    detections = [{"box": boxes[[1, 0, 0]], "score": np.array([0.2, 0.9, 0.5])}]
    matches = match_images(detections, truths, [0.5])
    assert average_precision(matches)[0] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert precision_at_recall(matches, 0.8)[0] == pytest.approx(2 / 3)
    assert precision_at_recall(matches, 0.5)[0] == pytest.approx(1)


def test_overlap_of_boxes_by_hand():
    box = np.array([[0.0, 0, 2, 2]])
    others = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [0, 0, 4, 4], [2, 2, 3, 3], [5, 5, 6, 6]])
    np.testing.assert_allclose(box_overlap(box, others)[0], [1, 1 / 7, 4 / 16, 0, 0])
    np.testing.assert_allclose(box_overlap(box, others, np.ones(5, bool))[0], [1, 1 / 4, 1, 0, 0])


def test_positions_are_matched_one_to_one_within_the_radius():
    truths = [{"y": np.array([10.0, 14]), "x": np.array([10.0, 10]), "is_target": np.array([True, False])}]
    detections = [{
        "y": np.array([11.0, 10, 14.5, 30]), "x": np.array([10.0, 10, 10, 30]), "score": np.array([4.0, 3, 2, 1]),
    }]  # fmt: skip
    matches = match_images(detections, truths, [0.5, 2], by="position")
    # Within half a pixel the second detection has the target, the third the truth that is none; within two pixels the
    # first comes before the second.
    assert matches.truth.tolist() == [[-1, 0, 1, -1], [0, -1, 1, -1]]
    assert matches.is_true.sum(axis=1).tolist() == [1, 1] and matches.is_ignored.sum(axis=1).tolist() == [1, 1]
    assert matches.found_at[:, 0].tolist() == [3, 4]


def test_weighted_images_give_the_score_of_repeated_images():
    detections, truths = random_images(8, 5)
    weights, rng = np.array([2, 0, 1, 3, 1, 0, 1, 2]), np.random.default_rng(0)
    repeated = np.repeat(np.arange(8), weights)
    for table in detections:  # no ties between images, whose order would matter
        table["score"] = table["score"] + rng.uniform(0, 0.005, len(table["score"]))
    matches = match_images(detections, truths)
    twice = match_images([detections[i] for i in repeated], [truths[i] for i in repeated])
    np.testing.assert_allclose(average_precision(matches, weights), average_precision(twice), atol=1e-12)
    np.testing.assert_allclose(
        average_precision(matches, np.stack([weights, np.ones(8)]))[1], average_precision(matches), atol=1e-12
    )


def test_bootstrap_error_is_the_scatter_over_new_samples_of_images():
    values, errors = [], []
    for seed in range(30):
        matches = match_images(*random_images(60, seed), [0.5])
        values.append(average_precision(matches)[0])
        if seed < 3:
            resampled = average_precision(matches, group_weights(np.arange(60), 100))
            errors.append(np.std(resampled))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)  # the scatter of 30 is known to 13 %


def test_images_without_truths_or_detections_are_scored():
    empty = {"box": np.zeros((0, 4)), "score": np.zeros(0)}
    nothing = match_images([empty], [{"box": np.zeros((0, 4))}])
    assert np.isnan(average_precision(nothing)).all()
    missed = match_images([empty], [{"box": np.array([[0, 0, 3, 3.0]])}])
    assert average_precision(missed).tolist() == [0] * len(COCO_THRESHOLDS)


def test_bad_tables_are_refused():
    box, one = np.array([[0, 0, 3, 3.0]]), {"box": np.array([[0, 0, 3, 3.0]])}
    with pytest.raises(ValueError, match="2 images with detections but 1 with truths"):
        match_images([one, one], [one])
    with pytest.raises(ValueError, match="image 0: 1 of 1 scores are NaN; leave them out"):
        match_images([{"box": box, "score": [np.nan]}], [one])
    with pytest.raises(ValueError, match="by is 'boxes'"):
        match_images([{"box": box, "score": [1]}], [one], by="boxes")
    with pytest.raises(ValueError, match="no image is given"):
        match_images([], [])
