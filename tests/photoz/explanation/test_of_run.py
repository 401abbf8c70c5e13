import numpy as np
import pytest

from photoz_morph.explain.files import GALAXIES, read_stored
from photoz_morph.explain.methods import Settings, chosen_methods
from photoz_morph.photoz.explanation.of_run import ExplainPlan, explain_run, redshift_target
from photoz_morph.photoz.report.explanations import write_explanations
from photoz_morph.redshift_grid import RedshiftGrid

SETTINGS = Settings(size=16, stride=16, n_steps=8, n_samples=2)
PLAN = ExplainPlan(("integrated_gradients", "occlusion"), n_galaxies=4, n_seen=40, anatomy=False, settings=SETTINGS)


@pytest.fixture(scope="module")
def explained(run_dir, tmp_path_factory):
    """Folder of four explained galaxies of a tiny run."""
    return explain_run(run_dir, PLAN, out_dir=tmp_path_factory.mktemp("explained"), progress=False)


def test_the_members_of_the_fold_vote_on_galaxies_of_several_reasons(explained):
    table = read_stored(explained, GALAXIES).table
    assert len(table) == 4 and len(set(table["reason"])) >= 3
    assert table["target_members"].shape == (4, 2)
    np.testing.assert_allclose(table["target"], table["z_phot"], atol=1e-5)


def test_bands_and_reddening_make_the_change_of_the_redshift_and_the_checks_tell_what_pixels_miss_of_it(explained):
    table, found = read_stored(explained, GALAXIES).table, read_stored(explained, "integrated_gradients")
    total = found.arrays["attribution"].sum(axis=(1, 2, 3), dtype=float) + found.table["attribution_ebv"]
    change = table["target"] - table["target_filling"]
    np.testing.assert_allclose(found.table["completeness"], np.abs(total - change) / np.abs(change), rtol=1e-3)
    shares = read_stored(explained, "shapley").table["shapley"]
    np.testing.assert_allclose(shares.sum(axis=1), change, atol=1e-4)


def test_the_page_shows_each_galaxy_with_its_checks(run_dir, explained, undrawn):
    page = write_explanations(run_dir, explained, chosen_methods(PLAN.methods), progress=False)
    text = page.read_text()
    for obj_id in read_stored(explained, GALAXIES).table["obj_id"]:
        assert f"galaxy {obj_id}" in text
    assert text.count("MuFidelity") >= 5 and "faithful" in text


def test_named_galaxies_are_explained_by_the_networks_that_did_not_see_them(run_dir, explained, tmp_path):
    before = read_stored(explained, GALAXIES).table
    obj_id = int(before["obj_id"][0])
    both = (obj_id, obj_id ^ 1)  # two copies of one parent
    plan = ExplainPlan(("gradient_times_input",), obj_ids=both, network=1, anatomy=False, settings=SETTINGS)
    folder = explain_run(run_dir, plan, name="two", out_dir=tmp_path, progress=False)
    table = read_stored(folder, GALAXIES).table
    assert sorted(table["obj_id"]) == sorted(both) and table["reason"].tolist() == ["chosen"] * 2
    found = table["target_members"][table["obj_id"] == obj_id][0]
    np.testing.assert_allclose(found, before["target_members"][0][::-1], atol=1e-5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"fold": 4}, "no finished network of fold 4; give one of 0, 1"),
        ({"network": 2}, "has no network 3; give 1 to 2"),
        ({"obj_ids": (10**9,)}, "no galaxy 1000000000"),
        ({"methods": ("limes",)}, "no method 'limes'"),
        ({"target": "interval:0.2:0.1"}, "the interval from 0.2 to 0.1 is empty"),
        ({"target": "mode"}, "target is 'mode'; give mean, median"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_before_the_work(run_dir, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        explain_run(run_dir, ExplainPlan(**change), out_dir=tmp_path, progress=False)


def test_galaxies_of_stacks_have_no_known_truth(run_dir, tmp_path):
    plan = ExplainPlan(("gradient_times_input",), n_galaxies=1, n_seen=10, n_known=4, anatomy=False, settings=SETTINGS)
    with pytest.raises(ValueError, match="is not what this version simulates"):
        explain_run(run_dir, plan, out_dir=tmp_path, progress=False)


def test_the_mass_of_an_interval_is_a_target():
    grid = RedshiftGrid()
    pdf = np.full((1, grid.n_bins), 1 / grid.n_bins, np.float32)
    mass = redshift_target("interval:0.1:0.2", grid)(pdf, None)
    np.testing.assert_allclose(mass, 0.25, atol=1e-5)
