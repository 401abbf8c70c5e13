import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import vstack

from photoz_morph.blend.evaluation import BLENDEDNESS, MAG_EDGES, evaluate_blend
from photoz_morph.blend.predictions import blend_predictions
from photoz_morph.blend.scores_table import scores_markdown
from tests.support.blends import META, numbered, random_scenes, true_detections


@pytest.fixture(scope="module")
def scenes():
    """Eight scenes whose sources are all targets."""
    scenes = [scene for scene in random_scenes(16, 0) if np.all(scene.truth["is_target"])]
    return numbered(scenes[:8])


def scores_of(scenes, change=lambda number, table, segmentation: (table, segmentation)):
    """Scores of the truth, changed image by image."""
    parts = [change(number, *true_detections(scene)) for number, scene in enumerate(scenes)]
    ids = [scene.obj_id for scene in scenes]
    predictions = blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), META)
    return evaluate_blend(predictions, scenes, n_bootstrap=50)


def test_the_truth_itself_has_the_best_scores(scenes):
    scores = scores_of(scenes)
    n = sum(len(scene.truth) for scene in scenes)
    assert (scores["n_targets"], scores["n_sources"], scores["n_detections"], scores["n_images"]) == (n, n, n, 8)
    for name in BLENDEDNESS:
        assert scores["completeness"][name]["value"] == scores["source_iou"][name]["value"] == 1
        assert scores["flux_error"][name]["of_all"]["median_absolute"]["value"] == pytest.approx(0, abs=1e-6)
        assert scores["colour_error"][name]["sigma_mad"]["value"] == pytest.approx(0, abs=1e-6)
    assert scores["completeness"]["all"]["n"] == n > scores["completeness"]["blended"]["n"] > 0
    for name in ("ap50", "ap", "precision_at_80_recall", "foreground_iou"):
        assert scores[name]["value"] == pytest.approx(1) and scores[name]["interval"] == pytest.approx([1, 1])
    found = {name: score["value"] for name, score in scores["class_iou"].items()}
    assert found == {"background": 1, "star": 1, "spheroid": None, "disk": 1, "merger": None, "mean": 1}
    assert {score["value"] for score in scores["by_magnitude"]["completeness"]} == {1, None}
    assert scores["data"] == "simulated" and scores["model"] == "truth"
    json.dumps(scores, allow_nan=False)


def test_a_source_that_is_missed_costs_its_share(scenes):
    def without_first(number, table, segmentation):
        if number > 0:
            return table, segmentation
        return table[1:], np.where(segmentation > 0, segmentation - 1, 0)

    scores = scores_of(scenes, without_first)
    n = scores["n_targets"]
    assert scores["completeness"]["all"]["value"] == pytest.approx(1 - 1 / n)
    low, high = scores["completeness"]["all"]["interval"]
    assert low < 1 - 1 / n < high == 1
    assert scores["source_iou"]["all"]["value"] == pytest.approx(1 - 1 / n)
    assert scores["ap50"]["value"] == pytest.approx(1 - 1 / n, abs=0.01)  # read off at 101 recalls
    assert scores["every_detection"]["purity"]["value"] == 1
    errors = scores["flux_error"]["all"]
    assert errors["of_found"]["n_missing"] == 2 and errors["of_all"]["n_missing"] == 0  # bands
    assert errors["of_all"]["mean_absolute"]["value"] == pytest.approx(1 / n)
    mag = scenes[0].truth["mags"][0, 1]
    row = int(np.searchsorted(MAG_EDGES, mag) - 1)
    assert scores["by_magnitude"]["completeness"][row]["value"] < 1
    kind = {1: "star", 3: "disk"}[int(scenes[0].truth["kind"][0])]
    pixels = sum(np.isin(scene.instances, np.flatnonzero(scene.truth["kind"] == scenes[0].truth["kind"][0]) + 1).sum()
                 for scene in scenes)  # fmt: skip
    missed = (scenes[0].instances == 1).sum()
    assert scores["class_iou"][kind]["value"] == pytest.approx(1 - missed / pixels)


def test_false_detections_cost_purity_and_push_the_threshold_up(scenes):
    faint = min(scene.truth["snr"].min() for scene in scenes)

    def with_false_ones(number, table, segmentation):
        far = table[:1].copy()
        far["y"], far["x"], far["box"] = 1.0, 1.0, [[0.5, 0.5, 2.5, 2.5]]
        far["score"] = 2 * faint
        return vstack([table, far]), segmentation

    scores = scores_of(scenes, with_false_ones)
    n, n_images = scores["n_targets"], len(scenes)
    assert scores["every_detection"]["purity"]["value"] == pytest.approx(n / (n + n_images))
    assert scores["every_detection"]["completeness"]["value"] == 1
    assert scores["score_threshold"] > 2 * faint and scores["purity_at_threshold"]["all"]["value"] == 1
    above = np.concatenate([scene.truth["snr"] for scene in scenes]) > 2 * faint
    assert scores["completeness"]["all"]["value"] == pytest.approx(above.mean())


def test_errors_of_flux_and_colour_are_those_put_in(scenes):
    def brighter(number, table, segmentation):
        table["flux"] *= [1.1, 1.1 * 10**-0.08]  # 0.2 mag bluer
        return table, segmentation

    scores = scores_of(scenes, brighter)
    assert scores["colour_error"]["all"]["median"]["value"] == pytest.approx(-0.2)
    expected = (0.1 + (1 - 1.1 * 10**-0.08)) / 2
    assert scores["flux_error"]["all"]["of_found"]["mean_absolute"]["value"] == pytest.approx(expected, rel=1e-5)


def test_columns_of_the_table_are_the_scores_side_by_side(scenes):
    scores = scores_of(scenes)
    lines = scores_markdown({"one": scores, "two": scores}).splitlines()
    assert lines[0].startswith("**gaussians, simulated galaxies** (8 images, ") and lines[2] == "| score | one | two |"
    assert "| AP50 of boxes | 1.000 (1.000 to 1.000) | 1.000 (1.000 to 1.000) |" in lines
    assert "| IoU of pixels, star | 1.000 (1.000 to 1.000) | 1.000 (1.000 to 1.000) |" in lines
    assert not any("merger" in line for line in lines)


def test_images_that_are_not_those_of_the_predictions_are_refused(scenes):
    parts = [true_detections(scene) for scene in scenes[:3]]
    ids = [scene.obj_id for scene in scenes[:3]]
    predictions = blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), META)
    with pytest.raises(ValueError, match="image 103 has no predictions"):
        evaluate_blend(predictions, scenes)
    with pytest.raises(ValueError, match="1 images with predictions are not there, the first is 102"):
        evaluate_blend(predictions, scenes[:2])
    blind = [replace(scene, truth=scene.truth.copy()) for scene in scenes[:3]]
    for scene in blind:
        scene.truth["is_target"] = False
    with pytest.raises(ValueError, match="no target among the"):
        evaluate_blend(predictions, blind)
