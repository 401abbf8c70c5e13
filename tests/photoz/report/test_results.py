import numpy as np
import pytest

from photoz_morph.photoz.evaluation import run_scores
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.photoz.report.results import n_training, networks_of, read_results
from photoz_morph.photoz.report_run import current_results
from tests.support.reports import photoz_predictions, photoz_run, report_text


def test_truncated_history_is_named(tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    path = run / "fold_1" / "member_0" / "history.csv"
    path.write_text(path.read_text()[:-25])
    with pytest.raises(ValueError, match="fold_1/member_0/history.csv: not a history of losses, or truncated"):
        current_results(run)


@pytest.fixture
def results(tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions(n_flagged=20))
    return read_results(run, read_predictions(run / "predictions.fits"), {"n_galaxies": 280})


def test_reading_a_run_writes_nothing_and_takes_the_scores_it_is_given(results):
    assert results.scores == {"n_galaxies": 280}
    assert not (results.run_dir / "scores.json").exists()


def test_table_holds_the_scored_galaxies_and_histories_every_member(results):
    assert list(results.table["obj_id"]) == list(range(20, 300))
    assert list(results.histories) == [(0, 0), (1, 0)] and results.folds == [0, 1]
    np.testing.assert_array_equal(results.histories[1, 0]["validation_loss"], [4.1, 3.6])
    assert results.networks == "1 x 2 folds" and results.baseline is None


def test_galaxies_are_named_by_kind_and_survey(results):
    assert (results.is_real, results.galaxies, results.title) == (
        False, "simulated SDSS galaxies", "Simulated SDSS galaxies"
    )  # fmt: skip
    results.table.meta["origin"] = "stacked"
    assert results.galaxies == "real SDSS galaxies"


def test_redshift_axes_end_at_the_next_tenth_but_not_beyond_the_grid(results):
    assert results.z_max == pytest.approx(0.4)  # z_spec below 0.3, z_phot a little above
    results.table["z_spec"][0] = 3.0
    assert results.z_max == results.grid.z_max


def test_training_sizes_are_averaged_over_folds_of_the_last_session():
    assert n_training([{"n_training": [5]}, {"n_training": [10, 20]}]) == 15
    assert n_training([]) is None and n_training([{}]) is None


def test_networks_are_counted_by_folds():
    assert networks_of({0: ["a", "b"], 3: ["c"]}) == "2 x 2 folds"
    assert networks_of({0: ["a"]}) == "1 x 1 fold"


def test_member_without_an_epoch_is_named_with_what_to_do(results):
    path = results.run_dir / "fold_0" / "member_0" / "history.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="missing, or it has no epoch; remove .*member_0 and run the same"):
        read_results(results.run_dir, (results.table, results.grid), {})


def test_the_magnitude_is_petro_r_or_else_that_of_the_reference_band_without_dust(results):
    magnitudes, band = results.magnitudes
    assert band == "r"
    np.testing.assert_array_equal(magnitudes, results.table["petro_r"])
    results.table["petro_r"] = np.nan
    results.table["mags"] = np.tile([20.0, 19.0, 18.0, 17.5, 17.0], (len(results.table), 1))
    results.table["ebv"] = 0.1
    magnitudes, band = results.magnitudes
    assert band == "r"
    np.testing.assert_allclose(magnitudes, 18 - 0.1 * 2.751)
    results.table.remove_column("mags")
    assert np.isnan(results.magnitudes[0]).all()


def test_a_report_on_a_run_too_large_for_memory_says_that_it_shows_a_sample(tmp_path, monkeypatch, undrawn):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    assert "random sample of" not in report_text(run)
    (run / "scores.json").unlink()
    monkeypatch.setattr(run_scores, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(run_scores.read_together, "__defaults__", (200,))
    text = report_text(run)
    assert "Scores are of all" in text and "random sample of" in text and "their errors are those of the sample" in text
