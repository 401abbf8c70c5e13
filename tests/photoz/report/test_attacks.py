"""The section of the report on attacks."""

import numpy as np
import pytest

from photoz_morph.photoz.robustness.attack_files import attack_format
from photoz_morph.runs.attacks import write_shard
from tests.support.pages import Page
from tests.support.redshift_attacks import attacked
from tests.support.reports import photoz_predictions, photoz_run, report_text


@pytest.fixture
def run(tmp_path):
    """A toy run with attacks on its ensemble and a network."""
    run = photoz_run(tmp_path / "run", photoz_predictions())
    for victim, electrons in (("ensemble", 5000.0), ("network1", 500.0)):
        table, images = attacked(np.full(12, electrons), victim)
        settings = {"galaxies": list(range(12)), "victim": victim, "criterion": "", "measure": "", "options": {}}
        folder = run / "attacks" / f"toy_{victim}"
        attack_format().start(folder, settings)
        write_shard(attack_format().shards(folder, 12)[0][0], table, images, "nanomaggy")
    return run


def test_attacks_are_in_the_report_and_beside_it(run, undrawn):
    page = Page(report_text(run)).visible
    assert "Attacks on redshifts" in page and "the ensemble is harder to move" in page
    assert "fraction moved by a change no larger than given" in page
    assert "Galaxies moved by the smallest changes, up to 6 (ensemble of 6:" in page
    assert "single network 1" in (run / "report" / "attacks.md").read_text()


def test_a_run_without_attacks_has_no_such_section(plain):
    assert "Attacks on redshifts" not in Page(plain[1]).visible


def test_damaged_attacks_do_not_cost_the_report(run, undrawn):
    shard = run / "attacks" / "toy_ensemble" / "attack-00000.fits"
    shard.write_bytes(shard.read_bytes()[:5000])
    assert "The attacks on this run cannot be read:" in Page(report_text(run)).visible
