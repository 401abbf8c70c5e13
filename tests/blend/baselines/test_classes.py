import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend.baselines.classes import (
    class_measurements,
    class_probabilities,
    fit_classes,
    matched_classes,
)
from photoz_morph.blend.baselines.detection import SepSettings
from photoz_morph.blend.baselines.photometry import measured_sources
from photoz_morph.metrics.segmentation import class_confusion, class_iou, class_map
from tests.support.blends import random_scenes

SETTINGS = SepSettings(threshold=1.2, deblend_cont=0.001)


def catalogues(scenes):
    tables, maps = zip(*(measured_sources(scene.image, scene.sigma, SETTINGS) for scene in scenes))
    return list(tables), maps


@pytest.fixture(scope="module")
def trained():
    scenes = random_scenes(50, 0)
    tables, _ = catalogues(scenes)
    label = np.concatenate(matched_classes(tables, [scene.truth for scene in scenes], 4.0))
    return fit_classes(np.concatenate([class_measurements(table) for table in tables]), label)


def test_classes_of_new_sources_are_recognised(trained):
    scenes = random_scenes(25, 1)
    tables, maps = catalogues(scenes)
    label = np.concatenate(matched_classes(tables, [scene.truth for scene in scenes], 4.0))
    probability = class_probabilities(trained, np.concatenate([class_measurements(table) for table in tables]), 5)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert not probability[:, [0, 2, 4]].any()  # never seen
    known = label > 0
    assert np.mean(probability.argmax(axis=1)[known] == label[known]) > 0.85
    # The class map is as good as the segments and the classes together allow.
    confusion = np.zeros((5, 5))
    for scene, table, own in zip(scenes, tables, maps):
        found = class_probabilities(trained, class_measurements(table), 5).argmax(axis=1)
        truth = class_map(scene.instances, scene.truth["kind"])
        confusion += class_confusion(truth, class_map(own, found), 5)
    assert (class_iou(confusion)[[1, 3]] > 0.5).all()


def test_a_source_takes_the_class_of_its_match_alone():
    truths = [{"y": np.array([10.0, 30]), "x": np.array([10.0, 30]), "kind": np.array([1, 3])}]
    table = Table({"y": [50.0, 30.5, 10], "x": [50.0, 30, 11], "score": [9.0, 8, 7]})
    assert matched_classes([table], truths, 2.0)[0].tolist() == [-1, 3, 1]
    none = [{"y": np.zeros(0), "x": np.zeros(0), "kind": np.zeros(0, int)}]
    assert matched_classes([table], none, 2.0)[0].tolist() == [-1, -1, -1]


def test_training_is_reproducible_and_measurements_have_no_unit_but_the_flux(trained):
    scene = random_scenes(1, 3)[0]
    measured, brighter = (
        class_measurements(measured_sources(factor * scene.image, factor * scene.sigma, SETTINGS)[0])
        for factor in (1, 100)
    )
    expected = measured + 2 * (np.arange(measured.shape[1]) < 2)  # log10 of the fluxes
    np.testing.assert_allclose(brighter, expected, atol=1e-3)
    rng = np.random.default_rng(0)
    sample, label = rng.normal(size=(100, 4)), rng.integers(1, 3, 100)
    one, same, other = (class_probabilities(fit_classes(sample, label, seed), sample, 3) for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_images_without_sources_have_measurements_of_none(trained):
    table, segmentation = measured_sources(np.zeros((30, 30, 2)), np.ones(2), SETTINGS)
    measured = class_measurements(table)
    assert measured.shape == (0, trained.n_features_in_)
    assert class_probabilities(trained, measured, 5).shape == (0, 5)
    assert not class_map(segmentation, []).any()


def test_too_few_sources_to_learn_from_are_refused():
    with pytest.raises(ValueError, match="needs 40 training sources or more of two classes or more, got 2 of 2"):
        fit_classes(np.zeros((3, 2)), np.array([1, 3, -1]))
