import gzip
import io
import zipfile

import h5py
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits

from photoz_morph.mocks.image_files import read_scene_image
from tests.support.broken_input import cut_short
from tests.support.galaxies import lumpy_disks

SAID = {"bands": "g,r,i", "unit": "nJy", "pixel_kpc": 0.2, "redshift": 0.05}
TNG = FlatLambdaCDM(H0=67.74, Om0=0.3089)


def write_image(path, cube, **said):
    """A cube in the format of the suffix, with what the file says about itself."""
    if path.suffix == ".fits":
        keywords = {"bands": "BANDS", "unit": "BUNIT", "pixel_kpc": "PIXKPC", "redshift": "REDSHIFT"}
        fits.writeto(path, cube, fits.Header([(keywords[name], value) for name, value in said.items()]), overwrite=True)
    elif path.suffix == ".npz":
        np.savez(path, image=cube, **said)
    else:
        with h5py.File(path, "w") as file:
            file["image"] = cube
            file["image"].attrs.update(said)
    return path


@pytest.fixture
def cube():
    return np.ascontiguousarray(np.moveaxis(lumpy_disks(1, size=40)[0][0], -1, 0), np.float64)


@pytest.mark.parametrize("suffix", [".fits", ".hdf5", ".npz"])
def test_image_in_every_format_is_the_same_scene(tmp_path, cube, suffix):
    scene = read_scene_image(write_image(tmp_path / f"a{suffix}", cube, **SAID), obj_id=7)
    np.testing.assert_allclose(scene.image, np.moveaxis(cube, 0, -1), rtol=1e-6)
    assert (scene.pixel_kpc, scene.obj_id, scene.group_id) == (0.2, 7, 7)
    bare = write_image(tmp_path / f"b{suffix}", np.moveaxis(cube, 0, -1))
    again = read_scene_image(bare, unit="nJy", pixel_kpc=0.2, band_axis="last")
    assert np.array_equal(again.image, scene.image)


def test_pixel_scale_of_skirt_is_understood(tmp_path, cube):
    header = fits.Header([("BUNIT", "nJy"), ("CDELT1", 250.0), ("CUNIT1", "pc")])
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(cube, header)]).writeto(tmp_path / "a.fits")
    assert read_scene_image(tmp_path / "a.fits").pixel_kpc == 0.25


@pytest.mark.parametrize("redshift", [0.02, 0.046, 0.3])
def test_flux_and_surface_brightness_move_alike(tmp_path, cube, redshift):
    """The same pixels of `redshift`, told in both units: distances and dimming must agree."""
    pixel_arcsec = 0.2 / TNG.kpc_proper_per_arcmin(redshift).value * 60
    with np.errstate(divide="ignore"):
        mag = 31.4 - 2.5 * np.log10(cube / pixel_arcsec**2)
    said = {"pixel_kpc": 0.2, "redshift": redshift}
    flux = read_scene_image(write_image(tmp_path / "flux.fits", cube, unit="nJy", **said)).image
    brightness = read_scene_image(write_image(tmp_path / "mag.fits", mag, unit="mag/arcsec2", **said)).image
    np.testing.assert_allclose(brightness, flux, rtol=2e-4)  # of KPC_PER_ARCSEC, 5 digits
    ratio = TNG.luminosity_distance(redshift).value / TNG.luminosity_distance(0.05).value
    assert flux.sum(dtype=float) == pytest.approx(cube.sum() * ratio**2, rel=1e-6)


def nan_pixel(cube):
    cube[1, 2, 3] = np.nan


def negative_pixel(cube):
    cube[1, 2, 3] = -1e-3


