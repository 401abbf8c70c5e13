import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import norm

from photoz_morph.photoz.formats.compact import compact, compact_errors, expand, score_bounds
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()


def table_of(pdf, **columns):
    return predictions_table({"obj_id": np.arange(len(pdf)), **columns}, pdf, GRID, SDSS, "simulated")


def gaussians(n=300, seed=0):
    rng = np.random.default_rng(seed)
    peak, width = rng.uniform(0, 0.4, (n, 1)), rng.uniform(0.002, 0.05, (n, 1))
    pdf = np.diff(norm.cdf(GRID.edges, peak, width), axis=1)
    return pdf / pdf.sum(axis=1, keepdims=True)


def hard_pdfs():
    """All that quantisation could stumble over: needles, a half and a half, flat, noise, long wings, a single bin."""
    rng = np.random.default_rng(1)
    needles, halves = np.eye(180)[[0, 90, 179]], np.zeros((3, 180))
    halves[:, [3, 170]] = 0.5
    halves[1, 3] += 1e-4
    halves[2, :] = 0.5 / 179
    halves[2, 60] = 0.5
    wings = 1 / (1 + (np.arange(180) - 60) ** 2)[None] ** 0.6
    pdf = np.concatenate([needles, halves, np.full((1, 180), 1.0), wings, rng.dirichlet(np.full(180, 0.02), 60),
                          rng.dirichlet(np.ones(180), 60)])  # fmt: skip
    return pdf / pdf.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("max_cdf_error, dtype", [(2.5e-3, np.uint8), (1e-3, np.uint8), (9e-4, np.uint16),
                                                  (1e-4, np.uint16), (1e-5, np.uint16)])  # fmt: skip
def test_cdf_is_nowhere_further_off_than_promised(max_cdf_error, dtype):
    table = table_of(np.concatenate([hard_pdfs(), gaussians()]))
    coded = compact(table, GRID, max_cdf_error)
    assert coded["pdf_code"].dtype == dtype and "pdf" not in coded.colnames and "pdf" in table.colnames
    pdf = np.asarray(expand(coded)["pdf"])
    assert pdf.dtype == np.float32 and pdf.min() >= 0
    np.testing.assert_allclose(pdf.sum(axis=1), 1, atol=1e-6)
    off = np.abs(np.cumsum(pdf, axis=1, dtype=float) - np.cumsum(table["pdf"], axis=1, dtype=float))
    assert 0.3 * max_cdf_error < off.max() <= max_cdf_error  # and it is used


def test_codes_of_a_pdf_worked_by_hand():
    # One byte, step 2 (1e-3 - 2e-7): with knee 6 code 254 is step 251 = 0.5019, above 1/2 and rounding; not with 7.
    pdf = np.zeros((1, 180))
    pdf[0, 10:14] = [0.0002, 0.2, 0.7, 0.0998]
    coded = compact(table_of(pdf), GRID, 1e-3)
    step, knee = coded.meta["pdf_step"], coded.meta["pdf_knee"]
    assert knee == 6 and step == pytest.approx(1.9996e-3)
    # 0.0002 is nearest to step / 12, code 1; 0.2 and what that left over is 100.04 steps, code 103; 0.0998 is 49.91.
    assert coded["pdf_code"][0, 10:14].tolist() == [1, 103, 255, 53]
    expected = [step / 12, step * 100, 1 - step * (1 / 12 + 100 + 50), step * 50]
    np.testing.assert_allclose(expand(coded)["pdf"][0, 10:14], expected, rtol=1e-6)


@pytest.mark.parametrize("suffix", ["fits", "parquet"])
def test_compact_file_comes_back_on_the_same_grid(tmp_path, suffix):
    pdf = gaussians()
    pdf[4] = np.nan
    table = table_of(pdf, flag=(np.arange(300) == 9).astype(np.int16))  # flagged, but with a PDF
    sizes = {}
    for max_cdf_error in (None, 1e-3, 1e-4):
        path = tmp_path / f"{max_cdf_error}.{suffix}"
        write_predictions(table, path, max_cdf_error)
        sizes[max_cdf_error] = path.stat().st_size / 300
        back, grid = read_predictions(path)
        assert grid == GRID and back.colnames == table.colnames
        assert back.meta.get("cdf_err") == max_cdf_error
        np.testing.assert_array_equal(np.asarray(back["z_phot"]), np.asarray(table["z_phot"]))  # of the exact PDFs
        assert np.isnan(back["pdf"][4]).all() and np.isfinite(back["pdf"][9]).all()
    assert sizes[1e-3] < sizes[1e-4] < sizes[None] and sizes[1e-3] < sizes[None] / 3


