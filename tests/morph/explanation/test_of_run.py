import numpy as np
import pytest

from photoz_morph.explain.files import GALAXIES, read_stored
from photoz_morph.explain.methods import Settings, chosen_methods
from photoz_morph.morph.explanation.of_run import ExplainPlan, explain_run
from photoz_morph.morph.report.explanations import write_explanations

SETTINGS = Settings(size=30, stride=30, n_steps=6, n_samples=2)
PLAN = ExplainPlan(("integrated_gradients", "grad_cam"), n_galaxies=3, n_seen=30, anatomy=False, settings=SETTINGS)


@pytest.fixture(scope="module")
def explained(morph_run_dirs, tmp_path_factory):
    """Folder of three explained galaxies of a tiny run."""
    return explain_run(morph_run_dirs["regular"], PLAN, out_dir=tmp_path_factory.mktemp("explained"), progress=False)


def test_the_margin_of_the_predicted_class_is_explained(explained):
    table = read_stored(explained, GALAXIES).table
    assert np.array_equal(table["class_explained"], table["probability_members"][:, 0].argmax(axis=1))
    assert np.all(table["target"] > 0)  # the logit of the largest less another


def test_shares_of_the_bands_make_the_change_of_the_margin(explained):
    table = read_stored(explained, GALAXIES).table
    shares = read_stored(explained, "shapley").table["shapley"]
    assert shares.shape == (3, 3)
    np.testing.assert_allclose(shares.sum(axis=1), table["target"] - table["target_filling"], atol=1e-3)


def test_the_page_shows_each_galaxy_with_its_checks(morph_run_dirs, explained, undrawn):
    methods = chosen_methods(PLAN.methods)
    text = write_explanations(morph_run_dirs["regular"], explained, methods, progress=False).read_text()
    for obj_id in read_stored(explained, GALAXIES).table["obj_id"]:
        assert f"galaxy {obj_id}" in text
    assert "faithful" in text and "Grad-CAM" in text


@pytest.mark.parametrize(
    "change, message",
    [
        ({"network": 5}, "no network 6; give 1 to 2"), ({"of": "ring"}, "class is 'ring'; give predicted, true"),
        ({"obj_ids": (10**9,)}, "no test galaxy 1000000000"), ({"methods": ()}, "no method given"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_said_before_the_work(morph_run_dirs, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        explain_run(morph_run_dirs["mmd"], ExplainPlan(**change), out_dir=tmp_path, progress=False)


def test_a_target_that_is_not_known_is_told():
    with pytest.raises(ValueError, match="target is 'class'; choose one of logit"):
        ExplainPlan(target="class")
