import numpy as np
import pytest

from photoz_morph.models.fields.restorer import StandardisedField, field_unet

SMALL = dict(image_shape=(16, 16, 2), width=4, depth=2)


def observed(seed=1, n=2):
    rng = np.random.default_rng(seed)
    seen = (rng.random((n, 16, 16, 1)) < 0.8).astype(np.float32)
    return np.concatenate([rng.normal(2, 3, seen.shape).astype(np.float32) * seen, seen], axis=-1)


def test_pixels_are_in_units_of_their_scatter_and_holes_stay_at_the_mean():
    maps = observed()
    found = np.array(StandardisedField(2.0, 3.0)(maps))
    np.testing.assert_allclose(found[..., 0], (maps[..., 0] - 2) / 3 * maps[..., 1], atol=1e-6)
    np.testing.assert_array_equal(found[..., 1], maps[..., 1])
    alone = np.array(StandardisedField(2.0, 3.0)(maps[..., :1]))
    np.testing.assert_allclose(alone, (maps[..., :1] - 2) / 3, atol=1e-6)


def test_an_edge_sees_what_lies_beyond_it_on_the_other_side():
    network = field_unet(**SMALL, offset=2.0, deviation=3.0, seed=2)
    maps = observed()
    expected = np.array(network({"image": maps})["field"])
    assert expected.shape == (2, 16, 16, 1)

    def effect(changed, column):
        """On the answer at a column, of a change at another."""
        other = maps.copy()
        other[:, :, changed, 0] += 3
        return np.abs(np.array(network({"image": other})["field"]) - expected)[:, :, column].mean()

    assert effect(15, 0) > 0.3 * effect(7, 8) > 0


def test_the_answer_is_in_the_unit_of_the_fields():
    network = field_unet(**SMALL, seed=2)
    scaled = field_unet(**SMALL, offset=-5.0, deviation=10.0, seed=2)
    maps = observed()
    in_units = maps * np.array([10.0, 1.0], np.float32) + maps[..., 1:] * np.array([-5.0, 0.0], np.float32)
    expected = -5 + 10 * np.array(network({"image": maps})["field"])
    np.testing.assert_allclose(scaled({"image": in_units})["field"], expected, atol=1e-3)


def test_fields_that_cannot_be_halved_or_scaled_are_refused():
    with pytest.raises(ValueError, match="20 x 20 pixels, which a network of depth 3 cannot halve"):
        field_unet((20, 20, 2), depth=3)
    with pytest.raises(ValueError, match="deviation is 0.0; give that of the pixels, above 0"):
        field_unet(**SMALL, deviation=0.0)