def test_header_says_form_and_error(tmp_path):
    write_predictions(table_of(gaussians(20)), tmp_path / "p.fits", 1e-3)
    header = fits.getheader(tmp_path / "p.fits", "PREDICTIONS")
    assert header["CDF_ERR"] == 1e-3 and header["PDF_KNEE"] == 6 and "step*k^2/(2*knee)" in header["PDF_FORM"]


def test_rounding_of_two_conversions_adds_up(tmp_path):
    table = table_of(gaussians(50))
    once = expand(compact(table, GRID, 1e-4))
    twice = expand(compact(once, GRID, 1e-3))
    assert twice.meta["cdf_err"] == pytest.approx(1.1e-3)
    assert compact_errors(table, twice, GRID)[0] <= 1.1e-3


def test_scores_hardly_change():
    rng = np.random.default_rng(5)
    z_spec = rng.uniform(0.05, 0.35, 2000)
    pdf = np.diff(norm.cdf(GRID.edges, z_spec[:, None] + rng.normal(0, 0.015, (2000, 1)), 0.015), axis=1)
    table = table_of(pdf / pdf.sum(axis=1, keepdims=True), z_spec=z_spec)
    cdf_error, errors = compact_errors(table, expand(compact(table, GRID, 1e-3)), GRID)
    assert 5e-4 < cdf_error <= 1e-3
    # Rounding is as often up as down, so scores of a sample move far less than they could; a shift would not pass.
    assert abs(errors["crps"][1]) < 1e-4 * errors["crps"][0] and abs(errors["bias"][1]) < 1e-5
    assert abs(errors["sigma_mad"][1]) < 1e-3 * errors["sigma_mad"][0]


def test_scores_of_the_worst_pdfs_stay_within_their_bounds():
    pdf = np.concatenate([hard_pdfs(), gaussians(60)])
    for first in range(0, len(pdf), 8):  # few at a time, so that single galaxies count
        part = pdf[first : first + 8]
        table = table_of(part, z_spec=np.random.default_rng(first).uniform(0, 0.4, len(part)))
        bounds = score_bounds(2.5e-3, GRID)
        _, errors = compact_errors(table, expand(compact(table, GRID, 2.5e-3)), GRID)
        for name, bound in bounds.items():
            assert abs(errors[name][1]) <= bound, name
    assert bounds["bias"] == pytest.approx(1e-3)  # 0.0025 over a grid of 0.4


def test_errors_without_redshifts_are_those_of_the_cdf_alone():
    table = table_of(gaussians(20))
    cdf_error, scores = compact_errors(table, expand(compact(table, GRID, 1e-3)), GRID)
    assert 0 < cdf_error <= 1e-3 and scores == {}


@pytest.mark.parametrize("max_cdf_error", [0, 1e-6, 0.1, np.nan])
def test_errors_that_cannot_be_promised_are_refused(max_cdf_error):
    with pytest.raises(ValueError, match="between 1e-05 and 0.0028 on 180 bins"):
        compact(table_of(gaussians(5)), GRID, max_cdf_error)


def test_damaged_codes_are_one_clear_line(tmp_path):
    write_predictions(table_of(gaussians(20)), tmp_path / "p.fits", 1e-3)
    with fits.open(tmp_path / "p.fits") as hdus:
        hdus["PREDICTIONS"].data["pdf_code"][3, :2] = 255
        hdus.writeto(tmp_path / "q.fits")
        del hdus["PREDICTIONS"].header["PDF_STEP"]
        hdus.writeto(tmp_path / "r.fits")
    with pytest.raises(ValueError, match="q.fits: .*1 rows of column pdf_code have the largest code more than once"):
        read_predictions(tmp_path / "q.fits")
    with pytest.raises(ValueError, match="r.fits: not a predictions table.*pdf_step"):
        read_predictions(tmp_path / "r.fits")
