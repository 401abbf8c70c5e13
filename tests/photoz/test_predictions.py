import sys
import warnings

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from click.testing import CliRunner

from photoz_morph.cli.options import FORMATS
from photoz_morph.cli.photoz import main
from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.photoz.formats.qp import write_qp
from photoz_morph.photoz.predictions import (
    EARLIER_META,
    READERS,
    predictions_table,
    read_predictions,
    write_predictions,
)
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.parts import OnePart
from photoz_morph.surveys import SDSS
from photoz_morph.system.tables import write_fits, write_parquet

GRID = RedshiftGrid(0.0, 0.4, 40)
SUFFIXES = ["fits", "parquet", "hdf5"]


def catalogue(n=12):
    rng = np.random.default_rng(0)
    return Table(
        {
            "obj_id": np.int64(1237648720693755918) + np.arange(n)[::-1] * 3,  # needs all 64 bits; not sorted
            "ra": rng.uniform(0, 360, n),
            "dec": rng.uniform(-5, 60, n),
            "z_spec": np.where(np.arange(n) == 5, np.nan, rng.uniform(0, 0.3, n)),
            "flag_reason": np.where(np.arange(n) == 3, "no frame in u", ""),
            "snr": rng.uniform(1, 100, (n, 5)).astype(np.float32),
            "n_frames": np.ones((n, 5), np.int16),
        }
    )


def pdfs(n=12, flagged=(3,)):
    pdf = np.random.default_rng(1).dirichlet(np.ones(GRID.n_bins), n).astype(np.float32)
    pdf[list(flagged)] = np.nan
    return pdf


def predictions(**changes):
    arguments = {"model": "inception", "n_members": 6, "meta": {"seed": 3, "run_directory": "runs/a"}} | changes
    return predictions_table(catalogue(), pdfs(), GRID, SDSS, "simulated", **arguments)


@pytest.mark.parametrize("suffix", [*SUFFIXES, "hats"])
def test_what_comes_back_equals_what_went_in(tmp_path, suffix):
    table = predictions()
    write_predictions(table, tmp_path / f"p.{suffix}")
    back, grid = read_predictions(tmp_path / f"p.{suffix}")
    assert grid == GRID and back.meta == table.meta and back.colnames == table.colnames
    for name in table.colnames:
        assert back[name].dtype == table[name].dtype
        assert back[name].unit == table[name].unit
        assert back[name].description == table[name].description
        # qp has densities: divided by the width of a bin and multiplied again, in float32.
        if (suffix, name) == ("hdf5", "pdf"):
            np.testing.assert_allclose(back[name], table[name], rtol=2e-7)
        else:
            np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]), err_msg=name)
    assert not list(tmp_path.glob("*.part"))


def test_estimates_of_a_pdf_worked_by_hand():
    grid = RedshiftGrid(0.0, 0.4, 4)
    table = predictions_table({"obj_id": [1]}, [[0.25, 0.5, 0.25, 0.0]], grid, SDSS, "stacked")
    row = table[0]
    assert row["z_phot"] == pytest.approx(0.15) and row["z_median"] == pytest.approx(0.15)
    assert row["z_mode"] == pytest.approx(0.15)
    assert row["z_lower"] == pytest.approx(0.064) and row["z_upper"] == pytest.approx(0.236)  # 0.16 / 0.25 of a bin


def test_galaxy_without_pdf_keeps_its_row_as_nan_with_a_flag():
    table = predictions()
    assert len(table) == 12 and list(np.flatnonzero(table["flag"])) == [3]
    for name in ("z_phot", "z_median", "z_mode", "z_lower", "z_upper", "pdf"):
        assert np.isnan(table[name][3]).all() and np.isfinite(table[name][table["flag"] == 0]).all()


def test_flag_of_the_stack_stays():
    columns = catalogue()
    columns["flag"] = (np.arange(12) == 7).astype(np.int16)
    table = predictions_table(columns, pdfs(), GRID, SDSS, "stacked")
    assert list(np.flatnonzero(table["flag"])) == [3, 7]


def test_fits_header_tells_survey_grid_and_units(tmp_path):
    write_predictions(predictions(), tmp_path / "p.fits")
    header = fits.getheader(tmp_path / "p.fits", "PREDICTIONS")
    assert header["SURVEY"] == "sdss" and header["ORIGIN"] == "simulated" and header["N_MEMBER"] == 6
    assert (header["Z_MIN"], header["Z_MAX"], header["N_BINS"]) == (0.0, 0.4, 40)
    column = 1 + list(fits.getdata(tmp_path / "p.fits", "PREDICTIONS").names).index("ra")
    assert header[f"TUNIT{column}"] == "deg"


