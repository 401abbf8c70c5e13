import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend import study
from photoz_morph.blend.report.figures.study import study_figure
from photoz_morph.blend.study import SepDeblender, blended_stamp, blending_study, study_galaxies, study_scores
from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.simulation.sdss.sample import galaxy_and_observation
from photoz_morph.surveys import SDSS

R = SDSS.bands.index("r")


def test_galaxies_are_of_the_fold_and_clean():
    chosen = study_galaxies(12, 5, 2)
    for number in chosen:
        galaxy, observation = galaxy_and_observation(5, int(number))
        assert assign_fold(np.array([galaxy.parent_id]))[0] == 2 and observation.defects == 0
    np.testing.assert_array_equal(chosen[:5], study_galaxies(5, 5, 2))
    np.testing.assert_array_equal(study_galaxies(4, 5, None), range(4))


@pytest.mark.parametrize("difference", [-1.0, 1.0])
def test_a_neighbour_has_its_place_and_its_flux(difference):
    alone, _, galaxy = blended_stamp(5, 0, 3, np.inf, np.inf)
    stamp, _, _ = blended_stamp(5, 0, 3, 4.0, difference)
    added = (stamp - alone)[..., R].astype(float)  # the noise of the sky is the same, that of photons nearly so
    flux = 10 ** (0.4 * (22.5 - galaxy.true_mags[R] - difference))
    assert 0.8 * flux < added.sum() < 1.03 * flux  # what lies within the stamp
    near = np.indices(added.shape)[:, added > 0.1 * added.max()] - 31.5
    light = added[added > 0.1 * added.max()]
    distance = np.hypot(*((light * axis).sum() / light.sum() for axis in near)) * SDSS.pixel_scale
    assert distance == pytest.approx(4.0, abs=0.4)


def test_distances_change_the_neighbour_alone():
    near, far = (blended_stamp(5, 1, 2, separation, 0.0)[0] for separation in (6.0, 6.001))
    assert np.abs(near - far).max() < 0.02 * near.max()
    np.testing.assert_array_equal(near, blended_stamp(5, 1, 2, 6.0, 0.0)[0])


def test_sep_takes_a_bright_neighbour_away_and_leaves_a_lone_galaxy():
    alone, sigma, _ = blended_stamp(5, 0, 3, np.inf, np.inf)
    stamp, _, _ = blended_stamp(5, 0, 3, 8.0, -0.5)
    cleaned, n_found = SepDeblender()(stamp, sigma, 0)
    before, after = (np.abs((image - alone)[..., R].sum()) for image in (stamp, cleaned))
    assert n_found >= 2 and after < 0.15 * before
    untouched, _ = SepDeblender()(alone, sigma, 0)
    assert np.mean(untouched == alone) > 0.95  # but for what the threshold takes for sources in the noise
    nothing, n_found = SepDeblender()(np.zeros_like(alone), sigma, 0)
    assert n_found == 0 and not nothing.any()


def toy_predict(stamps, ebv):
    """Redshifts that grow with the flux in r."""
    return 0.1 + 1e-4 * np.asarray(stamps, float)[..., R].sum(axis=(1, 2))


def test_scores_are_those_of_the_pairs_with_intervals_over_parents():
    rng = np.random.default_rng(0)
    rows = [(parent, 0.1, separation, difference, n_found, 0.0, 0.1 + shift + noise, 0.1 + noise)
            for parent in range(40)
            for noise in [rng.normal(0, 0.01)]
            for separation, difference, n_found, shift in
            [(np.inf, np.inf, 1, 0.0), (1.0, 0.0, 1, 0.11), (1.0, 1.0, 2, 0.022), (2.0, 0.0, 2, 0.0),
             (2.0, 1.0, 2, 0.0)]]  # fmt: skip
    names = ("parent", "z", "separation", "mag_difference", "n_found", "ebv", "z_blended", "z_deblended")
    scores = study_scores(Table(rows=rows, names=names), (1.0, 2.0), (0.0, 1.0), 100)
    alone = scores["alone"]["bias"]["value"]
    assert scores["blended"][0][0]["bias"]["value"] == pytest.approx(alone + 0.1)
    assert scores["blended"][1][0]["bias"]["value"] == pytest.approx(alone + 0.02)
    assert scores["blended"][0][0]["eta"]["value"] == 1 and scores["blended"][0][1]["eta"]["value"] == 0
    assert scores["deblended"][0][0]["bias"]["value"] == pytest.approx(alone)
    assert scores["fraction_apart"] == [[0, 1], [1, 1]] and scores["alone"]["n"] == 40
    low, high = scores["alone"]["bias"]["interval"]
    assert (high - low) / (2 * 1.96) == pytest.approx(0.01 / 1.1 / np.sqrt(40), rel=0.35)


def test_a_study_is_kept_and_drawn(tmp_path, monkeypatch):
    options = {"n_galaxies": 4, "seed": 5, "separations": (2.0, 8.0), "mag_differences": (-1.0, 1.0), "progress": False,
               "n_bootstrap": 20}  # fmt: skip
    monkeypatch.setattr(study, "CHUNK", 3)
    results = blending_study(toy_predict, {"model": "toy"}, tmp_path, **options)
    assert sorted(path.name for path in tmp_path.glob("*.fits")) == ["pairs-000.fits", "pairs-001.fits"]
    assert (results["deblender"], results["n_galaxies"]) == ("sep", 4)
    assert np.shape(results["fraction_apart"]) == (2, 2)
    bias = [[cell["bias"]["value"] for cell in row] for row in results["blended"]]
    assert min(bias[0]) > max(bias[1]) > results["alone"]["bias"]["value"]  # a brighter neighbour adds more

    def refuse(stamps, ebv):
        raise AssertionError("measured again")

    assert blending_study(refuse, {"model": "toy"}, tmp_path, **options) == results
    (tmp_path / "pairs-001.fits").write_bytes(b"broken")
    with pytest.raises(AssertionError, match="measured again"):
        blending_study(refuse, {"model": "toy"}, tmp_path, **options)
    with pytest.raises(AssertionError, match="measured again"):
        blending_study(refuse, {"model": "another"}, tmp_path, **options)
    figure = study_figure(results, "toy")
    assert len(figure.axes) == 6
    line = next(line for line in figure.axes[1].lines if line.get_label() == "neighbour 1 mag brighter")
    np.testing.assert_array_equal(line.get_ydata(), [cell["bias"]["value"] for cell in results["deblended"][0]])
