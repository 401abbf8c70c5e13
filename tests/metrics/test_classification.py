import numpy as np
import pytest
from scipy import stats
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
    recall,
    scores,
)
from photoz_morph.metrics.group_errors import group_bootstrap, interval, mcnemar, mcnemar_of_groups


def sample(n=600, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice(n_classes, n, p=[0.5, 0.3, 0.2])
    logits = rng.normal(size=(n, n_classes)) + 1.2 * np.eye(n_classes)[label]
    return label, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


# Scores


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
    majority, share = majority_class(label, 3)
    assert majority == 0 and share == pytest.approx(0.426, abs=5e-4)


@pytest.mark.parametrize(
    ("label", "message"),
    [([0, -1], "1 of 2 are outside 0 to 2, the first is -1"), ([], "at least one galaxy"), ([0.0, 1.0], "float64")],
)
def test_labels_that_are_no_classes_are_refused(label, message):
    with pytest.raises(ValueError, match=message):
        scores(np.array(label), np.full((len(label), 3), 1 / 3))


# Errors over groups


def mean_of(sums):
    return sums[:, 0] / sums[:, 1]


def with_ones(values):
    return np.stack([values, np.ones(len(values))], axis=1)


def test_bootstrap_of_single_galaxies_has_the_binomial_error():
    right = np.random.default_rng(1).random(2000) < 0.7
    resampled = group_bootstrap(mean_of, with_ones(right), np.arange(2000), 4000)
    expected = np.sqrt(right.mean() * (1 - right.mean()) / 2000)
    assert resampled.std() == pytest.approx(expected, rel=0.05)  # 4000 resamples: 1.1 % per sigma
    assert resampled.mean() == pytest.approx(right.mean(), abs=4 * expected / np.sqrt(4000))


def test_copies_of_a_galaxy_make_the_error_no_smaller():
    right = np.random.default_rng(2).random(400) < 0.6
    single = group_bootstrap(mean_of, with_ones(right), np.arange(400), 500).std()
    copies = group_bootstrap(mean_of, with_ones(np.repeat(right, 5)), np.repeat(np.arange(400), 5), 500).std()
    as_if_independent = group_bootstrap(mean_of, with_ones(np.repeat(right, 5)), np.arange(2000), 500).std()
    assert copies == pytest.approx(single, rel=1e-12)
    assert as_if_independent == pytest.approx(single / np.sqrt(5), rel=0.15)


def test_bootstrap_keeps_galaxies_of_a_group_together_in_any_order():
    terms, group_id = np.array([[1.0, 1], [0, 1], [1, 1], [0, 1]]), np.array([7, 3, 7, 3])
    assert set(np.round(group_bootstrap(mean_of, terms, group_id, 200), 12)) == {0, 0.5, 1}  # both groups, or one twice


def test_same_seed_redraws_the_same_groups():
    values, group_id = np.random.default_rng(3).random(300), np.arange(300) // 3
    first, second = (group_bootstrap(mean_of, with_ones(values + shift), group_id, 50) for shift in (0, 0.1))
    np.testing.assert_allclose(second - first, 0.1)
    assert not np.allclose(first, group_bootstrap(mean_of, with_ones(values), group_id, 50, seed=1))


def test_one_group_has_no_bootstrap_error():
    with pytest.raises(ValueError, match="two groups or more, got 1"):
        group_bootstrap(mean_of, np.ones((5, 2)), np.zeros(5, int))


def test_interval_of_one_part_is_that_of_students_t():
    values = np.random.default_rng(4).normal(size=3)
    error = values.std(ddof=1) / np.sqrt(3)
    low, high = stats.t.interval(0.95, 2, values.mean(), error)
    assert interval(values.mean(), [(error, 2)])["interval"] == pytest.approx([low, high])


def test_interval_of_two_parts_is_welchs():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0, 1, 4), rng.normal(0, 3, 6)
    reference = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    parts = [(values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1) for values in (first, second)]
    ours = interval(second.mean() - first.mean(), parts)
    assert ours["interval"] == pytest.approx([reference.low, reference.high])
    assert ours["error"] == pytest.approx(np.hypot(parts[0][0], parts[1][0]))


def test_interval_without_error_is_a_point():
    assert interval(1, [(0.0, 9)]) == {"value": 1.0, "error": 0.0, "interval": [1.0, 1.0]}


# Paired tests


def outcomes(only_first, only_second, both=3):
    first = np.repeat([1, 0, 1], [only_first, only_second, both]).astype(bool)
    return first, np.repeat([0, 1, 1], [only_first, only_second, both]).astype(bool)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(0, 0, 1.0), (1, 5, 2 * (1 + 6) / 64), (5, 1, 2 * (1 + 6) / 64), (0, 10, 2 / 1024), (4, 4, 1.0)],
)
def test_mcnemar_worked_by_hand(only_first, only_second, p_value):
    test = mcnemar(*outcomes(only_first, only_second))
    assert (test["only_first"], test["only_second"]) == (only_first, only_second)
    assert test["p_value"] == pytest.approx(p_value)


def test_mcnemar_of_many_galaxies_is_the_chi_squared_test():
    chi_squared = (abs(250 - 310) - 1) ** 2 / (250 + 310)  # with Edwards's correction
    assert mcnemar(*outcomes(250, 310))["p_value"] == pytest.approx(stats.chi2.sf(chi_squared, 1), rel=0.02)


def test_mcnemar_is_no_better_for_copies_when_groups_vote():
    first, second = outcomes(1, 5)
    copies = [np.repeat(right, 4)[:, None] for right in (first, second)]
    groups = mcnemar_of_groups(*copies, np.repeat(np.arange(len(first)), 4))
    assert groups == mcnemar(first, second)
    assert mcnemar(copies[0][:, 0], copies[1][:, 0])["p_value"] < groups["p_value"] / 10


def test_seeds_that_cancel_within_a_group_are_no_vote():
    first = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0]], bool)  # one group: means 2/3, 1/3, 1/3
    second = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0]], bool)  # 1/3, 2/3, 1/3
    assert mcnemar_of_groups(first, second, [4, 4, 4]) == {"only_first": 0, "only_second": 0, "p_value": 1.0}