@pytest.mark.parametrize("max_cdf_error", [None, 2e-3])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_astropy_writes_a_table_again_without_a_warning(tmp_path, suffix, max_cdf_error):
    if suffix == "hdf5" and max_cdf_error:
        return  # qp has whole PDFs only
    meta = {"photom": "modelMag, r petroMag"}
    table = predictions_table(catalogue(), pdfs(), GRID, SDSS, "simulated", "k-NN", 6, meta)
    write_predictions(table, tmp_path / f"p.{suffix}", max_cdf_error)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_predictions(tmp_path / f"p.{suffix}")[0].write(tmp_path / "ours.fits")
        if suffix == "fits":
            Table.read(tmp_path / "p.fits").write(tmp_path / "theirs.fits")
            assert Table.read(tmp_path / "theirs.fits").meta["N_MEMBER"] == 6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keys_of_earlier_versions_are_understood(tmp_path, suffix):
    table = predictions(meta={"z_phot_bins": "left-edges"})
    assert table.meta["zphot_at"] == "left-edges" and table.meta["n_member"] == 6
    for earlier, key in EARLIER_META.items():
        table.meta[earlier] = table.meta.pop(key, 0.5)
    path = tmp_path / f"p.{suffix}"
    if suffix == "hdf5":
        write_qp(OnePart(table), GRID, path)
    else:
        {"fits": write_fits, "parquet": write_parquet}[suffix](table, path)
    back = read_predictions(path)[0]
    assert (back.meta["zphot_at"], back.meta["n_member"], back.meta["cdf_err"]) == ("left-edges", 6, 0.5)
    assert not EARLIER_META.keys() & back.meta.keys()


def test_masked_redshift_is_an_unknown_one_and_masked_id_is_refused():
    columns = catalogue()
    columns["z_spec"] = MaskedColumn(np.full(12, 0.1), mask=np.arange(12) < 2)
    table = predictions_table(columns, pdfs(), GRID, SDSS, "stacked")
    assert np.isnan(table["z_spec"][:2]).all() and np.isfinite(table["z_spec"][2:]).all()
    columns["obj_id"] = MaskedColumn(np.arange(12), mask=np.arange(12) == 4)
    with pytest.raises(ValueError, match="need an integer as obj_id of every galaxy; some have none"):
        predictions_table(columns, pdfs(), GRID, SDSS, "stacked")


def test_rows_that_are_no_probability_are_named():
    wrong = pdfs()
    wrong[2] *= 2
    with pytest.raises(ValueError, match=r"1 PDFs .* the first is of galaxy 1237648720693755945 \(sum 2"):
        predictions_table(catalogue(), wrong, GRID, SDSS, "simulated")


def test_names_that_differ_in_case_only_are_refused_in_the_catalogue_and_beside_the_estimates():
    for name, message in (("RA", "catalogue: columns ra and RA differ only in letter case; rename one"),
                          ("Z_Phot", "catalogue column Z_Phot would be overwritten")):  # fmt: skip
        columns = catalogue()
        columns[name] = 0.0
        with pytest.raises(ValueError, match=message):
            predictions_table(columns, pdfs(), GRID, SDSS, "stacked")


