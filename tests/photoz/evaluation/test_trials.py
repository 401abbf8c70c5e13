import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.trial_scores import score_trials
from photoz_morph.photoz.evaluation.trials import (
    PAPER_TABLE_2,
    in_region,
    name_of_trial,
    narrowest,
    select,
    trial_samples,
)
from photoz_morph.photoz.report.tables.trials import missing_trials, table_1, table_2, table_2_csv
from tests.support.predictions import FINE_GRID, trial_predictions


def test_depth_needs_ten_frames_in_every_band_and_nan_is_neither():
    n_frames = np.array([[10, 12, 10], [10, 9, 10], [1, 2, 1], [np.nan, 20, 20]])
    np.testing.assert_array_equal(at_depth(n_frames, "deep"), [True, False, False, False])
    np.testing.assert_array_equal(at_depth(n_frames, "shallow"), [False, True, True, False])
    assert at_depth(n_frames, "all").all()


def test_regions_are_stripes_or_boxes_across_ra_zero():
    ra, dec = np.array([355.0, 5, 15, 5, 185]), np.array([0.0, 1.0, 0, -10, 0])
    np.testing.assert_array_equal(in_region(ra, dec, "ra=350-10 dec=-1.25-1.25"), [True, True, False, False, False])
    np.testing.assert_array_equal(in_region(ra, dec, "ra=0-10.5 dec=-20--5"), [False, False, False, True, False])
    np.testing.assert_array_equal(in_region(ra, dec, "stripes=10-10"), [False, False, False, False, True])
    for text, message in (("stripes=39-38", "write stripes=38-39"), ("ra=0-1 dec=5-1", "the first dec is above"),
                          ("ra=1.2.3-4 dec=0-1", "is neither like")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            in_region(ra, dec, text)
    with pytest.raises(ValueError, match="region 'north' is neither like stripes=38-39 nor like"):
        in_region(ra, dec, "north")


def test_the_widest_are_left_out():
    width = np.random.default_rng(1).permutation(100) + 1.0
    kept = narrowest(width, 0.1)
    assert kept.sum() == 90 and width[kept].max() == 90
    assert narrowest(width, 0).all()
    width[:10] = np.nan  # flagged
    assert narrowest(width, 0.5).sum() == 45 and not narrowest(width, 0.5)[:10].any()


def test_name_of_a_trial_is_what_its_config_changes():
    def name(*overrides):
        return name_of_trial(load_config("photoz_simulated.yaml", PhotozConfig, overrides))

    assert name() == "80 %" and name("data.train_fraction=0.02") == "2 %" and name("data.train_on=deep") == "deep"
    assert name("model.with_ebv=false", "data.train_fraction=0.5") == "50 %, without E(B-V)"


def test_rows_of_a_run_are_those_of_the_paper_and_leave_the_zone_out():
    table = trial_predictions(0.01)
    box = "ra=100-150 dec=0-60"
    zone = in_region(table["ra"], table["dec"], box)
    samples = trial_samples(table, "80 %", box)
    assert list(samples) == [name for name in PAPER_TABLE_2 if name in samples] and len(samples) == 6
    assert samples["80 %"].all() and np.array_equal(samples["without zone"], ~zone)
    for name in list(samples)[2:]:
        assert not (samples[name] & zone).any()
    assert samples["without the widest 20 %"].sum() == pytest.approx(0.8 * (~zone).sum(), abs=1)
    assert np.array_equal(samples["deep"], ~zone & (np.arange(len(table)) % 4 == 0))
    pair = trial_samples(table, "shallow", box)
    assert list(pair) == ["trained on shallow, tested on shallow", "trained on shallow, tested on deep"]
    assert (pair["trained on shallow, tested on shallow"] ^ pair["trained on shallow, tested on deep"] ^ zone).all()
    assert "without zone" not in trial_samples(table, "80 %", "stripes=100-101")
    unknown = Table(table, copy=True)
    unknown.replace_column("n_frames", np.full((len(table), 5), np.nan))
    assert "deep" not in trial_samples(unknown, "80 %", box) and not trial_samples(unknown, "deep", box)


def test_a_choice_that_the_table_cannot_make_is_refused():
    table = trial_predictions(0.01, n=100)
    table.remove_columns(["n_frames", "ra"])
    with pytest.raises(ValueError, match="no column n_frames, ra, which the selection of galaxies needs"):
        select(table, "deep", "stripes=38-39")
    assert select(table, widest_removed=0.25).sum() == 75


def test_tables_say_whose_each_row_is_and_which_rows_are_missing():
    reference = trial_predictions(0.01)
    rows = score_trials((reference, FINE_GRID, 960), n_bootstrap=10)
    page = table_2(rows, "simulated", "stripes=38-39")
    assert page.count("paper, real") == len(rows) == page.count("this run, simulated")
    assert "0.00912" in page and "393,219" in page and "are not comparable" in page
    assert "2 %" in missing_trials(rows) and "80 %;" not in missing_trials(rows)
    text = table_2_csv(rows, "simulated")
    names, first = (line.split(",") for line in text.splitlines()[:2])
    assert len(names) == len(first) and first[:2] == ["simulated", '"80 %"'] and first[3] == "1200"
    scores = {"mean": {"n_folds": 5} | {name: {"value": 0.01, "sd_over_folds": 0.001}
                                        for name in ("bias", "sigma_mad", "eta")}}  # fmt: skip
    page = table_1(scores, "real")
    assert "0.00912 ± 0.00002" in page and "1.00 ± 0.10" in page and "not comparable" not in page


def test_numbers_of_the_paper_are_consistent_with_each_other():
    # Pasquet et al. (2019), Sec. 2: 516,525 galaxies of which 20,000 validate; 80 % and the test fold are the rest.
    assert PAPER_TABLE_2["80 %"].n_train + 20000 + PAPER_TABLE_2["80 %"].n_test == 516525
    widest = PAPER_TABLE_2["without zone"].n_test
    assert PAPER_TABLE_2["without the widest 10 %"].n_test == pytest.approx(0.9 * widest, rel=0.003)
    deep, every_deep = (PAPER_TABLE_2[f"trained on {depth}, tested on deep"] for depth in ("deep", "shallow"))
    assert deep.n_train + deep.n_test == pytest.approx(every_deep.n_test, abs=1)


def test_the_widest_are_those_of_the_galaxies_that_the_region_leaves():
    n = 200
    inside = np.arange(n) % 2 == 1
    width = np.where(inside, 10.0, np.arange(n) / n)  # all that is wide lies in the region
    table = Table({"ra": np.where(inside, 120.0, 200.0), "dec": np.full(n, 10.0), "z_lower": np.zeros(n),
                   "z_upper": width})  # fmt: skip
    chosen = select(table, without_region="ra=100-150 dec=0-60", widest_removed=0.1)
    assert chosen.sum() == 90 and not chosen[inside].any() and width[chosen].max() < width[~inside & ~chosen].min()
