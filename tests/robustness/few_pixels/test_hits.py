import numpy as np
import pytest

from photoz_morph.robustness.few_pixels.hits import Changes, Hits, no_change

IMAGE = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
PER_UNIT = np.array([100.0, 10.0])


def changes(*hits):
    """One change of (row, column, band, amount) each."""
    return Changes(np.array([[hit[:3] for hit in hits]]), np.array([[hit[3] for hit in hits]]))


def test_changes_are_added_to_their_pixels_and_to_no_other():
    one = changes((1, 2, 0, 0.5), (2, 3, 1, -4.0), (-1, -1, -1, 0.0))
    image = one.applied(IMAGE)[0]
    assert image[1, 2, 0] == IMAGE[1, 2, 0] + 0.5 and image[2, 3, 1] == IMAGE[2, 3, 1] - 4
    assert np.sum(image != IMAGE) == 2
    assert np.array_equal(no_change().applied(IMAGE)[0], IMAGE)


def test_electrons_add_up_over_hits_and_sigma_is_that_of_the_largest():
    two = changes((0, 0, 0, 0.5), (0, 1, 1, -4.0))
    assert Hits(IMAGE, PER_UNIT).cost(two) == pytest.approx([50 + 40])
    assert Hits(IMAGE, PER_UNIT, "sigma").cost(two) == pytest.approx([50])
    assert Hits(IMAGE, PER_UNIT).cost(no_change()) == [0]


@pytest.mark.parametrize("measure, n_hits, share", [("electrons", 1, 200), ("electrons", 2, 100), ("sigma", 2, 200)])
def test_a_level_is_shared_by_the_hits_if_it_is_of_electrons(measure, n_hits, share):
    amounts = Hits(IMAGE, PER_UNIT, measure).amounts(200, n_hits)
    assert np.allclose(amounts[1, 1], [share / 100, -share / 100, share / 10, -share / 10])


def test_limits_of_the_pixels_hold():
    up = np.full(IMAGE.shape, 1.5)
    up[2, 0, 1] = 0
    amounts = Hits(IMAGE, PER_UNIT, up=up, down=0.25).amounts(1000, 1)
    assert np.allclose(amounts[0, 0], [1.5, -0.25, 1.5, -0.25]) and np.allclose(amounts[2, 0], [1.5, -0.25, 0, -0.25])


def test_a_pixel_of_a_band_is_hit_once_and_not_by_nothing():
    hits = Hits(IMAGE, PER_UNIT, up=np.where(np.arange(2) == 1, 0.0, np.inf) * np.ones(IMAGE.shape))
    first = changes((1, 2, 0, 1.0))
    pixels, kinds = np.array([[1, 2], [1, 2], [1, 1], [1, 1]]), np.array([1, 3, 0, 2])
    with_hit, is_new = hits.with_hits(first, pixels, kinds, hits.amounts(10, 1))
    assert is_new.tolist() == [False, True, True, False]  # that pixel and band; the other band; another; no amount
    assert with_hit.places[1].tolist() == [[1, 2, 0], [1, 2, 1]] and with_hit.amounts[2] == pytest.approx([1.0, 0.1])


def test_a_measure_that_is_unknown_or_has_no_unit_is_refused():
    with pytest.raises(ValueError, match="measure is 'counts'; choose one of electrons, sigma"):
        Hits(IMAGE, PER_UNIT, "counts")
    with pytest.raises(ValueError, match="electrons per image unit are .* give a positive number a band"):
        Hits(IMAGE, np.array([1.0, np.nan]))
