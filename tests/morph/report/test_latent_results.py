
import numpy as np
import pytest

from photoz_morph.morph.report import latent_results
from tests.support.pages import Page
from tests.support.reports import attacked_runs, morph_report_text


@pytest.fixture(scope="module")
def runs():
    return attacked_runs()


def test_all_runs_show_the_same_galaxy_in_their_windows(runs):
    places = latent_results.triplet_rows(runs)
    ids = {run["attacks"][places[run["name"]][0]][0]["obj_id"][places[run["name"]][1]] for run in runs}
    assert len(ids) == 1


def test_latents_of_other_predictions_are_not_drawn(runs, tmp_path, undrawn):
    scale = {"separation": {"value": 2 * runs[0]["latent"]["scale"]["separation"]["value"]}, "spread": {"value": 1.0}}
    stale = {**runs[0], "latent": runs[0]["latent"] | {"scale": scale}}
    assert list(latent_results.measurements_of([stale, runs[1]])) == ["MMD"]
    assert latent_results.triplet_rows([stale]) == {}
    third = {**runs[1], "name": "third"}
    # Not the ratios to MMD under the name of regular.
    assert latent_results.latent_results([stale, runs[1], third]).ratios == {}
    assert list(latent_results.latent_results([*runs, third]).ratios) == ["MMD", "third"]
    note = "Not shown in the figures: regular, whose latents are not those of the predictions"
    assert note in Page(morph_report_text([stale], tmp_path)).visible


def test_windows_are_of_the_depth_and_the_defence_of_the_latents(runs):
    table, images = runs[0]["attacks"]["lattice_y10"]
    of_y1, of_another_network = table.copy(), table.copy()
    of_y1.meta["domain"] = "Y1"
    of_another_network["latent_y10"] = np.asarray(table["latent_y10"]) * 1.1
    assert latent_results.triplet_rows(runs[:1]) != {}
    for other in (of_y1, of_another_network):
        assert latent_results.triplet_rows([{**runs[0], "attacks": {"other": (other, images)}}]) == {}
