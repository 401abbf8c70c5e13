from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import yaml
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.catalogs.dust import sfd_ebv
from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.catalogs.galaxies import check_galaxy_catalog
from photoz_morph.cli.photoz import main
from photoz_morph.metrics.redshifts import pdf_scores, point_scores
from photoz_morph.photoz.baselines.photometry import (
    catalog_baselines,
    catalog_magnitudes,
    predict_catalog,
    real_galaxies,
)
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.shards.stacks import write_shard
from photoz_morph.simulation.sdss.tables import load_table
from photoz_morph.surveys import SDSS
from tests.support.surveys import DESCRIPTION
from tests.support.surveys import THREE_BANDS as VRB

GRID = RedshiftGrid()


def few_galaxies(n=600):
    """The first real galaxies, with their magnitudes and fewer than a baseline would like."""
    return real_galaxies()[:n]


def run_baseline(*arguments):
    return CliRunner().invoke(main, ["baseline", *map(str, arguments)])


def test_shipped_galaxies_are_the_parents_of_the_simulation():
    table, parents = real_galaxies(), load_table("mgs_parents.npz")
    assert len(table) == 9811  # as counted in the original sample
    row_of = {obj_id: row for row, obj_id in enumerate(table["obj_id"])}
    assert set(parents["parent_id"]) <= set(row_of)
    shipped = table[[row_of[parent_id] for parent_id in parents["parent_id"]]]
    np.testing.assert_allclose(shipped["z_spec"], parents["z"], atol=1e-5)
    np.testing.assert_allclose(shipped["ra"], parents["ra"], atol=1e-4)
    mags, r_mag, names = catalog_magnitudes(shipped)
    assert names == "modelMag, r petroMag"
    # Asinh and ordinary magnitudes are alike in g, r, i; in u they differ for the faintest.
    dereddened = mags - np.asarray(shipped["ebv"])[:, None] * np.array(SDSS.extinction_per_ebv)
    np.testing.assert_allclose(dereddened[:, 1] - dereddened[:, 2], parents["colour"][:, 1], atol=2e-3)
    np.testing.assert_allclose(r_mag - shipped["ebv"] * SDSS.extinction_per_ebv[2], parents["petro_r"], atol=2e-3)


def test_baselines_on_real_galaxies_give_the_published_scores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run_baseline()
    assert result.exit_code == 0, result.output
    assert "9811 real galaxies of the SDSS Main Galaxy Sample" in result.output
    assert "k-NN sdss, real galaxies" in result.output and "gradient boosting sdss, real galaxies" in result.output
    # Beck et al. (2016) as quoted by Pasquet et al. (2019), Table 2: bias 6.2e-4, 0.0135 and 1.34 % with 40 times the
    # training galaxies; sampling noise of 9,811 galaxies: 2e-4, 1.7e-4 and 0.12 %. Last, the distance of the PIT from
    # flat: a Gaussian of the local scatter has tails too thin, the boosters' PDFs are calibrated (0.0164 is 1 %).
    # The PDFs of the MLP are too wide by the width of its target.
    expected = {
        "knn": (6.2e-4, 0.0130, 5e-4, 1.35, 0.035), "boosting": (3e-4, 0.0136, 7e-4, 1.44, 0.0164),
        "mlp": (3e-4, 0.0127, 6e-4, 1.24, 0.03),
    }  # fmt: skip
    for method, (bias, sigma_mad, tolerance, eta, distance) in expected.items():
        table, grid = read_predictions(f"baseline_{method}.fits")
        assert table.meta["origin"] == "catalogue" and table.meta["photom"] == "modelMag, r petroMag"
        np.testing.assert_array_equal(table["fold"], assign_fold(table["obj_id"]))
        residual = point_scores.residuals(np.asarray(table["z_phot"]), np.asarray(table["z_spec"]))
        assert point_scores.bias(residual) == pytest.approx(bias, abs=4e-4)
        assert point_scores.sigma_mad(residual) == pytest.approx(sigma_mad, abs=tolerance)
        assert 100 * point_scores.eta(residual) == pytest.approx(eta, abs=0.2)
        pit = np.sort(pdf_scores.pit(np.asarray(table["z_spec"]), table["pdf"], grid))
        assert np.max(np.abs(pit - np.linspace(0, 1, len(pit)))) < distance


