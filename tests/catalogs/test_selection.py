import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from photoz_morph.catalogs.selection import CUTS, SKIPPABLE, select_main_sample

GOOD = {"z": 0.1, "zWarning": 0, "targetType": "SCIENCE", "survey": "sdss", "class": "GALAXY", "primTarget": 64,
        "clean": 1, "insideMask": 0, "petroMag_r": 17.9, "extinction_r": 0.1}  # fmt: skip
# What fails each cut of Appendix A alone, in the order of the query.
FAILURES = {"positive": {"z": -0.0}, "warning": {"zWarning": 4}, "target": {"targetType": "SKY"},
            "survey": {"survey": "boss"}, "class": {"class": "QSO"}, "main": {"primTarget": 32}, "clean": {"clean": 0},
            "mask": {"insideMask": 1}, "magnitude": {"petroMag_r": 17.91}, "z_max": {"z": 0.401}}  # fmt: skip


def table(*rows):
    return Table([GOOD | row for row in rows])


def test_each_cut_removes_what_fails_it_and_counts_what_is_left():
    selected, counts = select_main_sample(table({}, *FAILURES.values(), {"primTarget": 128}), "a.csv")
    assert list(selected) == [True] + [False] * len(FAILURES) + [True]
    assert [name for name, _, _ in counts] == list(FAILURES) == [cut.name for cut in CUTS]
    assert [kept for _, _, kept in counts] == list(range(len(FAILURES) + 1, 1, -1))


def test_the_limits_belong_to_the_sample():
    selected, _ = select_main_sample(table({"z": 0.4}, {"petroMag_r": 17.9}, {"z": np.nextafter(0, 1)}), "a.csv")
    assert selected.all()


def test_columns_in_any_letter_case_and_text_with_blanks_are_understood():
    sample = table({"class": "galaxy  "}, {"survey": " SDSS"})
    for name in list(sample.colnames):
        sample.rename_column(name, name.upper())
    assert select_main_sample(sample, "a.csv")[0].all()


def test_z_beside_a_column_of_redshifts_is_a_magnitude():
    sample = table({"z": 17.0}, {"z": 16.5})
    sample["z_spec"] = [0.1, 0.5]
    assert list(select_main_sample(sample, "a.csv")[0]) == [True, False]


def test_unknown_values_do_not_pass():
    sample = table({}, {"z": np.nan}, {}, {})
    sample["zWarning"] = MaskedColumn(sample["zWarning"], mask=[False, False, True, False])
    sample["class"] = MaskedColumn(sample["class"], mask=[False, False, False, True])
    assert list(select_main_sample(sample, "a.csv")[0]) == [True, False, False, False]


def test_labels_of_the_public_file_need_the_cuts_skipped_that_it_was_made_with():
    labels = Table({"z": [0.1, 0.1, 0.5], "primtarget": [64, 32, 64], "dered_petro_r": [17.8, 17.0, 17.0]})
    with pytest.raises(ValueError, match=r"sdss.npz: warning \(zWarning = 0\) needs zwarning.*--skip warning --skip"):
        select_main_sample(labels, "sdss.npz")
    skip = [name for name in SKIPPABLE if name != "main"]
    selected, counts = select_main_sample(labels, "sdss.npz", skip)
    assert list(selected) == [True, False, False]
    assert [(name, kept) for name, _, kept in counts] == [("positive", 3), ("main", 2), ("magnitude", 2), ("z_max", 1)]


def test_the_cuts_that_define_the_sample_cannot_be_skipped():
    with pytest.raises(ValueError, match="cut 'magnitude' cannot be skipped; those that can are warning, "):
        select_main_sample(table({}), "a.csv", ["magnitude"])
    with pytest.raises(ValueError, match="magnitude .* needs petromag_r and extinction_r; add these columns"):
        select_main_sample(table({})["z", "clean"], "a.csv", SKIPPABLE)


@pytest.mark.parametrize("change", [{"class": 3}, {"clean": "yes"}])
def test_values_of_another_kind_are_refused(change):
    with pytest.raises(ValueError, match="a.csv: cl"):
        select_main_sample(table(change), "a.csv")
