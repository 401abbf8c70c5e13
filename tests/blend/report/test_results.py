from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.blend.report.results import BlendResults, choose_examples
from tests.support.blends import numbered, predicted, random_scenes, toy_results, without_some


@pytest.fixture(scope="module")
def scenes():
    return numbered(random_scenes(9, 3))


def test_the_best_median_and_worst_image_are_those_of_the_mean_iou(scenes):
    predictions = predicted(scenes, without_some)
    examples = choose_examples(predictions, scenes[::-1], -np.inf, 4.0)  # the order of the scenes does not matter
    assert [example["role"] for example in examples] == ["best", "median", "worst"]
    iou = []
    for number, scene in enumerate(scenes):  # all pixels of those that are found, none of the others
        target = np.asarray(scene.truth["is_target"], bool) & (np.asarray(scene.truth["n_visible"]) > 0)
        found = np.arange(len(target)) >= number % 3
        iou.append(found[target].mean() if target.sum() >= 5 else np.nan)
    for example, expected in zip(examples, np.nanquantile(iou, [1, 0.5, 0], method="nearest")):
        assert example["iou"] == pytest.approx(expected)
    worst = examples[-1]
    n_missed = len(worst["scene"].truth) - len(worst["found"])
    assert n_missed == 2 and list(worst["matched"]) == list(range(2, len(worst["scene"].truth)))


def test_sep_beside_networks_is_that_of_the_metric(scenes):
    results = toy_results(scenes[:4])
    other = results.networks["net"] | {"model": "sep"}
    results = replace(results, baselines=results.baselines | {"completeness": other})
    assert list(results.beside("completeness")) == ["net", "sep for completeness"]
    assert list(results.beside("source_iou")) == ["net", "sep for IoU"]
    assert list(results.beside("flux_error")) == ["net", "sep for IoU"]  # the first there is
    assert list(results.columns) == ["net", "sep for IoU", "sep for completeness"]


def test_results_of_different_images_are_refused(scenes):
    results = toy_results(scenes[:4])
    other = results.networks["net"] | {"n_targets": 7}
    with pytest.raises(ValueError, match="sep for IoU: n_targets is 7, that of net is"):
        replace(results, baselines={"source_iou": other}).check()
    with pytest.raises(ValueError, match="no predictions to report; `blend baseline DATASET` makes those of sep"):
        BlendResults({}, {}, [], {}).check()
    with pytest.raises(ValueError, match="5 predictions beside sep; report 4 at most together"):
        replace(results, networks={str(k): results.networks["net"] for k in range(5)}).check()
