import numpy as np
import pytest
from scipy import ndimage
from scipy.optimize import brentq

from photoz_morph.mocks.segment import galaxy_segment

SCALE_LENGTH = 12.0  # pixels


def disk(x=0.0, y=0.0, axis_ratio=1.0, angle=0.0, size=300):
    """Exponential disk; `angle` of the major axis from columns to rows."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    rows, columns = rows - y, columns - x
    along, across = columns * np.cos(angle) + rows * np.sin(angle), rows * np.cos(angle) - columns * np.sin(angle)
    return np.exp(-np.hypot(along, across / axis_ratio) / SCALE_LENGTH)


def test_segment_of_an_exponential_disk_ends_at_its_petrosian_radius():
    # I(r) = 0.2 <I>(<r) for exp(-x): 0.5 x^2 exp(-x) = 0.2 (1 - (1 + x) exp(-x)), Lotz et al. (2004), Eq. 4.
    x = brentq(lambda x: 0.5 * x**2 * np.exp(-x) - 0.2 * (1 - (1 + x) * np.exp(-x)), 1, 10)
    area = galaxy_segment(disk()).sum()
    # Smoothing by a fifth of the radius moves the isophote and its mean alike: a few per cent.
    assert np.sqrt(area / np.pi) == pytest.approx(x * SCALE_LENGTH, rel=0.04)


def test_segment_has_the_shape_and_orientation_of_the_galaxy():
    segment = galaxy_segment(disk(axis_ratio=0.6, angle=0.5))
    rows, columns = (index - index.mean() for index in np.nonzero(segment))
    (minor, major), axes = np.linalg.eigh(np.cov(columns, rows))
    assert np.arctan(axes[1, 1] / axes[0, 1]) == pytest.approx(0.5, abs=0.05)
    assert 0.6 <= np.sqrt(minor / major) < 0.75  # the smoothing is round


def test_segment_moves_and_turns_with_the_galaxy_and_ignores_its_flux():
    image = disk(axis_ratio=0.7, angle=0.3)
    segment = galaxy_segment(image)
    for turned in (np.rot90, np.flipud, np.transpose):
        overlap = galaxy_segment(turned(image)) & turned(segment)
        assert overlap.sum() > 0.97 * segment.sum()
    assert np.array_equal(galaxy_segment(1e6 * image), segment)
    moved = ndimage.center_of_mass(galaxy_segment(disk(x=40, y=-25, axis_ratio=0.7, angle=0.3)))
    np.testing.assert_allclose(np.subtract(moved, ndimage.center_of_mass(segment)), [-25, 40], atol=1)


def test_segment_is_one_piece_of_the_brighter_of_two_galaxies():
    bright, faint = disk(x=70, y=70), disk(x=-70, y=-70) / 3
    segment = galaxy_segment(bright + faint)
    assert ndimage.label(segment, np.ones((3, 3)))[1] == 1
    assert segment[219, 219] and not segment[79, 79]
    assert (segment & galaxy_segment(bright)).sum() > 0.97 * galaxy_segment(bright).sum()


def test_an_image_without_a_galaxy_has_no_segment():
    assert galaxy_segment(np.zeros((200, 200))) is None
    assert galaxy_segment(np.ones((200, 200))) is None
