import numpy as np
import pytest

from photoz_morph.morph.robustness.perturbation_scores import (
    clean_scores,
    corruption_error,
    mean_scores,
    read_perturbations,
    severity_scores,
    write_perturbations,
)


def result(n_right, group_id=(0, 1, 2, 3), seed=0, label=(0, 1, 2, 0), n_right_clean=(2, 2, 2, 2)):
    """Results of two networks on four galaxies under kinds of two severities."""
    kinds = {}
    for name, rows in n_right.items():
        right = [np.stack([np.asarray(row) > network for network in range(2)], axis=1) for row in rows]
        scores = [severity_scores(part, np.ones((4, 2)), part, group_id) for part in right]
        kinds[name] = {"severities": [{"severity": i, **score} for i, score in enumerate(scores)]}
    galaxies = {"obj_id": [1, 2, 3, 4], "copy": [0] * 4, "group_id": list(group_id), "label": list(label)}
    clean = clean_scores(np.stack([np.asarray(n_right_clean) > network for network in range(2)], axis=1), group_id)
    return {"settings": {"networks": ["a", "b"], "seed": seed}, "galaxies": galaxies, "clean": clean, "kinds": kinds,
            "mean": None}  # fmt: skip


def test_scores_by_hand():
    right = np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool)
    clean = np.array([[1, 1], [1, 1], [0, 1], [1, 0]], bool)
    same = np.array([[1, 1], [1, 0], [1, 0], [1, 0]], bool)
    scores = severity_scores(right, clean, same, np.arange(4))
    assert scores["networks"] == [0.75, 0.25] and scores["n_right"] == [2, 1, 0, 1]
    assert scores["accuracy"]["value"] == 0.5 and scores["fall"]["value"] == 0.25
    assert scores["flip_rate"]["value"] == 3 / 8
    # Of the networks alone: 0.354 / sqrt(2) = 0.25. Galaxies: sd 0.354 (n) / sqrt(4) = 0.177. Together 0.306.
    assert scores["accuracy"]["error"] == pytest.approx(0.306, rel=0.05)


def test_means_give_every_kind_the_same_weight():
    part = result({"a": [[2, 2, 2, 2]], "b": [[2, 2, 0, 0], [0, 0, 0, 0]]})
    means = mean_scores(part)
    assert means["accuracy"] == pytest.approx((1 + 0.25) / 2) == means["relative_accuracy"]
    assert means["kinds"] == ["a", "b"] and means["flip_rate"] == pytest.approx(0.375)


def test_corruption_error_of_hendrycks_and_dietterich():
    # Errors of the run: a 1/8 + 3/8, b 1/2; of the reference: a 1/4 + 3/4, b 1/4. CE 1/2 and 2, mean 1.25.
    run = result({"a": [[2, 2, 2, 1], [2, 1, 1, 1]], "b": [[2, 2, 0, 0]]})
    reference = result({"a": [[2, 2, 1, 1], [1, 1, 0, 0]], "b": [[2, 2, 1, 1]]})
    error = corruption_error(run, reference)
    assert [error["kinds"][name]["value"] for name in "ab"] == pytest.approx([0.5, 2.0])
    assert error["mean"]["value"] == pytest.approx(1.25)
    low, high = error["mean"]["interval"]
    assert low < 1.25 < high
    same = corruption_error(run, run)
    assert same["mean"] == {"value": 1.0, "interval": [1.0, 1.0]}  # paired: no noise of its own
    assert same["fall_difference"] == {"value": 0.0, "interval": [0.0, 0.0]}


def test_a_run_that_is_worse_may_fall_less():
    # Errors of the run: clean 1/2, then 1/2; of the reference: clean 0, then 1/4.
    run = result({"a": [[2, 2, 0, 0], [0, 0, 2, 2]]}, n_right_clean=(2, 0, 2, 0))
    reference = result({"a": [[2, 2, 1, 1], [2, 2, 2, 0]]})
    error = corruption_error(run, reference)
    assert error["mean"]["value"] == pytest.approx(2) and error["falls"] == pytest.approx([0, 0.25])
    assert error["fall_difference"]["value"] == pytest.approx(-0.25)


def test_corruption_error_refuses_what_cannot_be_compared():
    run = result({"a": [[2, 2, 2, 1]]})
    with pytest.raises(ValueError, match="seeds 0 and 1"):
        corruption_error(run, result({"a": [[2, 2, 2, 1]]}, seed=1))
    with pytest.raises(ValueError, match="different galaxies or labels"):
        corruption_error(run, result({"a": [[2, 2, 2, 1]]}, label=(1, 1, 2, 0)))
    with pytest.raises(ValueError, match="no kind of perturbation in common"):
        corruption_error(run, result({"b": [[2, 2, 2, 1]]}))
    with pytest.raises(ValueError, match=r"a: severities are \[0\] and \[0, 1\]"):
        corruption_error(run, result({"a": [[2, 2, 2, 1], [1, 1, 1, 1]]}))
    faultless = corruption_error(run, result({"a": [[2, 2, 2, 2]]}))
    assert faultless["kinds"]["a"] == {"value": None, "interval": None} == faultless["mean"]


def test_scores_come_back_as_written(tmp_path):
    run = result({"a": [[2, 2, 2, 1]]})
    write_perturbations(run, tmp_path / "perturbations.json")
    assert read_perturbations(tmp_path / "perturbations.json") == run
    (tmp_path / "perturbations.json").write_text("[1]")
    with pytest.raises(ValueError, match="perturbations.json: has no settings, .*; run `morph perturb --overwrite`"):
        read_perturbations(tmp_path / "perturbations.json")
    with pytest.raises(FileNotFoundError, match="no such file; run `morph perturb"):
        read_perturbations(tmp_path / "none.json")


@pytest.mark.parametrize("views", [4, 9])
def test_errors_are_wider_by_the_root_of_the_group_size(views):
    """Views that fare alike under a perturbation, counted as groups and one by one."""
    right = np.repeat(np.random.default_rng(0).random((200, 1)) < 0.6, views, axis=0)
    groups, alone = np.repeat(np.arange(200), views), np.arange(200 * views)
    scores = [severity_scores(right, np.ones_like(right), right, group_id) for group_id in (groups, alone)]
    for name in ("accuracy", "fall", "flip_rate"):
        ratio = scores[0][name]["error"] / scores[1][name]["error"]
        assert ratio == pytest.approx(np.sqrt(views), rel=0.1)  # 1,000 resamples know each error to 2 %

    def run_of(right, group_id):
        n = len(right)
        galaxies = {"obj_id": list(range(n)), "copy": [0] * n, "label": [0] * n, "group_id": group_id.tolist()}
        kinds = {"a": {"severities": [{"severity": 1, "n_right": right[:, 0].astype(int).tolist()}]}}
        return {"settings": {"networks": ["x"], "seed": 0}, "galaxies": galaxies, "kinds": kinds,
                "clean": {"n_right": [1] * n}}  # fmt: skip

    reference = np.repeat(np.random.default_rng(1).random((200, 1)) < 0.5, views, axis=0)
    errors = [corruption_error(run_of(right, ids), run_of(reference, ids)) for ids in (groups, alone)]
    for name in ("mean", "fall_difference"):
        widths = [np.ptp(error[name]["interval"]) for error in errors]
        assert widths[0] / widths[1] == pytest.approx(np.sqrt(views), rel=0.15)
