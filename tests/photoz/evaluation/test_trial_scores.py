import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from photoz_morph.photoz.evaluation.trial_scores import score_trials
from photoz_morph.photoz.evaluation.trials import in_region
from tests.support.predictions import FINE_GRID, trial_predictions


def test_scores_and_paired_differences_of_trials():
    reference, worse = trial_predictions(0.01), trial_predictions(0.02, ids=np.arange(0, 1200, 2))  # tests half of them
    trials = [("20 %", worse, FINE_GRID, 240), ("without E(B-V)", worse, FINE_GRID, None)]
    rows = score_trials((reference, FINE_GRID, 960), trials, n_bootstrap=50)
    by_name = {row.name: row for row in rows}
    assert [row.name for row in rows][-1] == "without E(B-V)"  # not in the paper's table
    full, twenty = by_name["80 %"], by_name["20 %"]
    assert (full.n_train, full.n_test, full.difference) == (960, 1200, {})
    z_spec = np.asarray(reference["z_spec"])
    residual = (np.asarray(reference["z_phot"]) - z_spec) / (1 + z_spec)
    assert full.scores["bias"][0] == pytest.approx(residual.mean())
    assert full.scores["eta"][0] == pytest.approx(np.mean(np.abs(residual) > 0.05))
    # The same noise, twice as wide: on the common galaxies the difference is the reference's own score.
    kept = ~in_region(worse["ra"], worse["dec"], "stripes=38-39")
    common = trial_predictions(0.01, ids=np.arange(0, 1200, 2))[kept]
    z_common = np.asarray(common["z_spec"])
    ours = (np.asarray(common["z_phot"]) - z_common) / (1 + z_common)
    theirs = (np.asarray(worse["z_phot"][kept]) - z_common) / (1 + z_common)
    assert twenty.difference["bias"][0] == pytest.approx(theirs.mean() - ours.mean())
    value, error = twenty.difference["sigma_mad"]
    assert value == pytest.approx(median_abs_deviation(theirs, scale="normal")
                                  - median_abs_deviation(ours, scale="normal"), rel=1e-4)  # fmt: skip
    assert value == pytest.approx(median_abs_deviation(ours, scale="normal"), rel=0.1) and value > 5 * error > 0
    # Deep galaxies are twice as precise here, and the widest PDFs are the least precise.
    assert by_name["deep"].scores["sigma_mad"][0] < full.scores["sigma_mad"][0]
    assert by_name["without the widest 20 %"].scores["crps"][0] < full.scores["crps"][0]


def test_trials_resample_parents_and_not_their_copies():
    def row(copies):
        tables = []
        for sigma in (0.01, 0.02):
            table = trial_predictions(sigma)[np.tile(np.arange(1200), copies)]
            table["group_id"], table["obj_id"] = table["obj_id"], np.arange(len(table))
            tables.append(table)
        rows = score_trials((tables[0], FINE_GRID, None), [("20 %", tables[1], FINE_GRID, None)])
        return {row.name: row for row in rows}["20 %"]

    once, twice = row(1), row(2)
    for name in ("bias", "sigma_mad", "crps"):
        assert twice.scores[name][1] == pytest.approx(once.scores[name][1], rel=0.25)  # 3.5 / sqrt(200)
        assert twice.difference[name][1] == pytest.approx(once.difference[name][1], rel=0.25)
