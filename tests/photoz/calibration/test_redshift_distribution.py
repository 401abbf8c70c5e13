import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st
from scipy.stats import norm

from photoz_morph.photoz.calibration.redshift_distribution import (
    read_target,
    reweighted,
    target_weights,
    training_counts,
)
from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.miscalibrated import GRID


def write(path, z=(0.0, 0.4), nz=(1.0, 1.0), **columns):
    Table({"z": z, "nz": nz, **columns}).write(path, overwrite=True)
    return path


def test_a_target_is_the_integral_of_its_lines_over_the_bins(tmp_path):
    grid = RedshiftGrid(0.0, 0.4, 4)
    triangle = read_target(write(tmp_path / "nz.csv", [0.1, 0.2, 0.4], [0.0, 5.0, 0.0]), grid)
    np.testing.assert_allclose(triangle, [0, 0.25 / 0.75, 0.375 / 0.75, 0.125 / 0.75], atol=1e-4)
    inside = read_target(write(tmp_path / "nz.fits", [0.15, 0.25], [2.0, 2.0]), grid)  # 0 outside its rows
    np.testing.assert_allclose(inside, [0, 0.5, 0.5, 0], atol=1e-4)


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"z": [0.1, np.nan], "nz": [1, 1]}, "row 2 has z nan and nz 1.0; give finite z and nz of 0 or more"),
        ({"z": [0.1, 0.2], "nz": [1, -1]}, "row 2 has z 0.2 and nz -1.0"),
        ({"z": [0.2, 0.2], "nz": [1, 1]}, r"z does not increase at row 2 \(0.2 after 0.2\); sort it"),
        ({"z": [0.2], "nz": [1]}, "two rows or more"),
        ({"z": [1.0, 2.0], "nz": [1, 1]}, "no galaxy between z 0 and 0.4"),
        ({"z": [0.1, 0.2], "nz": [0, 0]}, "no galaxy between z 0 and 0.4"),
        ({"z": ["low", "high"], "nz": [1, 1]}, "are numbers"),
        ({"z": [0.1, 0.2], "n": [1, 1]}, "has no column nz; a target n.z. has z and nz"),
    ],
)
def test_what_is_no_target_is_named(tmp_path, columns, message):
    path = tmp_path / "nz.csv"
    Table(columns).write(path)
    with pytest.raises(ValueError, match=message) as error:
        read_target(path, GRID)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_missing_target_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nz.csv: no such file; give a target n"):
        read_target(tmp_path / "nz.csv", GRID)


@limited(max_examples=40)
@given(st.binary(max_size=300), st.sampled_from(["csv", "fits", "parquet"]))
def test_any_file_is_a_target_or_an_error_of_one_line(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("nz") / f"nz.{suffix}"
    path.write_bytes((b"z,nz\n" if suffix == "csv" else b"") + content)
    try:
        assert read_target(path, GRID).sum() == pytest.approx(1)
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_bayes_theorem_holds_for_a_population_of_another_redshift_distribution():
    # Signals x = z + noise; the posterior for each prior is known.
    rng = np.random.default_rng(8)
    z_train, z_target = rng.normal(0.15, 0.04, 200_000), rng.normal(0.2, 0.03, 2000)
    x = z_target + 0.03 * rng.normal(size=2000)
    counts = training_counts(np.clip(z_train, 0, 0.4), GRID)

    def posterior(centre, width):
        logs = norm.logpdf(x[:, None], GRID.midpoints, 0.03) + norm.logpdf(GRID.midpoints, centre, width)
        pdf = np.exp(logs - logs.max(axis=1, keepdims=True))
        return pdf / pdf.sum(axis=1, keepdims=True)

    target = np.diff(norm.cdf((GRID.edges - 0.2) / 0.03))
    found = reweighted(posterior(0.15, 0.04), target_weights(target / target.sum(), counts, GRID))
    expected = posterior(0.2, 0.03)
    assert np.abs(GRID.expectation(posterior(0.15, 0.04)) - GRID.expectation(expected)).mean() > 0.01
    off = np.abs(GRID.cdf(found) - GRID.cdf(expected)).max(axis=1)  # from the smoothed counts of training galaxies
    assert np.median(off) < 0.01 and off.max() < 0.06


def test_the_training_distribution_itself_changes_little_and_weights_average_to_one():
    rng = np.random.default_rng(9)
    counts = training_counts(np.clip(rng.normal(0.15, 0.04, 50_000), 0, 0.4), GRID)
    weights = target_weights(counts / counts.sum(), counts, GRID)
    assert np.average(weights, weights=counts) == pytest.approx(1)
    np.testing.assert_allclose(weights[counts > 500], 1, atol=0.15)  # the noise of 500 galaxies and the smoothing


def test_a_target_where_nothing_was_trained_is_refused():
    counts = training_counts(np.full(1000, 0.1), GRID) + training_counts(np.linspace(0.05, 0.2, 1000), GRID)
    target = np.zeros(180)
    target[150] = 1
    with pytest.raises(ValueError, match="nz.csv: 100 % of the target n.z. is at redshifts without training galaxies"):
        target_weights(target, counts, GRID, "nz.csv")


def test_a_pdf_outside_the_target_stays_as_it_is():
    pdf = np.eye(4)[[0, 2]]
    np.testing.assert_array_equal(reweighted(pdf, np.array([0, 0, 2.0, 1])), pdf)
