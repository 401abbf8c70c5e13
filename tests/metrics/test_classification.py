import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from photoz_morph.metrics.classification import (
    accuracy,
    brier,
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    f1,
    galaxy_terms,
    macro_f1,
    majority_class,
    precision,
    predicted_class,
    recall,
    scores,
)


def sample(n=600, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice(n_classes, n, p=[0.5, 0.3, 0.2])
    logits = rng.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[label]
    return label, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_confusion_matrix_has_the_truth_in_rows():
    matrix = confusion_matrix(np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 1, 0]), 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scikit_learn(seed):
    label, probability = sample(seed=seed)
    predicted = probability.argmax(axis=1)
    ours = scores(label, probability)
    reference = sklearn_metrics.precision_recall_fscore_support(label, predicted, average="weighted")[:3]
    np.testing.assert_allclose([ours["precision"], ours["recall"], ours["f1"]], reference, rtol=1e-12)
    assert ours["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(label, predicted))
    assert ours["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(label, predicted, average="macro"))
    assert ours["brier"] == pytest.approx(
        sum(np.mean((probability[:, k] - (label == k)) ** 2) for k in range(3))  # Brier's sum over classes
    )
    np.testing.assert_array_equal(
        confusion_matrix(label, predicted, 3), sklearn_metrics.confusion_matrix(label, predicted)
    )


def test_scores_of_a_class_that_is_never_given_are_zero_as_in_scikit_learn():
    label, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    matrix = confusion_matrix(label, predicted, 3)
    ours = precision(matrix), recall(matrix), f1(matrix)
    reference = sklearn_metrics.precision_recall_fscore_support(label, predicted, average="weighted", zero_division=0)
    np.testing.assert_allclose(ours, reference[:3])
    assert macro_f1(matrix) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)  # F1: 2*1/(1+2), 2*1/(3+1), nothing


def test_accuracies_of_the_released_test_set():
    # Ciprijanovic et al. (2021), Table 1: 4850 and 2879 of 6715 right give the 0.72 and 0.43 printed there.
    for right, printed in ((4850, "0.72"), (2879, "0.43")):
        assert f"{accuracy(np.array([[right, 6715 - right], [0, 0]])):.2f}" == printed


def test_accuracy_works_on_stacks_of_matrices():
    label, probability = sample()
    half = confusion_matrix(label[:300], probability[:300].argmax(axis=1), 3)
    whole = confusion_matrix(label, probability.argmax(axis=1), 3)
    for score in (accuracy, precision, recall, f1, macro_f1):
        np.testing.assert_allclose(score(np.stack([half, whole])), [score(half), score(whole)])


def test_brier_of_certainty_and_ignorance():
    label = np.array([0, 1, 2])
    for probability, expected in ((np.eye(3), 0), (np.roll(np.eye(3), 1, axis=1), 2), (np.full((3, 3), 1 / 3), 2 / 3)):
        assert brier(galaxy_terms(label, probability)["brier"].sum(axis=0)) == pytest.approx(expected)


def test_calibration_error_worked_by_hand():
    # Four galaxies at confidence 0.9 of which three are right, one at 0.6 that is wrong, in bins of 0.1.
    probability = np.array([[0.9, 0.1, 0]] * 4 + [[0.6, 0.4, 0]])
    bins = calibration_bins(np.array([0, 0, 0, 1, 1]), probability, n_bins=10)
    np.testing.assert_allclose(bins[[8, 5]], [[4, 3.6, 3], [1, 0.6, 0]])
    assert expected_calibration_error(bins) == pytest.approx(4 / 5 * 0.15 + 1 / 5 * 0.6)


def test_calibration_error_falls_to_zero_for_true_probabilities():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), 200_000)
    label = (rng.random(len(probability))[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    # By chance sqrt(2 p (1 - p) / (pi n)) in each of 15 bins: about 0.003.
    assert scores(label, probability)["ece"] < 0.006
    assert scores(label, np.eye(3)[probability.argmax(axis=1)])["ece"] == pytest.approx(
        1 - np.mean(label == probability.argmax(axis=1))
    )


def test_majority_class_is_that_of_the_released_test_set():
    label = np.repeat([0, 1, 2], [2863, 1631, 2221])
    majority, fraction = majority_class(label, 3)
    assert majority == 0 and fraction == pytest.approx(0.426, abs=5e-4)


@pytest.mark.parametrize(
    ("label", "message"),
    [([0, -1], "1 of 2 are outside 0 to 2, the first is -1"), ([], "at least one galaxy"), ([0.0, 1.0], "float64")],
)
def test_labels_that_are_no_classes_are_refused(label, message):
    with pytest.raises(ValueError, match=message):
        scores(np.array(label), np.full((len(label), 3), 1 / 3))


def test_the_class_of_nan_is_none():
    probability = np.array([[[0.1, 0.7, 0.2], [np.nan, np.nan, np.nan]], [[0.9, np.nan, 0.1], [1, 0, 0]]])
    assert predicted_class(probability).tolist() == [[1, -1], [-1, 0]]


def test_probabilities_of_nan_are_not_scored_as_the_first_class():
    with pytest.raises(ValueError, match="probability: 3 of 6 values are not finite; leave flagged galaxies out"):
        scores(np.array([0, 1]), np.array([[np.nan] * 3, [0, 1, 0]]))
