from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.blend.maps.scores import answers_markdown, evaluate_answers
from photoz_morph.runs.scores import write_scores
from tests.support.maps import toy_predictions, toy_truth


@pytest.mark.parametrize("answer", ["maps", "field", "parameters"])
def test_explained_variance_is_one_minus_the_error_over_the_scatter(answer, tmp_path):
    truth = toy_truth(answer, n=20)
    found = toy_predictions(truth)
    scores = evaluate_answers(found, truth, 100)
    assert tuple(scores["scores"]) == truth.names and scores["answer"] == answer
    assert (scores["data"], scores["n_images"], scores["n_groups"]) == ("simulated", 20, 10)
    true, given = truth.values, found.posterior[..., 0] if answer == "parameters" else found.maps
    if answer != "parameters":
        true, given = true[truth.inside], given[truth.inside]
    for column, name in enumerate(truth.names):
        error = given[:, column] - true[:, column]
        score = scores["scores"][name]["r2"]
        assert score["value"] == pytest.approx(1 - np.mean(error**2) / np.var(true[:, column]), abs=1e-3)
        assert score["interval"][0] <= score["value"] <= score["interval"][1]
    write_scores(scores, tmp_path / "scores.json")  # without a number that JSON does not have
    text = answers_markdown({"net": scores, "other": scores})
    assert f"| {truth.names[0]}: explained variance | " in text and text.count("| net | other |") == 1


def test_pixels_in_holes_and_scales_have_scores_of_their_own():
    truth = toy_truth("field")
    hidden = truth.images[..., 1] == 0
    maps = truth.values.copy()
    maps[hidden] = 0
    found = replace(toy_predictions(truth), maps=maps)
    scores = evaluate_answers(found, truth, 50)
    assert scores["hidden"]["field"]["r2"]["value"] == pytest.approx(0, abs=0.02)
    assert scores["scores"]["field"]["r2"]["value"] == pytest.approx(1 - hidden.mean(), abs=0.03)
    assert "field: explained variance, pixels in holes" in answers_markdown({"net": scores})
    by_scale = scores["by_scale"]
    assert len(by_scale["k"]) == len(by_scale["correlation"]) == len(by_scale["transfer"])
    perfect = evaluate_answers(replace(found, maps=truth.values), truth, 50)["by_scale"]
    assert [score["value"] for score in perfect["correlation"]] == pytest.approx([1] * len(perfect["k"]))
    everywhere = replace(truth, images=np.ones_like(truth.images))
    assert "hidden" not in evaluate_answers(found, everywhere, 50)


def test_images_may_come_in_any_order_but_must_be_the_same():
    truth = toy_truth("maps")
    order = np.random.default_rng(1).permutation(12)
    names = ("images", "values", "inside", "obj_id", "group_id")
    other = replace(truth, **{name: getattr(truth, name)[order] for name in names})
    found = toy_predictions(truth)
    value, same = (evaluate_answers(found, of, 20)["scores"]["age"]["scatter"]["value"] for of in (truth, other))
    assert value == pytest.approx(same)
    with pytest.raises(ValueError, match="12 predictions for 12 images, image 999 has none; predict the images"):
        evaluate_answers(found, replace(truth, obj_id=np.append(truth.obj_id[:-1], 999)), 20)
    with pytest.raises(ValueError, match=r"predictions are of maps \(mass,.*\), the dataset is asked for field"):
        evaluate_answers(found, toy_truth("field"), 20)