def test_every_galaxy_keeps_its_row_and_says_what_it_lacks():
    catalog = few_galaxies()
    catalog["modelMag_u"][3], catalog["petroMag_r"][4], catalog["z_spec"][5] = -9999, 99, np.nan
    catalog["ebv"][6] = np.nan
    table = predict_catalog(catalog, "knn", GRID)
    assert list(table["obj_id"]) == list(catalog["obj_id"])
    assert list(np.flatnonzero(table["flag"])) == [3, 4]
    assert list(table["flag_reason"][3:6]) == ["no magnitude in u", "no magnitude in Petrosian r", ""]
    assert table["fold"][5] == -1 and np.isfinite(table["z_phot"][5])
    assert list(np.flatnonzero(table["ebv_source"] != "catalogue")) == [6]
    assert table["ebv"][6] == sfd_ebv(catalog["ra"][6], catalog["dec"][6])


def test_magnitudes_are_found_under_their_usual_names():
    base = {"obj_id": [1, 2], "ra": [1.0, 2.0], "dec": [1.0, 2.0]}
    values = np.array([[19, 18, 17, 16.5, 16.2], [20, 19, 18, 17.5, 17.2]])

    def found(**columns):
        return catalog_magnitudes(check_galaxy_catalog(Table(base | columns), "x.csv"))

    def per_band(prefix, values):
        return {f"{prefix}{band}": values[:, b] for b, band in enumerate(SDSS.bands)}

    for columns in ({"mags": values}, per_band("mag_", values), per_band("MODELMAG_", values)):
        mags, r_mag, _ = found(**columns)
        np.testing.assert_array_equal(mags, values)
        np.testing.assert_array_equal(r_mag, [17, 18])
    # Model magnitudes give colours, Petrosian r the brightness, psfMag and an incomplete mag_ nothing.
    several = per_band("psfMag_", values + 1) | per_band("modelMag_", values) | {"mag_u": values[:, 0]}
    mags, r_mag, names = found(**several, petroMag_r=[17.1, 18.1])
    np.testing.assert_array_equal(mags, values)
    assert list(r_mag) == [17.1, 18.1] and names == "modelMag, r petroMag"
    with pytest.raises(ValueError, match=r"x.csv: no magnitudes in all .* \(columns found: obj_id.*name them mag_u"):
        catalog_magnitudes(Table(base | {"mag_u": [1.0, 2.0]}), source="x.csv")
    with pytest.raises(ValueError, match="mag_u in row 1 is 'bright', which is no number; write decimal numbers"):
        found(**per_band("mag_", values) | {"mag_u": ["bright", "faint"]})


def like_skyserver(n=300):
    """Real galaxies under the names of SkyServer: u ... z with errors, redshift, no position and no E(B-V)."""
    galaxies, catalog = few_galaxies(n), Table()
    catalog["objID"], catalog["redshift"] = galaxies["obj_id"], galaxies["z_spec"]
    for band in SDSS.bands:
        catalog[band], catalog[f"err_{band}"] = galaxies[f"modelMag_{band}"], 0.01
    return catalog


@pytest.mark.parametrize("suffix", [".csv", ".fits", ".parquet"])
def test_a_table_of_skyserver_works_as_it_comes_and_says_what_was_taken_for_what(tmp_path, suffix):
    catalog, path, out = like_skyserver(), tmp_path / f"sky{suffix}", tmp_path / "knn.hdf5"
    if suffix == ".csv":
        catalog.write(path, format="ascii.csv")
        path.write_text("#Table1\n" + path.read_text())
    elif suffix == ".fits":
        catalog.write(path)
    else:
        pyarrow.parquet.write_table(pyarrow.table({name: np.asarray(catalog[name]) for name in catalog.colnames}), path)
    result = run_baseline(path, "--method", "knn", "--out", out)
    assert result.exit_code == 0, result.output
    assert f"{path}: objID is taken for obj_id, redshift is taken for z_spec, z is taken for" in result.stderr
    assert result.stderr.count("is taken for obj_id") == 1  # the table is read once
    assert f"{path}: u, g, r, i, z are taken for the magnitudes" in result.stderr
    assert "neither ebv nor positions (ra, dec), so the magnitudes are not corrected for Galactic" in result.stderr
    table, _ = read_predictions(out)
    np.testing.assert_array_equal(table["obj_id"], catalog["objID"])
    assert table.meta["photom"] == "ugriz" and set(table["ebv_source"]) == {"none"} and not table["flag"].any()
    assert np.isnan(table["ebv"]).all() and "ra" not in table.colnames
    np.testing.assert_array_equal(table["z"], catalog["z"])  # the magnitude, not the redshift
    quiet = run_baseline(path, "--method", "knn", "--out", out, "--quiet")
    assert quiet.exit_code == 0 and quiet.output == ""


