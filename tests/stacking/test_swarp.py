"""Stacks of one galaxy, real and synthetic, made by the real SWarp."""

import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from photoz_morph.catalogs.galaxies import read_galaxy_catalog
from photoz_morph.stacking.frame_index import index_frames, overlapping_frames
from photoz_morph.stacking.stamps import stack_band, stack_galaxy
from photoz_morph.stacking.swarp import coadd, find_swarp
from photoz_morph.surveys import SDSS
from tests.support.frames import PROGRAM, R_ONLY, SIDE_ARCSEC, frame_header, swarp_test, write_frame
from tests.support.paths import DATA, SHARED_DATA

FULL_FRAMES = SHARED_DATA / "sdss_frames"
needs_full_frames = pytest.mark.skipif(not FULL_FRAMES.is_dir(), reason=f"no real full frames in {FULL_FRAMES}")
pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")


def point_sources(header, shape, positions, sigma=1.4):
    """Gaussians of flux 100 at sky positions [deg]; sigma 1.4 pixels is a seeing of 1.3 arcsec."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    x, y = WCS(header).all_world2pix(*np.transpose(positions), 0)
    squares = (columns[..., None] - x) ** 2 + (rows[..., None] - y) ** 2
    return (100 * np.exp(-squares / (2 * sigma**2)) / (2 * np.pi * sigma**2)).sum(axis=-1)


def centroid(image, x, y, half=8):
    """Flux-weighted mean position around a pixel."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image * (np.hypot(columns - x, rows - y) < half)
    return (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()


def aperture_flux(image, x, y, radius, oversampling=10):
    """Sum in a circle, pixels at its edge by the fraction of their sub-pixels inside."""
    step = (np.arange(oversampling) + 0.5) / oversampling - 0.5
    columns = (np.arange(image.shape[1])[:, None] + step).ravel()
    rows = (np.arange(image.shape[0])[:, None] + step).ravel()
    inside = (columns - x) ** 2 + (rows[:, None] - y) ** 2 < radius**2
    fraction = inside.reshape(len(image), oversampling, image.shape[1], oversampling).mean(axis=(1, 3))
    return (image * fraction).sum()


def stamp_positions(ra, dec, pixels):
    """Sky positions of pixels of a north-up stamp, by astropy."""
    return WCS(frame_header(ra, dec, shape=(64, 64))).all_pix2world(pixels, 0)


@swarp_test
@pytest.mark.parametrize("galaxy", [0, 1])
def test_stack_keeps_aperture_flux_of_real_galaxies(galaxy):
    catalog = read_galaxy_catalog(DATA / "galaxies.csv")
    ra, dec = catalog["ra"][galaxy], catalog["dec"][galaxy]
    index = index_frames(DATA / "frames", SDSS)
    images, _, n_frames = stack_galaxy(index, ra, dec, SDSS, swarp=PROGRAM)
    assert n_frames.tolist() == [1] * 5
    radius_arcsec = 6.0
    for b, band in enumerate(SDSS.bands):
        frame = overlapping_frames(index[index["band"] == band], ra, dec, SIDE_ARCSEC)[0]
        header = fits.getheader(frame["path"])
        wcs = WCS(header)
        x, y = wcs.all_world2pix(ra, dec, 0)
        scale = 3600 * np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
        before = aperture_flux(fits.getdata(frame["path"], 0), x, y, radius_arcsec / scale)
        after = aperture_flux(images[..., b], 31.5, 31.5, radius_arcsec / SDSS.pixel_scale)
        # Resampling moves noise across the aperture's edge: about the noise of its outermost 40 pixels.
        edge_noise = SDSS.sky_sigma[b] * np.sqrt(2 * np.pi * radius_arcsec / SDSS.pixel_scale)
        assert after == pytest.approx(before, rel=0.01 if before > 300 * edge_noise else 0, abs=edge_noise), band


@swarp_test
def test_stack_of_real_galaxy_has_the_orientation_of_a_plain_north_up_cut():
    index = index_frames(DATA / "frames", SDSS)
    ra, dec = 229.52556, 42.74604
    frame = overlapping_frames(index[index["band"] == "r"], ra, dec, SIDE_ARCSEC)
    image, _, _ = stack_band(frame, ra, dec, SDSS, swarp=PROGRAM)
    stamp = WCS(frame_header(ra, dec, shape=(64, 64)))
    rows, columns = np.mgrid[:64, :64]
    x, y = WCS(fits.getheader(frame["path"][0])).all_world2pix(*stamp.all_pix2world(columns, rows, 0), 0)
    plain = fits.getdata(frame["path"][0], 0)[np.rint(y).astype(int), np.rint(x).astype(int)]
    assert np.corrcoef(image.ravel(), plain.ravel())[0, 1] > 0.99
    for other in (plain[::-1], plain[:, ::-1], plain.T, plain[::-1, ::-1]):
        assert np.corrcoef(image.ravel(), other.ravel())[0, 1] < 0.9


@swarp_test
@needs_full_frames
def test_two_real_frames_of_stripe_82_lower_the_sky_noise():
    index = index_frames(FULL_FRAMES, SDSS)
    ra, dec = 38.3400, -0.1050
    pair = overlapping_frames(index[index["band"] == "u"], ra, dec, SIDE_ARCSEC)
    assert sorted(pair["identity"]) == ["2820-3-122", "4948-3-199"]
    noise = []
    for frames in (pair[:1], pair[1:], pair):
        image, weight, n_frames = stack_band(frames, ra, dec, SDSS, swarp=PROGRAM)
        assert n_frames == len(frames) and (weight > 0).all()
        noise.append(1.4826 * np.median(np.abs(image - np.median(image))))
    expected = 0.5 * np.hypot(noise[0], noise[1])
    assert noise[2] == pytest.approx(expected, rel=0.08)  # 4096 correlated pixels give the noise to 3 %


@swarp_test
@needs_full_frames
@pytest.mark.parametrize("band", ["u", "r"])
def test_cut_of_a_real_frame_gives_the_stack_of_the_whole_frame(band):
    index = index_frames(FULL_FRAMES, SDSS)
    ra, dec = 200.44824, 36.76827
    frames = overlapping_frames(index[index["band"] == band], ra, dec, SIDE_ARCSEC)
    image, weight, _ = stack_band(frames, ra, dec, SDSS, swarp=PROGRAM)
    with fits.open(frames["path"][0]) as hdus:
        whole, whole_weight = coadd([fits.PrimaryHDU(hdus[0].data, hdus[0].header)], ra, dec, SDSS, swarp=PROGRAM)
    # Pixel area at the centre of the cut instead of the frame's: (0.14 deg)^2 is 6e-6; and float32.
    np.testing.assert_allclose(image, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        weight, whole_weight, rtol=0.1
    )  # SWarp's own estimate of the noise, from fewer pixels


@swarp_test
@pytest.mark.parametrize("ra, dec", [(150.1, 2.2), (0.0, -5.0), (359.99999, 30.0), (10.0, 89.9), (200.0, -89.99)])
@pytest.mark.parametrize("angle", [0.0, 77.0])
def test_target_lands_on_the_centre_with_north_up_and_east_left(tmp_path, ra, dec, angle):
    # The frame's own centre lies 20 arcsec away, across RA = 0 or the pole for some of these.
    header = frame_header(ra, dec, angle, offset=(50.3, 7.7))
    up, left = stamp_positions(ra, dec, [(31.5, 51.5), (16.5, 31.5)])  # 20 pixels north, 15 pixels east
    image = point_sources(header, (150, 150), [(ra, dec), up, left])
    write_frame(tmp_path, image, header)
    frames = overlapping_frames(index_frames(tmp_path, R_ONLY), ra, dec, SIDE_ARCSEC)
    stamp, weight, n_frames = stack_band(frames, ra, dec, SDSS, swarp=PROGRAM)
    assert n_frames == 1 and (weight > 0).sum() > 1500
    assert centroid(stamp, 31.5, 31.5) == pytest.approx((31.5, 31.5), abs=0.05)
    for expected in ((31.5, 51.5), (16.5, 31.5)):
        x, y = expected
        if (weight[int(y) - 7 : int(y) + 9, int(x) - 7 : int(x) + 9] > 0).all():
            assert centroid(stamp, x, y) == pytest.approx(expected, abs=0.05)


@swarp_test
def test_cut_equals_whole_frame_at_another_pixel_scale(tmp_path):
    rng = np.random.default_rng(5)
    header = frame_header(150.0, 20.0, 33.0, (700, 900), pixel_scale=0.42, offset=(120.0, -80.0))
    image = rng.normal(size=(700, 900)) + 20
    write_frame(tmp_path, image, header)
    frames = index_frames(tmp_path, R_ONLY)
    cut, _, _ = stack_band(frames, 150.001, 20.002, SDSS, swarp=PROGRAM)
    whole, _ = coadd([fits.PrimaryHDU(image.astype(np.float32), header)], 150.001, 20.002, SDSS, swarp=PROGRAM)
    np.testing.assert_allclose(cut, whole, rtol=1e-5)
    # Smaller pixels hold less flux: FSCALASTRO_TYPE FIXED keeps nanomaggies per square arcsecond.
    assert cut.mean() == pytest.approx(image.mean() * (0.396 / 0.42) ** 2, rel=0.005)


@swarp_test
def test_stack_is_the_textbook_lanczos3_interpolation(tmp_path):
    header = frame_header(150.0, 20.0, 33.0, pixel_scale=0.41)
    frame = np.random.default_rng(6).normal(size=(150, 150)).astype(np.float32)
    write_frame(tmp_path, frame, header)
    stamp, _, _ = stack_band(index_frames(tmp_path, R_ONLY), 150.001, 20.001, SDSS, swarp=PROGRAM)
    rows, columns = np.mgrid[:64, :64]
    sky = WCS(frame_header(150.001, 20.001, shape=(64, 64))).all_pix2world(columns, rows, 0)
    x, y = WCS(header).all_world2pix(*sky, 0)
    taps = np.arange(-2, 4)
    column, row = (np.floor(position).astype(int)[..., None] + taps for position in (x, y))
    weight_x, weight_y = (np.sinc(d) * np.sinc(d / 3) for d in (x[..., None] - column, y[..., None] - row))
    weight_x, weight_y = (w / w.sum(axis=-1, keepdims=True) for w in (weight_x, weight_y))
    expected = np.einsum("...i,...j,...ij", weight_y, weight_x, frame[row[..., :, None], column[..., None, :]])
    # SWarp's projection may be off by PROJECTION_ERR = 0.001 pixel; over a stamp it is exact to 1e-5.
    np.testing.assert_allclose(stamp, expected * (0.396 / 0.41) ** 2, atol=1e-4)


@swarp_test
@pytest.mark.parametrize("n_images", [4, 9])
def test_average_of_independent_noise_falls_as_sqrt_n(tmp_path, n_images):
    rng = np.random.default_rng(2)
    header = frame_header(30.0, 10.0, 15.0)
    for run in range(n_images):
        write_frame(tmp_path, rng.normal(size=(150, 150)), header, run=run)
    frames = index_frames(tmp_path, R_ONLY)
    single = [stack_band(frames[i : i + 1], 30.0, 10.0, SDSS, swarp=PROGRAM)[0].std() for i in range(n_images)]
    together, weight, n_frames = stack_band(frames, 30.0, 10.0, SDSS, "average", PROGRAM)
    assert n_frames == n_images
    assert together.std() == pytest.approx(np.mean(single) / np.sqrt(n_images), rel=0.06)  # 4096 correlated pixels
    assert weight.mean() == pytest.approx(n_images, rel=0.1)  # inverse variance of unit noise


@swarp_test
def test_median_leaves_out_a_cosmic_ray_and_average_does_not(tmp_path):
    rng = np.random.default_rng(3)
    header = frame_header(30.0, 10.0)
    for run in range(3):
        image = rng.normal(size=(150, 150))
        if run == 1:
            image[74, 74] += 1000
        write_frame(tmp_path, image, header, run=run)
    frames = index_frames(tmp_path, R_ONLY)
    peak = {kind: stack_band(frames, 30.0, 10.0, SDSS, kind, PROGRAM)[0].max() for kind in ("median", "average")}
    assert peak["median"] < 10 and peak["average"] > 100


@swarp_test
def test_a_default_swarp_file_of_the_user_changes_nothing(tmp_path, monkeypatch):
    header = frame_header(30.0, 10.0)
    write_frame(tmp_path, np.full((150, 150), 7.0), header)
    frames = index_frames(tmp_path, R_ONLY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default.swarp").write_text("RESAMPLE N\nFSCALE_DEFAULT 5.0\nBLANK_BADPIXELS Y\n")
    before = sorted(tmp_path.iterdir())
    image, _, _ = stack_band(frames, 30.0, 10.0, SDSS, swarp=PROGRAM)
    np.testing.assert_allclose(image, 7.0, rtol=1e-5)
    assert sorted(tmp_path.iterdir()) == before  # and SWarp left no file


def test_missing_swarp_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="SWarp is not installed; install it with `apt-get install swarp`"):
        find_swarp()


def test_another_program_in_place_of_swarp_is_refused():
    with pytest.raises(RuntimeError, match="is not SWarp"):
        find_swarp(sys.executable)


@swarp_test
def test_failing_swarp_names_band_position_and_its_own_last_words(tmp_path):
    write_frame(tmp_path, np.ones((150, 150)), frame_header(30.0, 10.0))
    frames = index_frames(tmp_path, R_ONLY)
    with pytest.raises(
        RuntimeError, match=r"band r at ra=30.0.*dec=10.0.*exit 1.*COMBINE_TYPE set to an unknown"
    ) as e:
        stack_band(frames, 30.0, 10.0, SDSS, "modal", PROGRAM)
    assert "\n" not in str(e.value)
