import numpy as np
import pytest

from photoz_morph.robustness.perturbations.registry import (
    perturb,
)
from tests.support.perturbations import ELECTRONS_PER_NJY, IDS, SAMPLE, SUM, added_electrons, blobs, sky_stamps


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_hot_pixel_adds_its_electrons_to_one_pixel_of_one_band_at_every_severity(context):
    images = sky_stamps(context=context)
    changed = []
    for severity in (1e4, 1e5):
        hot = perturb("hot_pixel", images, IDS, severity, context)
        changed.append(np.argwhere(hot != images))
        assert len(changed[-1]) == len(images) and len(set(changed[-1][:, 0])) == len(images)
        np.testing.assert_allclose(added_electrons(images, hot, context), severity, rtol=2e-3)
    np.testing.assert_array_equal(*changed)
    assert len(set(changed[0][:, 3])) > 1  # not always the same band


def test_dead_pixel_loses_light_and_sky_but_not_the_subtracted_sky():
    images = blobs(flux=1e6)
    dead = perturb("dead_pixel", images, IDS, 1, SAMPLE)
    galaxy, row, column, band = np.nonzero(dead != images)
    assert len(galaxy) == len(images)
    # Without an electron the pixel is minus the sky: 24,114, 127,057 and 183,653 e- in ten years.
    sky = -25 * np.array([24114, 127057, 183653]) / ELECTRONS_PER_NJY
    np.testing.assert_allclose(dead[galaxy, row, column, band], sky[band], rtol=2e-3)
    half = perturb("dead_pixel", images, IDS, 0.5, SAMPLE)
    np.testing.assert_allclose(half, (images + dead) / 2, rtol=1e-5, atol=1e-2)
    # Of 25 summed pixels a dead one takes a 25th of the light and its own sky.
    summed = perturb("dead_pixel", images, IDS, 1, SUM)
    lost = (images - summed)[galaxy, row, column, band]
    np.testing.assert_allclose(lost, images[galaxy, row, column, band] / 25 - sky[band] / 25, rtol=2e-3)


def test_cosmic_ray_keeps_its_electrons_and_its_length():
    images, ids = np.zeros((60, 100, 100, 3), np.float32), np.arange(60)
    hit = perturb("cosmic_ray", images, ids, 1e5, SUM)
    touched = (hit > 0).any(axis=3)
    inside = ~(touched[:, [0, -1]].any(axis=(1, 2)) | touched[:, :, [0, -1]].any(axis=(1, 2)))
    assert inside.sum() > 20
    np.testing.assert_allclose(added_electrons(images, hit, SUM)[inside], 1e5, rtol=2e-3)
    assert ((hit > 0).any(axis=(1, 2)).sum(axis=1) == 1).all()  # a visit has one band
    # 100,000 e- / (80 e- / um) = 1,250 um; sqrt(1250^2 - 100^2) um are 124.6 camera pixels, 24.9 of the stamp.
    for track in touched[inside]:
        rows, columns = np.nonzero(track)
        length = np.hypot(np.ptp(rows), np.ptp(columns))
        assert abs(length - 24.9) < 2  # both ends fall anywhere in their pixels


def test_vertical_muon_hits_one_camera_pixel():
    hit = perturb("cosmic_ray", np.zeros((6, 100, 100, 3), np.float32), IDS, 8000, SUM)
    assert (np.count_nonzero(hit, axis=(1, 2, 3)) == 1).all()


def test_sampled_stamps_see_one_row_in_five_of_a_trail_and_summed_ones_all():
    images = np.zeros((6, 100, 100, 3), np.float32)
    for context in (SAMPLE, SUM):
        trail = perturb("saturation_bleed", images, IDS, 1.05e6, context)  # 10 full wells and a half
        assert (np.count_nonzero(trail.any(axis=(1, 3)), axis=1) == 1).all()  # one column
        if context is SUM:
            np.testing.assert_allclose(added_electrons(images, trail, SUM), 1.05e6, rtol=2e-3)
            assert (np.count_nonzero(trail, axis=(1, 2, 3)) == 3).all()
        else:
            np.testing.assert_allclose(added_electrons(images, trail, SAMPLE), 2e5, rtol=2e-3)
        ends = trail[:, [0, -1]].any(axis=(2, 3))
        assert (ends.sum(axis=1) == 1).all() and ends.any(axis=0).all()  # from one edge, either of them


def test_trail_longer_than_the_stamp_leaves_it():
    images = np.zeros((6, 100, 100, 3), np.float32)
    trail = perturb("saturation_bleed", images, IDS, 1e9, SUM)
    np.testing.assert_allclose(added_electrons(images, trail, SUM), 500 * 1e5, rtol=2e-3)


def test_bad_column_fills_one_column_with_the_same():
    images = np.zeros((6, 100, 100, 3), np.float32)
    for context, pixels in ((SAMPLE, 1), (SUM, 5)):
        bad = perturb("bad_column", images, IDS, 1000, context)
        assert (np.count_nonzero(bad, axis=(1, 2, 3)) == 100).all()
        np.testing.assert_allclose(added_electrons(images, bad, context), 100 * pixels * 1000, rtol=2e-3)
        assert all(len(np.unique(image[image > 0])) == 1 for image in bad)