def test_redshift_called_z_beside_magnitudes_with_prefix_is_the_redshift(tmp_path):
    catalog = few_galaxies(300)
    expected = predict_catalog(catalog, "knn", GRID)
    catalog.rename_column("z_spec", "z")
    catalog.write(tmp_path / "spec.fits")
    result = run_baseline(tmp_path / "spec.fits", "--method", "knn", "--out", tmp_path / "knn.fits")
    assert result.exit_code == 0 and "z is taken for z_spec" in result.stderr
    table, _ = read_predictions(tmp_path / "knn.fits")
    np.testing.assert_array_equal(table["z_phot"], expected["z_phot"])


def test_positions_are_needed_only_where_reddening_comes_from_the_map():
    catalog = few_galaxies(300)
    without = catalog.copy()
    without.remove_columns(["ra", "dec"])
    expected, found = (predict_catalog(table, "knn", GRID) for table in (catalog, without))
    np.testing.assert_array_equal(found["z_phot"], expected["z_phot"])
    without["ebv"][7] = np.nan
    found = predict_catalog(without, "knn", GRID)
    assert list(np.flatnonzero(found["flag"])) == [7] and found["ebv_source"][7] == "none"
    assert found["flag_reason"][7] == "neither E(B-V) nor a position" and np.isnan(found["z_phot"][7])


@pytest.mark.parametrize("text", ["null", "--", "-9999", ""])
@pytest.mark.parametrize("column", ["z_spec", "ebv", "modelMag_u"])
def test_unknown_values_are_one_thing_in_redshift_reddening_and_magnitudes(tmp_path, text, column):
    catalog = few_galaxies(300)
    catalog[column] = [text if row == 3 else str(value) for row, value in enumerate(catalog[column])]
    catalog.write(tmp_path / "a.csv", format="ascii.csv")
    table = next(iter(catalog_baselines(tmp_path / "a.csv", ["knn"])))[1]
    assert np.isnan(table["z_spec"][3]) == (column == "z_spec") and (table["flag"][3] == 1) == (column == "modelMag_u")
    assert (table["ebv_source"][3] != "catalogue") == (column == "ebv") and np.isfinite(table["ebv"][3])
    assert not np.delete(np.asarray(table["flag"]), 3).any()


def test_catalogue_as_csv_is_predicted_on_a_wider_grid_and_called_simulated(tmp_path):
    catalog = few_galaxies()
    catalog["z_spec"][0] = 0.55
    catalog.write(tmp_path / "galaxies.csv")
    out = tmp_path / "knn.parquet"
    options = ("--method", "knn", "--simulated", "--z-max", 0.6, "--out", out)
    result = run_baseline(tmp_path / "galaxies.csv", *options)
    assert result.exit_code == 0, result.output
    assert "600 galaxies in" in result.output and "k-NN sdss, simulated galaxies" in result.output
    table, grid = read_predictions(out)
    assert (grid.z_max, grid.n_bins) == (0.6, 270) and table.meta["origin"] == "simulated"
    assert list(table["obj_id"]) == list(catalog["obj_id"])


def test_stacks_are_predicted_by_their_magnitudes_and_called_what_they_are(tmp_path):
    catalog, images = few_galaxies(300), np.zeros((300, *SDSS.image_shape), np.float32)
    mags = np.column_stack([catalog[f"modelMag_{band}"] for band in SDSS.bands])
    shard = catalog["obj_id", "ra", "dec", "z_spec", "ebv", "group_id"]
    shard["mags"], shard["flag"], shard["flag_reason"] = mags, np.arange(300) == 7, np.full(300, "", "U9")
    shard["flag_reason"][7] = "a frame"
    for index in (0, 1):
        rows = slice(150 * index, 150 * index + 150)
        write_shard(tmp_path / f"stacks-0000{index}.fits", images[rows], shard[rows], SDSS, "simulated")
    result = run_baseline(tmp_path, "--method", "knn", "--out", tmp_path / "knn.fits")
    assert result.exit_code == 0, result.output
    assert "k-NN sdss, simulated galaxies" in result.output
    table, _ = read_predictions(tmp_path / "knn.fits")
    assert list(table["obj_id"]) == list(catalog["obj_id"]) and table.meta["photom"] == "mags"
    assert list(np.flatnonzero(table["flag"])) == [7] and table["flag_reason"][7] == "a frame"


def without_magnitudes(catalog):
    catalog.remove_columns([name for name in catalog.colnames if "Mag" in name])


def with_impossible_redshift(catalog):
    catalog["z_spec"][2] = -5


def with_text_as_flag(catalog):
    catalog["flag"] = "clean"


