import warnings

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.catalogs.column_names import name_columns


def named(names, needs=()):
    """Column names after `name_columns`, and the warning."""
    table = Table([[1]] * len(names), names=names)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        name_columns(table, "a.csv", needs)
    return table.colnames, [str(warning.message) for warning in said]


def test_names_of_skyserver_are_understood_and_said():
    names = ["objID", "RA", "Dec", "redshift", "u", "err_u", "g", "r", "i", "z"]
    found, said = named(names, needs=("z_spec",))
    assert found == ["obj_id", "ra", "dec", "z_spec", "u", "err_u", "g", "r", "i", "z"]
    taken = ["objID is taken for obj_id", "redshift is taken for z_spec", "z is taken for the magnitude in band z"]
    assert said == [f"a.csv: {', '.join(taken)}"]


def test_own_names_are_used_in_silence():
    names = ["obj_id", "z_spec", "redshift", "u", "g", "r", "i", "z"]
    assert named(names, needs=("z_spec",)) == (names, [])


@pytest.mark.parametrize("others", [[], ["modelMag_u", "modelMag_z"], ["u", "g", "r"]])
def test_z_without_the_other_bands_is_the_redshift(others):
    found, said = named(["obj_id", "z", *others], needs=("z_spec",))
    assert found == ["obj_id", "z_spec", *others] and said == ["a.csv: z is taken for z_spec"]


def test_z_open_to_two_readings_is_an_error_that_names_both_only_where_a_redshift_is_needed():
    names = ["obj_id", "U", "g", "r", "i", "Z"]
    message = "column Z may be the redshift or, beside U, g, r, i, the magnitude in band z; call the redshift z_spec"
    with pytest.raises(ValueError, match=f"^a.csv: {message}"):
        named(names, needs=("z_spec",))
    found, said = named(names)
    assert found == names and "Z is taken for the magnitude in band z beside U, g, r, i" in said[0]


@pytest.mark.parametrize(
    "names, message",
    [
        (["objID", "object_id"], "columns objID and object_id may both be obj_id; rename the one that is to obj_id"),
        (["obj_id", "redshift", "ZSPEC"], "columns redshift and ZSPEC may both be z_spec"),
        (["obj_id", "ra", "RA"], "columns ra and RA differ only in letter case"),
        (["name"], r"column obj_id is missing \(columns found: name\); .*also understood: objid, object_id"),
        (["obj_id"], r"column z_spec is missing .*also understood: redshift, zspec, z\)"),
    ],
)
def test_names_that_do_not_say_which_column_is_meant_are_refused(names, message):
    with pytest.raises(ValueError, match=f"^a.csv: {message}"):
        named(names, needs=("z_spec",))


def test_numbers_stay_those_of_their_column():
    table = Table({"objID": [7], "redshift": [0.3], "u": [19.0], "g": [18.0], "r": [17.0], "i": [16.0], "z": [15.0]})
    with pytest.warns(UserWarning):
        name_columns(table, "a.csv")
    assert (table["z_spec"][0], table["z"][0]) == (0.3, 15.0) and np.all(table["obj_id"] == 7)


@pytest.mark.parametrize(
    "bands, names, is_magnitude",
    [
        (("g", "r", "z"), ["g", "r", "z"], True),
        (("g", "r", "z"), ["r", "z"], False),
        (("B", "V", "R"), ["B", "V", "R", "z"], False),
        (("Z",), ["z"], False),
        (("G", "R", "Z"), ["g", "r", "z"], True),
    ],
)
def test_z_is_a_magnitude_beside_the_other_bands_of_its_survey(bands, names, is_magnitude):
    table = Table([[1]] * (1 + len(names)), names=["obj_id", *names])
    with pytest.warns(UserWarning, match="z is taken for the magnitude" if is_magnitude else "z is taken for z_spec"):
        name_columns(table, "a.csv", bands=bands)
    assert ("z_spec" in table.colnames) != is_magnitude


def test_the_remedy_for_a_z_of_two_meanings_names_the_magnitudes_of_the_survey():
    table = Table([[1]] * 4, names=["obj_id", "g", "r", "z"])
    with pytest.raises(ValueError, match="call the redshift z_spec, or the magnitudes mag_g ... mag_z"):
        name_columns(table, "a.csv", ("z_spec",), ("g", "r", "z"))
