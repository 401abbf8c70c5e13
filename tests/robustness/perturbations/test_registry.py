import numpy as np
import pytest

from photoz_morph.robustness.perturbations.registry import (
    PERTURBATIONS,
    perturb,
    perturbation_examples,
)
from tests.support.perturbations import IDS, SAMPLE, blobs, sky_stamps


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_without_severity_images_stay_as_they_are(name):
    images = sky_stamps() + blobs(flux=1e5)
    kept = perturb(name, images, IDS, PERTURBATIONS[name].none, SAMPLE)
    np.testing.assert_array_equal(kept, images)
    assert kept is not images and PERTURBATIONS[name].none not in PERTURBATIONS[name].severities


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_galaxy_depends_on_no_other_galaxy_but_on_the_seed(name):
    images = sky_stamps() + blobs(flux=1e5)
    before, severity = images.copy(), PERTURBATIONS[name].severities[2]
    together = perturb(name, images, IDS, severity, SAMPLE, seed=3)
    alone = perturb(name, images[4:5], IDS[4:5], severity, SAMPLE, seed=3)
    np.testing.assert_allclose(alone[0], together[4], atol=1e-3)  # nJy; matrix products may add in another order
    np.testing.assert_array_equal(images, before)
    assert together.dtype == np.float32 and np.isfinite(together).all()
    assert (together != images).any(axis=(1, 2, 3)).all()
    if name != "jpeg":  # the only kind without chance
        assert np.abs(perturb(name, images, IDS, severity, SAMPLE, seed=4) - together).max() > 1


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no perturbation 'satellite'; there are hot_pixel, dead_pixel"):
        perturb("satellite", sky_stamps(1), IDS[:1], 1, SAMPLE)


def test_examples_show_every_severity():
    examples = perturbation_examples(sky_stamps(1)[0], 5, SAMPLE)
    assert {name: len(images) for name, images in examples.items()} == {
        name: len(kind.severities) for name, kind in PERTURBATIONS.items()
    }


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_an_image_of_nan_stays_one(name):
    """FITS integers and JPEG bytes would make numbers of it."""
    images, severity = sky_stamps() + blobs(flux=1e5), PERTURBATIONS[name].severities[2]
    whole = perturb(name, images, IDS, severity, SAMPLE)
    images[1, 3, 3, 0], images[2, 0, 0] = np.nan, np.inf
    changed = perturb(name, images, IDS, severity, SAMPLE)
    assert np.isnan(changed[1:3]).all()
    np.testing.assert_allclose(changed[3:], whole[3:], atol=1e-3)
