import numpy as np

from photoz_morph.photoz.report.tables.attacks import (
    attack_header,
    attack_label,
    attack_markdown,
    attack_rows,
    attack_verdicts,
    victim_name,
)
from tests.support.redshift_attacks import attacked

EASY, HARD = np.full(40, 500.0), np.where(np.arange(40) < 30, 5000.0, np.nan)


def tables():
    return {"a_ensemble": attacked(HARD)[0], "a_network1": attacked(EASY, "network1")[0]}


def test_a_row_says_how_many_are_moved_by_what():
    rows = attack_rows(tables(), "electrons")
    assert len(rows[0]) == len(attack_header("electrons"))
    assert rows[0][1:4] == ["ensemble of 6", "40", "0 % (0 to 9)"] and rows[0][4].startswith("75 % (")
    assert rows[1][3] == "100 % (91 to 100)" and rows[1][-3].startswith("500 (") and rows[0][-3].startswith("5,000 (")
    assert rows[0][-2:] == ["30 of 30", "100 + 5"] and attack_rows(tables(), "sigma") == []


def test_a_median_beyond_the_largest_change_is_called_not_moved():
    table = attacked(np.where(np.arange(40) < 5, 5000.0, np.nan))[0]
    assert attack_rows({"a_ensemble": table}, "electrons")[0][-3] == "not moved (not moved to not moved)"


def test_the_victim_that_needs_more_is_named():
    (sentence,) = attack_verdicts(tables())
    assert "of 40 galaxies, 1,000 e- move 100 % (100 to 100) more for the single network 1 than for the" in sentence
    assert "the ensemble is harder to move" in sentence and "needs 10 times the change" in sentence
    assert "needs more for 40 galaxies and less for 0" in sentence
    reversed_roles = {"a_ensemble": attacked(EASY)[0], "a_network1": attacked(HARD, "network1")[0]}
    assert "move 100 % (100 to 100) fewer for the single network 1" in attack_verdicts(reversed_roles)[0]
    alike = {"a_ensemble": attacked(EASY)[0], "a_network1": attacked(EASY, "network1")[0]}
    assert "neither is shown to be harder to move" in attack_verdicts(alike)[0]
    assert attack_verdicts({"a_ensemble": attacked(EASY)[0], "b_network1": attacked(EASY, "network1")[0]}) == []


def test_an_attack_is_named_by_what_it_was_asked():
    table = attacked(EASY, unseen=True, criteria="interval", search="lattice", n_hits=1, calib_id="abc")[0]
    assert attack_label(table.meta) == (
        "z_spec outside the 68 % interval that held it, black box, up to 1 pixel, unseen by a cosmic-ray mask"
    )
    assert victim_name(table.meta) == "ensemble of 6, calibrated"
    text = attack_markdown(tables(), "simulated galaxies")
    assert "of simulated galaxies, one of each parent" in text and "| ensemble of 6 |" in text
