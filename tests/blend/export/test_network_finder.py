import warnings

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend.export.network_finder import N_SAMPLES, NetworkDeblender, NetworkFinder
from photoz_morph.blend.scenes.files import SkyScene
from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.surveys import SDSS

SIGMA = np.array([3.0, 4.0, 5.0])


class PeakModel:
    """Stands for an exported finder of tiles of 32 pixels in g, r, i: sources are pixels above 50, all of one class."""

    bands, size, sigma, map_score, model_id, folder = ("g", "r", "i"), 32, SIGMA, 0.3, "abc", "export"
    description = {"model": "peaks", "n_members": 2, "image_unit": "nJy", "pixel_scale_arcsec": 0.2}

    def find(self, images, light, source):
        assert images.shape[1:] == (32, 32, 3) and np.isfinite(images).all()
        found = []
        for image, own in zip(images, light):
            y, x = np.nonzero(image[..., 0] > 50)
            owners = np.zeros(image.shape[:2], np.int16)
            owners[y, x] = np.arange(len(y)) + 1
            box = np.stack([y - 0.5, x - 0.5, y + 0.5, x + 0.5], axis=-1)
            found.append((Table({
                "y": y.astype(np.float32), "x": x.astype(np.float32), "box": box.astype(np.float32),
                "score": image[y, x, 0] / 1000, "probability": np.tile(np.eye(5)[3], (len(y), 1)),
                "flux": own[y, x], "n_visible": np.ones(len(y), np.int32),
            }), owners))  # fmt: skip
        return found


def scene_of(image, bands=("g", "r", "i"), sigma=None):
    return Scene("toy", bands, np.asarray(image, np.float32), SIGMA if sigma is None else np.asarray(sigma))


def test_sources_of_a_large_image_are_found_in_the_bands_of_the_model_and_measured_in_all():
    image = np.zeros((70, 50, 4), np.float32)
    places = {(3, 4): 900.0, (24, 23): 800.0, (25, 26): 700.0, (69, 49): 600.0, (40, 10): 200.0}
    for place, flux in places.items():
        image[place] = [1.0, flux, 2 * flux, 3 * flux]
    image[10, 10] = np.nan
    scene = scene_of(image, ("u", "g", "r", "i"), [9, *SIGMA])
    sources, segmentation = NetworkFinder(PeakModel())(scene)
    order = [(3, 4), (24, 23), (25, 26), (69, 49)]  # the fifth has a score of 0.2
    np.testing.assert_array_equal(np.stack([sources["y"], sources["x"]], axis=-1), order)
    np.testing.assert_allclose(sources["flux"], [image[place] for place in order])
    assert [segmentation[place] for place in order] == [1, 2, 3, 4] and segmentation.sum() == 10
    assert list(sources["kind"]) == [3] * 4 and list(sources["n_visible"]) == [1] * 4
    assert len(NetworkFinder(PeakModel(), 0.1)(scene)[0]) == 5
    facts = NetworkFinder(PeakModel()).facts
    assert facts == {"model": "peaks", "model_id": "abc", "networks": 2, "minscore": 0.3}


def test_an_image_without_sources_has_an_empty_catalogue():
    sources, segmentation = NetworkFinder(PeakModel())(scene_of(np.zeros((70, 50, 3))))
    assert len(sources) == 0 and sources["flux"].shape == (0, 3) and segmentation.shape == (70, 50)


class MiddleModel(PeakModel):
    """Stands for an exported deblender: half of the image; samples of twice that and nothing in turn."""

    size, n_latent = 8, 2
    description = {**PeakModel.description, "model": "halves"}

    def deblend(self, images, obj_ids, n_samples, source):
        galaxies = images / 2
        draws = np.arange(n_samples)[:, None, None, None] % 2
        return galaxies, 2 * draws * galaxies[:, None]


def test_deblended_galaxies_are_those_of_whole_stamps_with_the_source_in_the_middle():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(40, 40, 4))
    image[20, 12] += 500
    scene = scene_of(image, ("u", "g", "r", "i"), [1, 1, 1, 1])
    galaxies, columns = NetworkDeblender(MiddleModel())(scene, Table({"y": [20.2, 2.0], "x": [11.9, 20.0]}))
    expected = image[17:25, 8:16, 1:] / 2  # 20.2 and 11.9 are within half a pixel of index 3.5
    np.testing.assert_allclose(galaxies[0], expected, rtol=1e-5)
    np.testing.assert_allclose(columns["flux_deblended"][0], expected.sum(axis=(0, 1)), rtol=1e-5)
    assert np.isnan(galaxies[1]).all() and np.isnan(columns["flux_deblended"][1]).all()
    spread = np.std(np.arange(N_SAMPLES) % 2 * 2, ddof=1) * np.abs(expected.sum(axis=(0, 1)))
    np.testing.assert_allclose(columns["flux_deblended_error"][0], spread, rtol=1e-4)


def sky_of(bands=("g", "r", "i"), unit="nJy", pixel_scale=0.2, survey=None, factor=1.0):
    scene = scene_of(np.zeros((4, 4, len(bands))), bands, factor * np.resize(SIGMA, len(bands)))
    return SkyScene(scene, None, survey, True, unit, pixel_scale)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"bands": ("0", "1", "2")}, "has bands 0,1,2, export needs g,r,i; name those of a FITS image with --bands"),
        ({"bands": ("r",), "survey": SDSS}, "has bands r, export needs g,r,i; give frames in all of them"),
        ({"unit": "nanomaggy"}, "pixels are in nanomaggy, export takes nJy; convert the image and write BUNIT = 'nJy'"),
        ({"unit": ""}, "says no unit of its pixels, export takes nJy"),
        ({"pixel_scale": 0.168}, "pixels have 0.168 arcsec, those of export 0.2; resample it, or give a model trained"),
        ({"pixel_scale": None}, "says no size of its pixels, those of export 0.2; write a WCS, or PIXSCALE"),
    ],
)
def test_images_that_the_model_does_not_know_are_refused(changes, message):
    for part in (NetworkFinder(PeakModel()), NetworkDeblender(MiddleModel())):
        with pytest.raises(ValueError, match="^toy: ") as error:
            part.check(sky_of(**changes), "toy")
        assert message in str(error.value)


def test_another_depth_is_remarked():
    finder = NetworkFinder(PeakModel())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finder.check(sky_of(factor=1.2), "toy")
        finder.check(sky_of(pixel_scale=0.2001), "toy")
    with pytest.warns(UserWarning, match="toy: its noise is that of the training images of export times 3 in g, 3"):
        finder.check(sky_of(factor=3.0), "toy")
