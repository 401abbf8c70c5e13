import json

import numpy as np
import pytest

from photoz_morph.photoz.evaluation.learning_curve import NETWORK, SizedRun, learning_curve
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import predictions_table, write_predictions
from photoz_morph.surveys import SDSS
from tests.support.reports import GRID


def table(sigma, ids, model="toy", origin="simulated", seed=0):
    """Predictions of galaxies whose errors are a property of their number, two galaxies to a parent."""
    rng = np.random.default_rng(seed)
    z_spec, error = rng.uniform(0.05, 0.3, 1000)[ids], rng.normal(size=1000)[ids]
    pdf = np.exp(-0.5 * ((GRID.midpoints - (z_spec + sigma * error)[:, None]) / sigma) ** 2)
    columns = {"obj_id": np.asarray(ids), "group_id": np.asarray(ids) // 2, "z_spec": z_spec}
    return predictions_table(columns, pdf / pdf.sum(axis=1, keepdims=True), GRID, SDSS, origin, model)


def run(folder, ids, network, **others):
    """A run folder of a network with that sigma, and of other methods by the names of their files."""
    folder.mkdir()
    write_predictions(table(network, ids), folder / "predictions.fits")
    for name, sigma in others.items():
        write_predictions(table(sigma, ids, name), folder / f"{name}.fits")
    return folder


@pytest.fixture
def runs(tmp_path):
    """Three sizes, given in disorder; the tests of the smallest are the first 300 galaxies of the others."""
    few, many = np.arange(300), np.arange(700)
    return [
        SizedRun(run(tmp_path / "b", many, 0.012, knn=0.013, bound_pixels=0.009), 10_000),
        SizedRun(run(tmp_path / "a", few, 0.015, knn=0.014, bound_pixels=0.010), 2_000),
        SizedRun(run(tmp_path / "c", many, 0.010, knn=0.0129, mlp=0.012), 50_000),
    ]


def test_sizes_come_in_order_with_all_their_methods(runs):
    curve = learning_curve(runs, n_bootstrap=20)
    assert json.loads(json.dumps(curve)) == curve and "group_id" in curve["resampled"]
    assert [size["n_training"] for size in curve["sizes"]] == [2_000, 10_000, 50_000]
    assert [size["n_galaxies"] for size in curve["sizes"]] == [300, 700, 700]
    assert [size["n_groups"] for size in curve["sizes"]] == [150, 350, 350]
    first, last = curve["sizes"][0], curve["sizes"][-1]
    assert first["kinds"] == {NETWORK: "run", "knn": "baseline", "bound_pixels": "bound"}
    assert set(last["kinds"]) == {NETWORK, "knn", "mlp"}
    expected = evaluate(table(0.015, np.arange(300)), GRID, n_bootstrap=20)["all"]["sigma_mad"]
    assert first["methods"][NETWORK]["sigma_mad"] == expected
    assert first["differences"]["knn"]["sigma_mad"]["value"] < 0 < last["differences"]["knn"]["sigma_mad"]["value"]


def test_sizes_are_compared_on_the_galaxies_in_common(runs):
    shared = learning_curve(runs, n_bootstrap=50)["shared"]
    assert shared["n_galaxies"] == 300 and shared["n_groups"] == 150
    assert set(shared["methods"]) == {NETWORK, "knn"}  # of all three
    values = [scores["sigma_mad"]["value"] for scores in shared["methods"][NETWORK]]
    expected = [evaluate(table(sigma, np.arange(300)), GRID, 10)["all"]["sigma_mad"]["value"]
                for sigma in (0.015, 0.012, 0.010)]  # fmt: skip
    np.testing.assert_allclose(values, expected)
    # The errors of a galaxy are the same but for their scale: paired, they nearly cancel.
    difference = shared["differences"][NETWORK][1]["sigma_mad"]
    assert difference["value"] == pytest.approx(values[2] - values[0])
    assert difference["error"] < 0.6 * shared["methods"][NETWORK][0]["sigma_mad"]["error"]
    assert difference["interval"][1] < 0


def test_runs_without_common_galaxies_are_not_paired(tmp_path):
    apart = [SizedRun(run(tmp_path / "a", np.arange(100), 0.01, knn=0.02), 100),
             SizedRun(run(tmp_path / "b", np.arange(100, 300), 0.01, knn=0.02), 200)]  # fmt: skip
    curve = learning_curve(apart, n_bootstrap=5)
    assert curve["shared"] is None and len(curve["sizes"]) == 2


def test_what_makes_no_curve_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="two sizes of training sets or more, got 10,000"):
        learning_curve(runs[:1])
    with pytest.raises(ValueError, match="two sizes of training sets or more, got 10,000, 10,000"):
        learning_curve([runs[0], SizedRun(runs[1].run_dir, 10_000)])
    with pytest.raises(ValueError, match="given twice"):
        learning_curve([runs[0], SizedRun(runs[0].run_dir, 5)])
    bare = SizedRun(run(tmp_path / "bare", np.arange(50), 0.01), 7)
    with pytest.raises(ValueError, match="bare: has no baseline beside its predictions; make them with `photoz"):
        learning_curve([runs[0], bare])
    real = run(tmp_path / "real", np.arange(50), 0.01)
    for name, model in (("predictions", "toy"), ("knn", "knn")):
        write_predictions(table(0.01, np.arange(50), model, origin="stacked"), real / f"{name}.fits")
    with pytest.raises(ValueError, match="simulated and real galaxies cannot be shown in one learning curve"):
        learning_curve([runs[0], SizedRun(real, 7)], 5)
