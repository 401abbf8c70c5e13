import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.photoz.config import PretrainConfig
from photoz_morph.photoz.pretraining.views import CHANGES_OF_A_VIEW, colours_of, view
from photoz_morph.surveys import SDSS

SEEDS = tuple(range(CHANGES_OF_A_VIEW))
NONE = PretrainConfig(noise=0, shift=0, extra_ebv=0)


def galaxy(obj_id=7):
    image = np.random.default_rng(obj_id).normal(size=SDSS.image_shape).astype(np.float32)
    facts = {"ebv": np.float32(0.1), "sky_sigma": np.asarray(SDSS.sky_sigma, np.float32), "obj_id": np.int64(obj_id)}
    return {name: tf.constant(value) for name, value in {"image": image, **facts}.items()}


def changed(seeds=SEEDS, obj_id=7, **options):
    found = view(galaxy(obj_id), seeds, dataclasses.replace(NONE, **options), SDSS)
    return {name: value.numpy() for name, value in found.items()}


def test_a_view_is_a_function_of_its_seeds_and_the_galaxy():
    options = {"noise": 1.0, "shift": 3, "extra_ebv": 0.1}
    one, same, other = (changed(seeds, **options)["image"] for seeds in (SEEDS, SEEDS, (9, *SEEDS[1:])))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_without_changes_a_view_is_a_flip_or_rotation():
    assert np.array_equal(np.sort(changed()["image"], axis=None), np.sort(galaxy()["image"].numpy(), axis=None))


def test_dereddening_by_what_is_told_gives_the_galaxy_back():
    found, extinction = changed(extra_ebv=0.3), np.asarray(SDSS.extinction_per_ebv)
    extra = found["ebv"] - 0.1
    assert 0 < extra < 0.3
    unreddened = found["image"] * 10 ** (0.4 * extinction * extra)
    expected = changed()["image"]
    np.testing.assert_allclose(unreddened, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["sky_sigma"] * 10 ** (0.4 * extinction * extra), SDSS.sky_sigma, rtol=1e-4)


def test_the_noise_of_a_view_is_what_is_told():
    found = changed(noise=10.0)
    added = np.std(found["image"] - changed()["image"], axis=(0, 1))
    told = np.sqrt(found["sky_sigma"] ** 2 - np.square(SDSS.sky_sigma))
    np.testing.assert_allclose(added, told, rtol=0.05)  # of 4096 pixels
    assert np.all(told > 0)


def test_shifts_reach_their_limit_and_bring_in_the_sky():
    image = np.zeros(SDSS.image_shape, np.float32)
    image[32, 32] = 1
    stamp = {**galaxy(), "image": tf.constant(image + 1)}
    offsets, darkest = set(), set()
    for number in range(60):
        found = view(stamp, (0, number, 0, 0, 0), dataclasses.replace(NONE, shift=2), SDSS)["image"].numpy()
        offsets.add(max(abs(axis[0] - 31.5) for axis in np.nonzero(found[..., 0] == 2)))
        darkest.add(found.min())
    assert max(offsets) == 2.5 and 0 in darkest


def test_colours_are_corrected_for_the_dust_of_the_map():
    extinction, intrinsic = np.asarray(SDSS.extinction_per_ebv), np.array([19.0, 18.0, 17.5, 17.2, 17.0])
    mags = np.stack([intrinsic + ebv * extinction for ebv in (0.0, 0.4)])
    mags[1, 4] = np.nan
    colours = colours_of(mags, np.array([0.0, 0.4]), SDSS)
    np.testing.assert_allclose(colours[0], [1.0, 0.5, 0.3, 0.2], atol=1e-6)
    np.testing.assert_allclose(colours[1], [1.0, 0.5, 0.3, np.nan], atol=1e-6)


@pytest.mark.parametrize("obj_id", [-3, 2**60])
def test_any_64_bit_identifier_has_views(obj_id):
    stamp = {**galaxy(), "obj_id": tf.constant(obj_id, tf.int64)}
    assert np.isfinite(view(stamp, SEEDS, PretrainConfig(), SDSS)["image"].numpy()).all()
