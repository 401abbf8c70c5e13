import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend.deblended import (
    deblended_table,
    is_deblended_file,
    middle_source,
    read_deblended,
    write_deblended,
)
from tests.support.blends import DEBLENDED_META, deblended_galaxies


def test_a_table_comes_back_as_it_was(tmp_path):
    table = deblended_galaxies(5, n_samples=39)
    write_deblended(table, tmp_path / "galaxies.fits")
    back = read_deblended(tmp_path / "galaxies.fits")
    assert is_deblended_file(tmp_path / "galaxies.fits") and back.meta == table.meta
    for name in table.colnames:
        np.testing.assert_array_equal(back[name], table[name])
    assert back["flux"].description == table["flux"].description


def test_the_source_in_the_middle_is_the_nearest():
    truth = Table({"y": [10.0, 23.0, 24.0], "x": [23.5, 24.0, 26.0]})
    assert middle_source(truth, 48) == 1


def test_what_is_missing_is_named(tmp_path):
    table = deblended_galaxies(3)
    columns = {name: table[name] for name in table.colnames if name != "true_flux"}
    with pytest.raises(ValueError, match="galaxies: no table of deblended galaxies, it lacks true_flux; predict again"):
        deblended_table(columns, DEBLENDED_META)
    with pytest.raises(ValueError, match="it lacks zeropt; predict again"):
        deblended_table(dict(table.columns), {key: DEBLENDED_META[key] for key in DEBLENDED_META if key != "zeropt"})
    with pytest.raises(ValueError, match=r"a.txt: galaxies are written as .fits, not '.txt'"):
        write_deblended(table, tmp_path / "a.txt")
    path = tmp_path / "broken.fits"
    write_deblended(table, path)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(ValueError, match="broken.fits: cannot be read as galaxies of `blend predict`"):
        read_deblended(path)
