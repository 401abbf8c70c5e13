import numpy as np
import pytest
from scipy import ndimage

from photoz_morph.simulation.cosmology.lognormal import FieldSettings, log_density, simulate_fields
from photoz_morph.simulation.cosmology.observing import ObservationSettings, beam_transform, draw_mask, observe_fields

FIELDS = simulate_fields(FieldSettings(n_pixels=32), range(4))[0]


def test_without_noise_and_holes_the_field_is_smoothed_by_the_beam():
    settings = ObservationSettings(beam_fwhm=4.0, noise=0, masked=0)
    observed, truth = observe_fields(FIELDS, range(4), settings)
    np.testing.assert_array_equal(truth[..., 0], log_density(FIELDS))
    assert (observed[..., 1] == 1).all()
    # SciPy's kernel is cut and sampled; at 1.7 pixels it is that of the transform to 1e-3.
    for seen, field in zip(observed[..., 0], truth[..., 0].astype(float)):
        expected = ndimage.gaussian_filter(field, 4 / 2.35482, mode="wrap", truncate=6)
        np.testing.assert_allclose(seen, expected, atol=2e-3)


def test_the_width_of_the_beam_is_where_it_falls_to_half():
    beam = np.fft.fftshift(np.fft.irfft2(beam_transform(64, 8.0), s=(64, 64)))
    assert beam.sum() == pytest.approx(1)
    assert beam[32, 36] / beam[32, 32] == pytest.approx(0.5, rel=1e-3)


def test_what_is_left_is_white_noise_and_nothing_is_known_in_holes():
    settings = ObservationSettings(beam_fwhm=0, noise=0.3, masked=0.2, hole_radius=3)
    observed, truth = observe_fields(FIELDS, range(4), settings)
    seen = observed[..., 1] == 1
    assert (observed[..., 0][~seen] == 0).all() and (~seen).any()
    noise = (observed[..., 0] - truth[..., 0])[seen]
    assert noise.std() == pytest.approx(0.3, rel=0.04) and abs(noise.mean()) < 0.03


def test_holes_hide_the_part_asked_for_and_go_across_the_edges():
    settings = ObservationSettings(masked=0.3, hole_radius=5)
    masks = [draw_mask(64, settings, np.random.default_rng(seed)) for seed in range(200)]
    assert 1 - np.mean(masks) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(np.mean(masks, axis=0), 0.7, atol=0.2)  # as often at the edges as anywhere
    assert draw_mask(64, ObservationSettings(masked=0), np.random.default_rng(1)).all()


def test_an_observation_depends_on_its_index_and_seed_alone():
    observed, _ = observe_fields(FIELDS, range(4))
    some, _ = observe_fields(FIELDS[[3, 1]], [3, 1])
    np.testing.assert_array_equal(some, observed[[3, 1]])
    assert not np.array_equal(observe_fields(FIELDS, range(4), seed=2)[0], observed)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"masked": 0.95}, "masked is 0.95; give a number from 0 to 0.9"),
        ({"noise": -1}, "noise is -1; give a number from 0"),
        ({"hole_radius": 0}, "hole_radius is 0; give a number above 0"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ObservationSettings(**wrong)
