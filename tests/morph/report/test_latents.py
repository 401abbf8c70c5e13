from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.morph.report.latent_results import LatentResults
from photoz_morph.morph.report.latents import LATENT, latent_entries
from tests.support.reports import attacked_runs, results_of

TITLE = "Simulated galaxies"


@pytest.fixture(scope="module")
def results():
    return results_of(attacked_runs())


def names_of(results):
    return [entry.name for entry in latent_entries(results, TITLE)]


def test_runs_attacked_and_measured_have_windows_isomaps_and_distances(results):
    entries = latent_entries(results, TITLE)
    assert [entry.name for entry in entries] == ["church_isomap", "church_orthonormal", "isomap_3d", "latent_distances"]
    assert {entry.section for entry in entries} == {LATENT}
    assert all(entry.caption.startswith(f"{TITLE}: ") for entry in entries)


def test_caption_names_the_galaxy_of_the_windows(results):
    name, row = results.latents.triplets["regular"]
    obj_id = results.runs[0]["attacks"][name][0]["obj_id"][row]
    assert f"Galaxy {obj_id}, " in latent_entries(results, TITLE)[0].caption


def test_without_a_common_galaxy_only_the_distances_are_shown(results):
    assert names_of(replace(results, latents=replace(results.latents, triplets={}))) == ["latent_distances"]


def test_run_with_stale_latents_is_named_and_not_drawn(results):
    kept = {"MMD": results.latents.measurements["MMD"]}
    stale = replace(results, latents=LatentResults(measurements=kept))
    distances, note = latent_entries(stale, TITLE)
    assert note.draw is None and "Not shown in the figures: regular, whose latents are not those" in note.caption
    handles = distances.draw().legends[0].get_texts()
    assert [text.get_text() for text in handles] == ["MMD", "mean"]


def test_runs_without_latents_have_no_entries(results):
    bare = [{key: run[key] for key in ("name", "table", "scores")} for run in results.runs]
    assert latent_entries(results_of(bare), TITLE) == []


def test_windows_show_the_three_images_of_the_triplet(results):
    figure = latent_entries(results, TITLE)[1].draw()
    for axes, run in zip(figure.axes, results.runs):
        name, row = results.latents.triplets[run["name"]]
        triplet = run["attacks"][name][0][row]
        step = np.linalg.norm(np.asarray(triplet["latent_attacked"]) - np.asarray(triplet["latent_y10"]))
        marks = [part.get_offsets()[0] for part in axes.collections if len(part.get_offsets()) == 1]
        np.testing.assert_allclose(marks[0], 0, atol=1e-9)
        np.testing.assert_allclose(marks[2], [step, 0], rtol=1e-5, atol=1e-6)  # the attack lies along the first axis
