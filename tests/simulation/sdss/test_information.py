from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.simulation.sdss import information
from photoz_morph.simulation.sdss.images import draw_observation, noiseless_images, survey_flux
from photoz_morph.simulation.sdss.information import (
    efficient_measurement,
    measure_sample,
    parameter_names,
    pixel_information,
)
from photoz_morph.simulation.sdss.noise import median_variance, resampled_variance
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.simulation.sdss.sample import simulate_galaxy
from photoz_morph.surveys import SDSS

R = SDSS.bands.index("r")
NAMES = parameter_names(SDSS.bands)


@pytest.fixture(scope="module")
def scenes():
    """A late and an early type, each with its observation."""
    parents, found = Parents(), {}
    for index in range(40):
        rng = np.random.default_rng([3, index])
        galaxy = draw_galaxy(parents, rng)
        observation = draw_observation(galaxy, parents, SDSS, rng, deep_fraction=0.0)
        if 0.15 < galaxy.bulge_to_total < 0.9 and 1.5 < galaxy.r_e < 3:
            found.setdefault(galaxy.is_early, (galaxy, observation))
    return found[False], found[True]


@pytest.fixture(scope="module")
def columns():
    rows = [simulate_galaxy(4, index)[1] for index in range(6)]
    return {name: np.stack([row[name] for row in rows]) for name in ("obj_id", "n_frames", "true_mags")}


def test_a_sample_of_another_seeing_is_measured_through_it():
    """Recorded widths of the survey's own seeing change nothing, wider ones leave less to be known of the size."""
    rows = {seeing: [simulate_galaxy(4, index, seeing=seeing)[1] for index in range(3)] for seeing in (1.0, 2.0)}
    names = ("obj_id", "n_frames", "true_mags", "psf_fwhm")
    parts = {seeing: {name: np.stack([row[name] for row in some]) for name in names} for seeing, some in rows.items()}
    without = {name: values for name, values in parts[1.0].items() if name != "psf_fwhm"}
    scenes = {key: list(information._scenes(part, SDSS)) for key, part in {**parts, "none": without}.items()}
    for own, wide, none in zip(scenes[1.0], scenes[2.0], scenes["none"], strict=True):
        np.testing.assert_array_equal(own[2].psf_fwhm, none[2].psf_fwhm)
        np.testing.assert_allclose(wide[2].psf_fwhm, 2 * own[2].psf_fwhm, rtol=1e-6)
    _, galaxy, observation = scenes[1.0][0]
    size = NAMES.index("ln_size")
    own, wide = (pixel_information(galaxy, scenes[key][0][2], SDSS)[1][size, size] for key in (1.0, 2.0))
    assert wide < own


def variance_of(galaxy, observation):
    """Variance of the pixels of the frames, shape (n_bands, size, size)."""
    target, neighbours = noiseless_images(galaxy, observation, SDSS)
    scene = target if neighbours is None else target + neighbours
    photons = np.maximum(scene, 0) * (median_variance(observation.n_frames) / np.asarray(SDSS.gain))[:, None, None]
    return (observation.sky_sigma**2 / resampled_variance())[:, None, None] + photons


def test_known_profiles_give_the_errors_of_a_matched_filter(scenes):
    for galaxy, observation in scenes:
        _, fisher = pixel_information(galaxy, observation, SDSS)
        target = noiseless_images(galaxy, replace(observation, neighbours=()), SDSS)[0].astype(float)
        relative = np.sum(target**2 / variance_of(galaxy, observation), axis=(1, 2)) ** -0.5
        # The sky and the centre, which are not known either, add to them.
        ratio = np.diag(fisher)[:5] ** -0.5 / (2.5 / np.log(10) * relative)
        assert np.all(ratio > 0.999) and np.all(ratio < 1.25)


def test_information_on_the_size_is_that_of_the_change_of_the_image(scenes):
    galaxy, observation = scenes[0]
    _, fisher = pixel_information(galaxy, observation, SDSS)
    images = []
    for factor in (0.99, 1.01):
        parts = [replace(part, half_light_radius=factor * part.half_light_radius) for part in galaxy.components]
        changed = replace(galaxy, components=tuple(parts))
        images.append(noiseless_images(changed, replace(observation, neighbours=()), SDSS)[0].astype(float))
    expected = np.sum(((images[1] - images[0]) / np.log(1.01 / 0.99)) ** 2 / variance_of(galaxy, observation))
    found = fisher[NAMES.index("ln_size"), NAMES.index("ln_size")]
    assert found == pytest.approx(expected, rel=0.1) and found < expected * 1.02


def test_parameters_are_those_of_the_galaxy_as_observed(scenes):
    for galaxy, observation in scenes:
        parameters, fisher = pixel_information(galaxy, observation, SDSS)
        target = noiseless_images(galaxy, replace(observation, neighbours=()), SDSS)[0]
        # Some of the light lies beyond the stamp.
        outside = parameters[R] - (SDSS.zero_point - 2.5 * np.log10(target[R].sum()))
        assert -0.25 < outside <= 0.001
        named = dict(zip(NAMES, parameters))
        assert 0 < named["inner_r"] < 1 and named["sersic_index"] == galaxy.components[0].n
        assert np.exp(named["ln_axis_ratio"]) == pytest.approx(galaxy.components[-1].axis_ratio)
        assert len(NAMES) == len(parameters) == len(fisher) == 13
        eigenvalues = np.linalg.eigvalsh(fisher)
        assert eigenvalues[0] > -1e-9 * eigenvalues[-1]


