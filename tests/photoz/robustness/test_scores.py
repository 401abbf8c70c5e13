import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.photoz.robustness.scores import (
    compare_victims,
    median_size,
    moved_curve,
    moved_fractions,
    sizes_of,
)


def attacked(electrons, group_id=None):
    """An attack that moves galaxies by so many electrons; NaN where it does not."""
    electrons = np.asarray(electrons, float)
    n = len(electrons)
    return Table({
        "obj_id": np.arange(n), "group_id": np.arange(n) if group_id is None else group_id,
        "moved": np.isfinite(electrons), "electrons": electrons, "sigma": electrons / 100,
    })  # fmt: skip


def test_the_curve_is_the_distribution_of_the_smallest_changes():
    table = attacked([100, 300, 300, np.nan, 1000])
    points, fraction, low, high = moved_curve(table, "electrons")
    assert points.tolist() == [100, 300, 1000] and fraction.tolist() == pytest.approx([0.2, 0.6, 0.8])
    assert np.all((low <= fraction) & (fraction <= high) & (low < high))
    assert moved_curve(table, "sigma")[0].tolist() == [1, 3, 10]
    assert sizes_of(table, "electrons")[3] == np.inf
    assert len(moved_curve(attacked([np.nan] * 3), "electrons")[0]) == 0


def test_intervals_resample_parents_and_are_wider_for_copies():
    # Forty galaxies of ten parents that behave alike: the error is that of ten.
    electrons = np.where(np.arange(10) % 2, 100.0, np.nan)
    own, copies = attacked(electrons), attacked(np.repeat(electrons, 4), np.repeat(np.arange(10), 4))
    apart = attacked(np.repeat(electrons, 4))
    widths = [float(np.ptp(moved_fractions(table, "electrons", 200)[1:])) for table in (own, copies, apart)]
    assert widths[1] == pytest.approx(widths[0], abs=0.01) and widths[2] < 0.7 * widths[1]


def test_a_fraction_of_none_or_all_has_an_interval():
    fraction, low, high = moved_fractions(attacked([100.0] * 20), "electrons", [50, 200])
    assert fraction.tolist() == [0, 1]
    # Wilson: 1.96^2 / (20 + 1.96^2).
    assert high[0] == pytest.approx(0.161, abs=1e-3) and low[1] == pytest.approx(0.839, abs=1e-3)


def test_the_median_counts_galaxies_that_were_not_moved():
    found = median_size(attacked([*range(100, 160), *[np.nan] * 40]), "electrons")
    assert found["value"] == 150 and found["interval"][0] < 150 < found["interval"][1]
    assert median_size(attacked([1.0, np.nan, np.nan]), "electrons")["value"] == np.inf


def test_victims_are_compared_on_the_galaxies_they_share():
    first, second = attacked([200.0, 400, 600, np.nan]), attacked([100.0, 200, 300, 50, 10])
    found = compare_victims(first, second, "electrons", [150, 1000])
    assert found["n_galaxies"] == 4 and found["harder"] == [4, 0] and found["ratio"] == pytest.approx(2)
    assert found["difference"].tolist() == pytest.approx([0.5, 0.25])
    assert np.all(found["low"] <= found["difference"]) and np.all(found["difference"] <= found["high"])
    nowhere = compare_victims(attacked([np.nan] * 2), attacked([np.nan] * 2), "electrons", [1])
    assert np.isnan(nowhere["ratio"]) and nowhere["difference"] == [0]