@pytest.mark.parametrize(
    "change, said, options, expected",
    [
        (None, {"bands": "i,r,g"}, {}, "its bands are i,r,g; a scene has g,r,i in that order"),
        (lambda cube: cube[:2], {}, {}, r"has 2 bands on the first axis; give g,r,i"),
        (lambda cube: cube[0], {}, {}, r"give a cube of 3 bands, \(3, n, n\)"),
        (lambda cube: np.moveaxis(cube, 0, -1), {}, {}, "has its bands last, not first; say so with --band-axis last"),
        (None, {}, {"band_axis": "last"}, "has its bands first, not last; say so with --band-axis first"),
        (lambda cube: cube[:, :30], {}, {}, "image is 30 x 40 pixels; cut it to a square"),
        (None, {"unit": "W/m2/micron/arcsec2"}, {}, "unit is 'W/m2/micron/arcsec2'; convert it to one of nJy, mag"),
        (None, {"unit": None}, {}, "unit is not in the file; give it"),
        (None, {}, {"unit": "mag/arcsec2"}, "unit is nJy in the file, but mag/arcsec2 was given"),
        (None, {"unit": "mag/arcsec2"}, {}, "mag/arcsec2, brighter than any galaxy; check the unit"),
        (None, {"pixel_kpc": None}, {}, "pixel_kpc is not in the file; give it"),
        (None, {"pixel_kpc": -1.0}, {}, "pixel_kpc is -1.0; give the side of a pixel in kpc"),
        (None, {"redshift": 0.0}, {}, "redshift is 0.0; give the redshift of the image"),
        (nan_pixel, {}, {}, "1 pixels that are negative or not finite, the first in band r at row 2, column 3: nan"),
        (negative_pixel, {}, {}, "1 pixels that are negative or not finite, the first in band r at row 2, column 3: -"),
        (nan_pixel, {"unit": "mag/arcsec2"}, {}, "1 pixels are NaN; give inf where there is no light"),
    ],
)
@pytest.mark.parametrize("suffix", [".fits", ".npz"])
def test_bad_image_is_named_with_the_remedy(tmp_path, cube, change, said, options, expected, suffix):
    changed = change(cube) if change else None
    said = {name: value for name, value in (SAID | said).items() if value is not None}
    path = write_image(tmp_path / f"tng{suffix}", cube if changed is None else changed, **said)
    with pytest.raises(ValueError, match=expected) as error:
        read_scene_image(path, **options)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".hdf5", ".npz"])
def test_truncated_image_is_named(tmp_path, cube, suffix):
    path = write_image(tmp_path / f"a{suffix.removesuffix('.gz')}", cube, **SAID)
    if suffix.endswith(".gz"):
        (tmp_path / "a.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "a.fits.gz"
    cut_short(path)
    with pytest.raises(ValueError, match=rf"a{suffix}: cannot be read as .* make or copy it again"):
        read_scene_image(path)


def test_one_of_several_images_must_be_chosen(tmp_path, cube):
    np.savez(tmp_path / "a.npz", first=cube, second=2 * cube, unit="nJy", pixel_kpc=0.2)
    with pytest.raises(ValueError, match="holds images first, second; say which one"):
        read_scene_image(tmp_path / "a.npz")
    scene = read_scene_image(tmp_path / "a.npz", dataset="second")
    assert scene.image.sum(dtype=float) == pytest.approx(2 * cube.sum(), rel=1e-6)


def test_missing_image_and_other_suffix_are_refused(tmp_path):
    for name in ("a.fits", "a.npz", "a.hdf5"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such file"):
            read_scene_image(tmp_path / name)
    with pytest.raises(ValueError, match="a.png: unknown suffix; give .fits"):
        read_scene_image(tmp_path / "a.png")


def test_images_that_declare_more_than_they_hold_are_refused_at_once(tmp_path):
    with h5py.File(tmp_path / "bomb.hdf5", "w") as file:
        file.create_dataset("image", (3, 300_000, 300_000), np.float64, chunks=(1, 100, 100), compression="gzip")
    with pytest.raises(ValueError, match="bomb.hdf5: .*dataset /image declares 2.16 TB, more than its 0 bytes"):
        read_scene_image(tmp_path / "bomb.hdf5", unit="nJy", pixel_kpc=1.0)
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (3, 10**5, 10**5)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("image.npy", header.getvalue())
    with pytest.raises(ValueError, match="bomb.npz: .*array image.npy declares 240 GB, its member has 128 bytes"):
        read_scene_image(tmp_path / "bomb.npz", unit="nJy", pixel_kpc=1.0)