def test_reserved_missing_and_misshapen_input_is_refused():
    with pytest.raises(ValueError, match="z_phot would be overwritten"):
        predictions_table({"obj_id": np.arange(12), "z_phot": np.zeros(12)}, pdfs(), GRID, SDSS, "simulated")
    with pytest.raises(ValueError, match="need column obj_id"):
        predictions_table({"ra": np.zeros(12)}, pdfs(), GRID, SDSS, "simulated")
    with pytest.raises(ValueError, match=r"need \(12, 40\)"):
        predictions_table(catalogue(), pdfs()[:, :39], GRID, SDSS, "simulated")
    with pytest.raises(ValueError, match="origin must be one of simulated, stacked"):
        predictions_table(catalogue(), pdfs(), GRID, SDSS, "synthetic")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_file_is_one_clear_line(tmp_path, suffix):
    path = tmp_path / f"p.{suffix}"
    write_predictions(predictions(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="not a predictions table, or truncated") as error:
        read_predictions(path)
    assert "\n" not in str(error.value)


def test_other_fits_file_is_not_predictions(tmp_path):
    Table({"obj_id": [1, 2]}).write(tmp_path / "c.fits")
    with pytest.raises(ValueError, match="c.fits: not a predictions table"):
        read_predictions(tmp_path / "c.fits")


def test_missing_column_and_wrong_width_are_named(tmp_path):
    table = predictions()
    write_predictions(table, tmp_path / "p.fits")
    with fits.open(tmp_path / "p.fits") as hdus:
        hdus["PREDICTIONS"].header["N_BINS"] = 180
        hdus.writeto(tmp_path / "wide.fits")
    with pytest.raises(ValueError, match=r"pdf has shape \(12, 40\), the grid in its header needs \(12, 180\)"):
        read_predictions(tmp_path / "wide.fits")
    table.remove_column("z_lower")
    with pytest.raises(ValueError, match="lack column z_lower"):
        write_predictions(table, tmp_path / "q.fits")


def test_other_suffixes_and_absent_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="written as .fits, .parquet, .hdf5, .hats, not '.csv'"):
        write_predictions(predictions(), tmp_path / "p.csv")
    with pytest.raises(FileNotFoundError, match="photoz predict"):
        read_predictions(tmp_path / "absent.fits")


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "p.fits"
    write_predictions(predictions(), path)
    before, bad = path.read_bytes(), predictions()
    bad.meta["note"] = object()
    with pytest.raises(ValueError):
        write_predictions(bad, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_catalogue_as_read_from_fits_or_tfds_is_carried(tmp_path, suffix):
    # FITS gives big-endian numbers and bytes, TFDS gives objects.
    columns = {
        "obj_id": np.arange(12).astype(">i8"),
        "psf_fwhm": np.ones((12, 5), ">f4"),
        "flag_reason": np.full(12, b"no frame"),
        "source": np.array([b"run 756"] * 12, object),
    }
    write_predictions(predictions_table(columns, pdfs(), GRID, SDSS, "stacked"), tmp_path / f"p.{suffix}")
    back, _ = read_predictions(tmp_path / f"p.{suffix}")
    assert back["psf_fwhm"].dtype == np.float32 and back["obj_id"].dtype == np.int64
    assert back["flag_reason"][0] == "no frame" and back["source"][11] == "run 756"
    np.testing.assert_array_equal(back["obj_id"], np.arange(12))


def test_formats_of_the_command_are_those_of_the_files():
    assert FORMATS == tuple(READERS)


@pytest.mark.parametrize("name", ["p.fits", "p.parquet", "p.hats"])
def test_convert_tells_what_compact_pdfs_change(tmp_path, name):
    write_predictions(predictions(), tmp_path / "p.hdf5")
    arguments = ["convert", str(tmp_path / "p.hdf5"), str(tmp_path / name), "--compact", "0.001"]
    said = CliRunner().invoke(main, arguments).output
    assert "12 galaxies" in said and "at most 0.001" in said and "Scores of these simulated galaxies" in said
    assert {line.split()[0] for line in said.splitlines() if line.startswith("  ")} == {"score", *SCORES}
    assert "no bound" in said
    table, _ = read_predictions(tmp_path / name)
    assert table.meta["cdf_err"] == 0.001 and np.isnan(table["pdf"][3]).all()


def test_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    arguments = ["convert", str(tmp_path / "absent.fits"), str(tmp_path / "p.hats")]
    monkeypatch.setitem(sys.modules, "hats", None)
    assert "p.hats: needs the package hats, which is not installed" in CliRunner().invoke(main, arguments).output
    (tmp_path / "p.hats").mkdir()
    assert "p.hats: exists; remove it" in CliRunner().invoke(main, arguments).output


def test_qp_file_that_declares_more_than_it_holds_is_refused_at_once(tmp_path):
    write_predictions(predictions(), tmp_path / "p.hdf5")
    with h5py.File(tmp_path / "p.hdf5", "a") as file:
        del file["data/pdfs"]
        file.create_dataset("data/pdfs", (10**9, 180), np.float32, chunks=(1000, 180), compression="gzip")
    with pytest.raises(ValueError, match="p.hdf5: .*dataset data/pdfs declares 720 GB, more than its 0 bytes can hold"):
        read_predictions(tmp_path / "p.hdf5")


def test_parquet_of_hats_that_declares_more_than_it_holds_is_refused_at_once(tmp_path):
    path = tmp_path / "p.hats" / "dataset/Norder=0/Dir=0/Npix=4.parquet"
    path.parent.mkdir(parents=True)
    (tmp_path / "p.hats" / "partition_info.csv").write_text("Norder,Npix\n0,4\n")
    part = pa.table({"x": np.zeros(10**6)})
    with pq.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(100):
            writer.write_table(part)
    with pytest.raises(ValueError, match="p.hats: .*the footer declares 800 MB, more than its .* can hold"):
        read_predictions(tmp_path / "p.hats")