def with_redshift_estimates(catalog):
    catalog["z_phot"] = 0.1


def with_pdf(catalog):
    catalog["pdf"] = np.full((len(catalog), 180), 1 / 180)


def without_redshifts(catalog):
    catalog["z_spec"] = np.nan


@pytest.mark.parametrize(
    "spoil, message",
    [
        (without_magnitudes, "no magnitudes in all of the bands u g r i z"),
        (with_impossible_redshift, "z_spec of obj_id 2 is -5.0 (1 such rows); a redshift is between -1 and 20,"),
        (with_text_as_flag, "column flag is text, where flag is 0 for a good galaxy"),
        (with_redshift_estimates, "column z_phot would be overwritten by the predictions; rename it"),
        (with_pdf, "is a table of predictions; give the catalogue or the run that it was made from"),
        (without_redshifts, "no galaxy has a z_spec"),
    ],
)
def test_unusable_catalogue_is_refused_in_one_line(spoil, message, tmp_path):
    catalog = few_galaxies(300)
    spoil(catalog)
    path = tmp_path / "galaxies.fits"
    catalog.write(path)
    result = run_baseline(path, "--method", "knn", "--out", tmp_path / "x.fits")
    assert result.exit_code == 1 and result.stderr.startswith(f"Error: {path}: ")
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not Path(tmp_path / "x.fits").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--out", "x.fits"), "--out names one file; give --method knn, boosting, mlp or mlp_shapes"),
        (("--simulated",), "--simulated, --survey and --z-max are for a CATALOGUE"),
        (("--data-dir", "d"), "--data-dir is for a RUN"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments, message):
    result = run_baseline(*arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_flagged_galaxies_are_predicted_but_teach_nothing():
    catalog = few_galaxies()
    flagged = np.arange(len(catalog)) % 2 == 1
    catalog["flag"] = flagged.astype(int)
    expected = predict_catalog(catalog, "knn", GRID)
    catalog["z_spec"][flagged] = 0.39
    found = predict_catalog(catalog, "knn", GRID)
    np.testing.assert_array_equal(found["pdf"], expected["pdf"])
    assert np.isfinite(found["pdf"]).all() and (found["flag"] == flagged).all()


def renamed(table):
    """The g, r, i magnitudes of galaxies as those in B, V, R of another survey, and a few other columns."""
    columns = {f"mag_{new}": table[f"modelMag_{old}"] for new, old in zip("BVR", "gri")}
    return Table({"obj_id": table["obj_id"], "z_spec": table["z_spec"], "ebv": table["ebv"], **columns})


def test_magnitudes_of_another_survey_are_its_bands_and_its_reference_band():
    mags, reference, names = catalog_magnitudes(renamed(few_galaxies(5)), VRB)
    real = few_galaxies(5)
    np.testing.assert_array_equal(mags, np.column_stack([real[f"modelMag_{band}"] for band in "rig"]))
    np.testing.assert_array_equal(reference, real["modelMag_r"])  # V
    assert names == "mag"


def test_the_baseline_of_another_survey_sees_its_colours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    renamed(few_galaxies(1500)).write("mine.csv")
    Path("tiny.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    result = run_baseline("mine.csv", "--method", "knn", "--survey", "tiny.yaml", "--out", "knn.fits")
    assert result.exit_code == 0 and "k-NN tiny, real galaxies" in result.output
    table, _ = read_predictions("knn.fits")
    residual = point_scores.residuals(table["z_phot"], table["z_spec"])
    # Three bands: worse than the 0.014 of ugriz, but far better than the 0.05 of the mean redshift.
    assert point_scores.sigma_mad(residual) < 0.025
    result = run_baseline("mine.csv", "--method", "knn", "--out", "knn.fits")
    assert result.exit_code == 1 and "no magnitudes in all of the bands u g r i z" in result.output


def test_a_folder_of_stacks_has_the_survey_that_it_describes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = renamed(few_galaxies(300))
    table["group_id"], table["ra"], table["dec"], table["flag"] = table["obj_id"], 10.0, 10.0, np.zeros(300, np.int32)
    write_shard(tmp_path / "stacks-00000.fits", np.zeros((300, *VRB.image_shape)), table, VRB, "stacked")
    result = run_baseline(tmp_path, "--method", "knn", "--out", "knn.fits")
    assert result.exit_code == 0 and read_predictions("knn.fits")[0].meta["survey"] == "tiny"
    result = run_baseline(tmp_path, "--method", "knn", "--survey", "legacy", "--out", "knn.fits")
    assert result.exit_code == 1 and "stacks of tiny, not of legacy; leave out --survey" in result.output
