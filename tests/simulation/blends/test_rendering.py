from dataclasses import replace

import galsim
import numpy as np
import pytest

from photoz_morph.mocks.observe import lsst_psf
from photoz_morph.shards.blends import DISK, MERGER, SPHEROID, STAR
from photoz_morph.simulation.blends.cameras import Camera
from photoz_morph.simulation.blends.population import Source
from photoz_morph.simulation.blends.rendering import FAINTEST, band_maps, light, render, turned
from photoz_morph.surveys import LSST

CAMERA = Camera("lsst", 10)
MAGS = np.array([22.5, 21.9, 21.6])


def source(parents, kind, x=60.3, y=66.8, size_arcsec=0.9, **changes):
    parent = -1 if kind == STAR else int(np.flatnonzero(parents.kinds == kind)[2])
    return Source(kind, x, y, MAGS, redshift=0.5, size_arcsec=size_arcsec, parent=parent, angle=0.7, **changes)


@pytest.mark.parametrize("kind", [STAR, SPHEROID, DISK, MERGER])
def test_flux_and_centre_are_those_drawn(parents, kind):
    image, row, column = light(source(parents, kind), parents, CAMERA, 256)
    np.testing.assert_allclose(image.sum(axis=(0, 1)), CAMERA.flux(MAGS), rtol=1e-4)
    y, x = np.indices(image.shape[:2])
    total = image[..., 1]
    # The wings of the point-spread function wrap around, and colours differ from place to place.
    assert (total * x).sum() / total.sum() + column == pytest.approx(60.3, abs=0.15)
    assert (total * y).sum() / total.sum() + row == pytest.approx(66.8, abs=0.15)


@pytest.mark.parametrize("kind, size_arcsec", [(DISK, 0.9), (SPHEROID, 0.3), (MERGER, 2.0)])
def test_a_galaxy_is_what_galsim_draws_of_the_turned_parent(parents, kind, size_arcsec):
    drawn = source(parents, kind, size_arcsec=size_arcsec)
    image, row, column = light(drawn, parents, CAMERA, 192)
    maps, pixel = parents.maps(drawn.parent, size_arcsec / 0.2)
    bands = band_maps(turned(maps, drawn.angle, False), 0.5, "lsst")
    for b, band in enumerate("gri"):
        pixels = galsim.Image(np.ascontiguousarray(bands[b], float), scale=0.2 * pixel)
        galaxy = galsim.InterpolatedImage(pixels, x_interpolant="linear", normalization="flux", flux=1.0)
        seen = galsim.Convolve(galaxy, lsst_psf(LSST, band)).withFlux(CAMERA.flux(MAGS)[b])
        offset = galsim.PositionD(60.3 - column - 95.5, 66.8 - row - 95.5)  # from the middle of the image
        reference = seen.drawImage(nx=192, ny=192, scale=0.2, offset=offset).array
        np.testing.assert_allclose(image[..., b], reference, rtol=0, atol=1e-3 * reference.max())


def test_a_quarter_turn_and_a_mirror_are_exact():
    maps = np.random.default_rng(1).uniform(size=(3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(turned(maps, np.pi / 2, False), np.rot90(maps, axes=(2, 1)), rtol=1e-5)
    np.testing.assert_allclose(turned(maps, 0, True), maps[:, :, ::-1], rtol=1e-6)


def test_old_light_is_redder_where_it_is():
    maps = np.zeros((3, 4, 4), np.float32)
    maps[0, 0, 0] = maps[2, 3, 3] = 1
    bands = band_maps(maps, 0.3, "lsst")
    np.testing.assert_allclose(bands.sum(axis=(1, 2)), 1, rtol=1e-6)
    assert bands[0, 0, 0] < bands[2, 0, 0] and bands[0, 3, 3] > bands[2, 3, 3]


def test_what_is_cut_off_is_lost_in_the_noise(parents):
    drawn = source(parents, SPHEROID)
    whole, row, column = light(drawn, parents, CAMERA, 384)
    image = render(drawn, parents, CAMERA, 250)
    inside = np.zeros((384, 384), bool)
    inside[image.row - row :, image.column - column :][: image.pixels.shape[0], : image.pixels.shape[1]] = True
    assert (whole[~inside] <= 1.05 * FAINTEST * CAMERA.sky_sigma).all()
    assert image.pixels.dtype == np.float16
    kept = whole[inside].reshape(image.pixels.shape)
    np.testing.assert_allclose(image.pixels, kept, rtol=1e-3, atol=0.3 * FAINTEST * CAMERA.sky_sigma.max())


def test_the_edge_of_the_field_cuts_and_what_is_beyond_is_not_seen(parents):
    drawn = source(parents, DISK, x=-2.0, y=130.0)
    image = render(drawn, parents, CAMERA, 128)
    assert image.column == 0 and image.row + image.pixels.shape[0] == 128
    whole, row, column = light(drawn, parents, CAMERA, 128)
    np.testing.assert_allclose(image.pixels[-1, 0], whole[127 - row, -column], rtol=1e-2)
    assert render(replace(drawn, x=-80.0), parents, CAMERA, 128) is None
    assert render(replace(drawn, mags=MAGS + 12), parents, CAMERA, 128) is None


def test_a_source_too_bright_for_half_precision_is_refused(parents):
    with pytest.raises(ValueError, match="nJy in a pixel is brighter than 60000"):
        render(replace(source(parents, STAR), mags=np.array([14.0, 14.0, 14.0])), parents, CAMERA, 128)
