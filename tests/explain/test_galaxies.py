import dataclasses

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.explain.files import read_stored
from photoz_morph.explain.galaxies import SHAPLEY, explain_galaxies
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.methods import METHODS, Settings
from tests.support.explain import galaxies, linear, total

SETTINGS = Settings(size=2, stride=1, n_steps=4)


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """Folder of two members that are linear, their scores, and what was explained."""
    folder, inputs = tmp_path_factory.mktemp("explained"), galaxies(3)
    filling = {"image": np.zeros_like(inputs["image"]), "ebv": np.zeros_like(inputs["ebv"])}
    scores = [Score(linear(seed=seed)[0], total) for seed in (1, 5)]
    given = folder, Table({"obj_id": [1, 2, 3]}), inputs, filling, scores
    methods = {"integrated_gradients": METHODS["integrated_gradients"]}
    explain_galaxies(*given, methods, SETTINGS, ("g", "r", "i"), progress=False)
    return given, methods


def test_shapley_values_of_bands_are_sums_of_the_light_by_each_member(explained):
    (folder, _, inputs, *_), _ = explained
    table = read_stored(folder, SHAPLEY).table
    assert table.meta["players"] == "g,r,i,ebv"
    for member, seed in enumerate((1, 5)):
        _, of_image, of_ebv = linear(seed=seed)
        expected = np.column_stack([(inputs["image"] * of_image).sum(axis=(1, 2)), inputs["ebv"] * of_ebv])
        np.testing.assert_allclose(table["shapley_members"][:, member], expected, atol=1e-4)


def test_the_exact_map_of_a_linear_network_is_faithful_and_that_of_other_weights_disagrees(explained):
    (folder, *_), _ = explained
    table = read_stored(folder, "integrated_gradients").table
    assert np.all(table["removal"] > 0.3) and np.all(table["fidelity"] > 0.99)
    assert np.all(table["completeness"] < 1e-3)
    assert np.all(np.abs(table["agreement"]) < 0.3)  # weights of both members are independent


def test_maps_of_the_ensemble_are_beside_those_of_the_member(explained):
    (folder, _, inputs, *_), _ = explained
    arrays = read_stored(folder, "integrated_gradients").arrays
    parts = [inputs["image"] * linear(seed=seed)[1] for seed in (1, 5)]
    np.testing.assert_allclose(arrays["attribution"], parts[0], atol=1e-4)
    np.testing.assert_allclose(arrays["ensemble_mean"], np.mean(parts, axis=0), atol=1e-4)
    np.testing.assert_allclose(arrays["ensemble_scatter"], np.std(parts, axis=0, ddof=1), atol=1e-4)


def test_what_is_finished_is_not_computed_again(explained):
    given, methods = explained

    def refuse(*arguments):
        raise AssertionError("computed again")

    folder = given[0]
    never = {name: dataclasses.replace(method, explain=refuse) for name, method in methods.items()}
    explain_galaxies(*given, never, SETTINGS, ("g", "r", "i"), progress=False)
    path = folder / "integrated_gradients.fits"
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    explain_galaxies(*given, methods, SETTINGS, ("g", "r", "i"), progress=False)
    assert len(path.read_bytes()) == len(whole)
