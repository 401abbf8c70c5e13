import json
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.blend.deblending_scores import EDGES, evaluate_deblended, middle_detections
from photoz_morph.blend.predictions import blend_predictions
from photoz_morph.blend.scores_table import deblending_markdown
from tests.support.blends import META, blended_scene, deblended_galaxies, numbered, true_detections


def test_errors_are_those_put_in():
    scores = evaluate_deblended(deblended_galaxies(40, flux_error=0.2), n_bootstrap=50)
    for name, n in (("all", 40), ("isolated", 20), ("blended", 20), ("strongly_blended", 20)):
        errors = scores["flux_error"][name]
        assert errors["of_found"]["median"]["value"] == pytest.approx(0.2) and errors["of_found"]["n"] == 3 * n
        assert scores["colour_error"][name]["median_absolute"]["value"] == pytest.approx(0, abs=1e-9)
        assert scores["shape_error"]["size"][name]["median"]["value"] == pytest.approx(0.1)
        assert scores["shape_error"]["e1"][name]["median"]["value"] == pytest.approx(0.02)
    rows = scores["by_blendedness"]["flux_error"]
    assert len(rows) == len(EDGES) - 1 and [row["n"] for row in rows] == [60, 0, 0, 60, 0]
    assert scores["data"] == "simulated" and "coverage" not in scores
    json.dumps(scores, allow_nan=False)


def test_a_galaxy_that_is_not_found_has_no_flux():
    table = deblended_galaxies(4)
    table["flux"][1] = np.nan
    scores = evaluate_deblended(table, n_bootstrap=50)["flux_error"]["all"]
    assert scores["of_found"]["n_missing"] == 3 and scores["of_found"]["mean_absolute"]["value"] == 0
    assert scores["of_all"]["mean_absolute"]["value"] == pytest.approx(1 / 4)


def test_samples_of_the_right_width_cover_what_they_state_and_narrow_ones_do_not():
    right, narrow = (
        evaluate_deblended(deblended_galaxies(300, n_samples=99, sample_sigma=sigma), n_bootstrap=50)["coverage"]
        for sigma in (0.1, 0.05)
    )
    for kind in ("flux", "pixels"):
        for level, score in zip(right["levels"], right[kind]):
            assert score["value"] == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 900))
            assert score["interval"][0] < score["value"] < score["interval"][1]
    # Intervals of half the width hold erf(0.5 / sqrt 2) = 38 % where 68 % are stated.
    assert narrow["flux"][1]["value"] == pytest.approx(0.38, abs=0.07)


def test_detections_of_the_middle_galaxy_stand_beside():
    pairs = [blended_scene(9.0, seed=seed) for seed in range(3)]
    scenes = [replace(scene, truth=scene.truth.copy()) for scene in numbered(pairs)]
    parts = [true_detections(scene) for scene in scenes]
    for number, (table, _) in enumerate(parts):
        table["flux"] = np.asarray(table["flux"]) * (1 + 0.1 * number)
    parts[2] = parts[2][0][1:], np.where(parts[2][1] == 2, 1, 0)  # the middle galaxy of the last one is not found
    ids = [scene.obj_id for scene in scenes]
    predictions = blend_predictions({"obj_id": ids, "group_id": ids}, *zip(*parts), META)
    table = middle_detections(predictions, scenes)
    errors = np.asarray(table["flux"]) / np.asarray(table["true_flux"]) - 1
    np.testing.assert_allclose(errors[:2], [[0, 0], [0.1, 0.1]], atol=1e-6)
    assert np.isnan(errors[2]).all()
    assert evaluate_deblended(table, 50)["shape_error"]["size"]["all"]["median"]["value"] is None
    with pytest.raises(ValueError, match="image 7 has no predictions; predict the images that are scored"):
        middle_detections(predictions, [replace(scenes[0], obj_id=7)])


def test_columns_of_the_table_are_the_scores_side_by_side():
    one, two = deblended_galaxies(20, 0.2), deblended_galaxies(20, n_samples=99)
    lines = deblending_markdown({name: evaluate_deblended(table, 50) for name, table in (("two", two), ("one", one))})
    lines = lines.splitlines()
    assert lines[0].startswith("**lsst_pairs, simulated galaxies** (20 galaxies in the middle; 95 % intervals")
    assert lines[2] == "| score | two | one |"
    (row,) = [line for line in lines if line.startswith("| bias of the flux, all |")]
    assert row.endswith("| 0.200 (0.200 to 0.200) |")
    (row,) = [line for line in lines if line.startswith("| pixels within the interval of 95 % |")]
    assert row.endswith("| - |")


def test_one_image_is_too_few():
    with pytest.raises(ValueError, match="1 images to score; give two or more"):
        evaluate_deblended(deblended_galaxies(1))