def test_depth_seeing_and_neighbours_change_the_information_as_they_must(scenes):
    galaxy, observation = scenes[0]
    alone = replace(observation, neighbours=())
    bright = replace(galaxy.components[-1], flux=5 * survey_flux(galaxy.true_mags, SDSS))
    errors = {}
    for name, changed in {
        "alone": alone,
        "deep": replace(alone, n_frames=4, sky_sigma=observation.sky_sigma * np.sqrt(median_variance(4))),
        "blurred": replace(alone, psf_fwhm=1.5 * observation.psf_fwhm),
        "blended": replace(alone, neighbours=(bright,), positions=np.array([[4.0, 0.0]])),
    }.items():  # fmt: skip
        errors[name] = np.sqrt(np.diag(np.linalg.inv(pixel_information(galaxy, changed, SDSS)[1])))
    assert np.all(errors["deep"] < 0.8 * errors["alone"])
    assert np.all(errors["blurred"] > errors["alone"]) and np.all(errors["blended"] > errors["alone"])


def test_measurements_have_the_inverse_of_the_information_as_covariance():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    fisher, true = root @ root.T + np.eye(3), np.array([1.0, -2.0, 0.5])
    drawn = np.array([efficient_measurement(true, fisher, rng) for _ in range(4000)])
    estimates = np.linalg.solve(fisher, drawn.T)
    covariance = np.linalg.inv(fisher)
    # 4,000 draws: a variance is known to 2.2 %, a mean to 1.6 % of its standard deviation.
    np.testing.assert_allclose(np.cov(estimates), covariance, atol=0.1 * np.diag(covariance).max())
    np.testing.assert_allclose(estimates.mean(axis=1), true, atol=0.06 * np.sqrt(np.diag(covariance)).max())


def test_a_galaxy_without_inner_light_says_nothing_of_it(scenes):
    galaxy, observation = scenes[0]
    *inner, last = galaxy.components
    whole = replace(last, flux=last.flux + sum(part.flux for part in inner))
    bare = replace(galaxy, components=(*(replace(part, flux=0 * part.flux) for part in inner), whole))
    parameters, fisher = pixel_information(bare, observation, SDSS)
    index = NAMES.index("sersic_index")
    assert np.all(parameters[5:10] == 0) and np.isfinite(fisher).all()
    assert abs(fisher[index, index]) < 1e-6 and fisher[NAMES.index("inner_r"), NAMES.index("inner_r")] > 1
    assert np.isfinite(efficient_measurement(parameters, fisher, np.random.default_rng(0))).all()


def test_measurements_depend_on_nothing_but_the_galaxy_and_are_kept(columns, tmp_path, monkeypatch):
    halves = {"a": {name: values[:4] for name, values in columns.items()},
              "b": {name: values[4:] for name, values in columns.items()}}  # fmt: skip
    found = measure_sample(tmp_path / "one", halves, SDSS, 1, progress=False)
    np.testing.assert_array_equal(found["obj_id"], columns["obj_id"])
    reversed_rows = {"c": {name: values[::-1] for name, values in columns.items()}}
    again = measure_sample(tmp_path / "two", reversed_rows, SDSS, 1, progress=False)
    for name, values in found.items():
        np.testing.assert_array_equal(values, again[name][::-1])
    # Killed between two files, and a file of other galaxies: only what is missing is made.
    (tmp_path / "one" / "b.fits").unlink()
    calls = []
    measure_part = information.measure_part
    monkeypatch.setattr(information, "measure_part", lambda *job: calls.append(job[0].name) or measure_part(*job))
    kept = measure_sample(tmp_path / "one", halves, SDSS, 1, progress=False)
    assert calls == ["b.fits"] and np.array_equal(kept["measured"], found["measured"])
    measure_sample(tmp_path / "one", {"a": halves["b"]}, SDSS, 1, progress=False)
    assert calls == ["b.fits", "a.fits"]


def test_deep_stacks_are_told_by_their_frames(tmp_path):
    rows = [simulate_galaxy(4, index, deep_fraction=fraction)[1] for index, fraction in ((0, 1.0), (1, 0.0), (2, 0.9))]
    columns = {name: np.stack([row[name] for row in rows]) for name in ("obj_id", "n_frames", "true_mags")}
    deep = measure_sample(tmp_path, {"deep": columns}, SDSS, 1, progress=False)["fisher"]
    shallow = columns | {"n_frames": np.ones((1, 5))}
    shallow = {name: values[:1] for name, values in shallow.items()}
    single = measure_sample(tmp_path, {"single": shallow}, SDSS, 1, progress=False)["fisher"]
    assert deep[0, R, R] > 5 * single[0, R, R]


@pytest.mark.parametrize("name, value", [("true_mags", 0.01), ("n_frames", 5), ("n_frames", np.nan), ("obj_id", 1)])
def test_other_galaxies_are_refused_before_the_work(columns, tmp_path, monkeypatch, name, value):
    changed = columns | {name: columns[name] + np.array(value, columns[name].dtype if name == "obj_id" else float)}
    monkeypatch.setattr(information, "measure_part", lambda *job: pytest.fail("the work was begun"))
    with pytest.raises(ValueError, match=r"galaxy 4000000000\d is not the one that this version simulates .*recipe"):
        measure_sample(tmp_path / "new", {"a": changed}, SDSS, 1, progress=False)


@pytest.mark.parametrize("content", [b"", b"SIMPLE", None])
def test_a_damaged_file_is_made_again(columns, tmp_path, content):
    part = {"a": {name: values[:1] for name, values in columns.items()}}
    if content is None:
        Table({"obj_id": part["a"]["obj_id"]}).write(tmp_path / "a.fits")
    else:
        (tmp_path / "a.fits").write_bytes(content)
    assert len(measure_sample(tmp_path, part, SDSS, 1, progress=False)["obj_id"]) == 1
