"""The command `photoz select`."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.catalogs.galaxies import read_galaxy_catalog
from photoz_morph.cli.photoz import main
from tests.catalogs.test_selection import FAILURES, table
from tests.support.sources import sdss_arrays


def photoz(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("suffix", [".fits", ".parquet", ".csv"])
def test_select_prints_and_stores_what_each_cut_keeps(tmp_path, suffix):
    sample = table({}, *FAILURES.values(), {"primTarget": 128})
    sample["objID"], sample["ra"], sample["dec"] = np.arange(len(sample)) + 2**60, 10.0, 20.0
    sample.write(tmp_path / "casjobs.csv")
    out = tmp_path / f"selected{suffix}"
    result = photoz("select", tmp_path / "casjobs.csv", "-o", out)
    assert result.exit_code == 0, result.output
    first = [f"       12 galaxies in {tmp_path / 'casjobs.csv'}", "       11 after positive: z > 0",
             "       10 after warning: zWarning = 0"]  # fmt: skip
    assert result.output.splitlines()[:3] == first
    assert result.output.endswith(f"2 galaxies in {out}.\n")
    with pytest.warns(UserWarning, match="objID is taken for obj_id"):
        galaxies = read_galaxy_catalog(out, needs=("ra", "dec", "z_spec"))
    assert list(galaxies["obj_id"]) == [2**60, 2**60 + 11] and list(galaxies["z_spec"]) == [0.1, 0.1]
    if suffix == ".fits":
        header = fits.getheader(out, 1)
        assert (header["N_READ"], header["CUT_2"], header["KEPT_2"]) == (12, "warning: zWarning = 0", 10)
    elif suffix == ".csv":
        assert "# kept_10 = 2\n" in out.read_text()


def test_select_takes_the_labels_of_the_public_file(tmp_path):
    images, labels, _ = sdss_arrays(6)
    for band in "ugriz":
        labels[f"dered_petro_{band}"] = [17.0, 18.0, 17.8, 17.0, 17.0, 17.0]
    labels["primtarget"][3], labels["z"][:] = 32, [0.1, 0.1, 0.2, 0.1, 0.5, 0.3]
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    words = "select", tmp_path / "sdss.npz", "-o", tmp_path / "s.fits"
    result = photoz(*words)
    assert result.exit_code == 1 and "--skip warning --skip target --skip survey --skip class" in result.output
    skip = [word for cut in ("warning", "target", "survey", "class", "clean", "mask") for word in ("--skip", cut)]
    assert photoz(*words, *skip).exit_code == 0
    assert list(Table.read(tmp_path / "s.fits")["obj_id"]) == list(labels["specObjID"][[0, 2, 5]])


def test_select_refuses_an_unknown_cut(tmp_path):
    table({}).write(tmp_path / "a.csv")
    result = photoz("select", tmp_path / "a.csv", "-o", tmp_path / "b.fits", "--skip", "magnitude")
    assert result.exit_code == 1 and "'magnitude' cannot be skipped" in result.output
