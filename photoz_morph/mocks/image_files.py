"""Noiseless images of other simulations, such as TNG seen through SKIRT, as scenes.

A cube of g, r, i images in FITS (the first image of the file), HDF5 or NumPy `.npz` becomes a `Scene` at redshift 0.05.
The metadata come from the file or from the caller: bands (FITS keyword or attribute BANDS), unit
(BUNIT), side of a pixel in kpc (PIXKPC, or CDELT1 with CUNIT1 of kpc or pc) and redshift (REDSHIFT); in `.npz` and
HDF5 the names are `bands`, `unit`, `pixel_kpc` or `pc_per_pixel`, and `redshift`.

Moving an image to redshift 0.05 keeps its size in kpc and its colours (no k-correction): fluxes scale with the inverse
square of the luminosity distance, surface brightnesses with (1 + z)^-4.
"""

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.cosmology import FlatLambdaCDM

from photoz_morph.shards.scenes import BANDS, KPC_PER_ARCSEC, REDSHIFT, Scene, check_flux, from_surface_brightness
from photoz_morph.system.fits import open_fits
from photoz_morph.system.sizes import check_hdf5, check_npz

TNG_COSMOLOGY = FlatLambdaCDM(H0=67.74, Om0=0.3089)  # Nelson et al. (2019), Sec. 2: Planck 2015
UNITS = ("nJy", "mag/arcsec2")
BRIGHTEST = 5.0  # mag / arcsec^2; galaxies stay below 10, so numbers brighter than this are in another unit


def read_scene_image(
    path, unit=None, pixel_kpc=None, redshift=None, dataset=None, band_axis="first", obj_id=0, group_id=None,
    intended_type=-1, table_row=None,
):  # fmt: skip
    """Read a noiseless g, r, i image as a scene at redshift 0.05.

    Parameters
    ----------
    path : path-like
        `.fits` (also `.fits.gz`), `.hdf5`, `.h5` or `.npz`.
    unit : {"nJy", "mag/arcsec2"}, optional
        Flux per pixel, or AB surface brightness where inf is no light. Required if the file does not give it.
    pixel_kpc : float, optional
        Side of a pixel [kpc]. Required if the file does not give it.
    redshift : float, optional
        Redshift of the image; by default that of the file, else 0.05.
    dataset : str, optional
        Name of the image in HDF5 or `.npz`; needed if there are several.
    band_axis : {"first", "last"}
        Shape (3, n, n) or (n, n, 3).
    obj_id, group_id, intended_type, table_row
        As in `Scene`; the group is that of `obj_id` by default.

    Returns
    -------
    Scene

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is damaged, its shape, bands or unit are wrong, a pixel is negative or not a number, or metadata are
        missing or contradict the arguments.
    """
    path = Path(path)
    cube, said = _read_cube(path, dataset)
    cube = _band_last(path, cube, band_axis)
    bands = str(said.get("bands", ",".join(BANDS))).replace(" ", "")
    if tuple(bands.split(",")) != BANDS:
        raise ValueError(f"{path}: its bands are {bands}; a scene has {','.join(BANDS)} in that order, reorder them")
    unit = _one_value(path, "unit", _unit(said.get("unit")), _unit(unit))
    if unit not in UNITS:
        raise ValueError(f"{path}: unit is {unit!r}; convert it to one of {', '.join(UNITS)}")
    pixel_kpc = _one_value(path, "pixel_kpc", said.get("pixel_kpc"), pixel_kpc)
    redshift = _one_value(path, "redshift", said.get("redshift"), redshift, default=REDSHIFT)
    if not 0 < pixel_kpc < np.inf:
        raise ValueError(f"{path}: pixel_kpc is {pixel_kpc}; give the side of a pixel in kpc")
    if not 0 <= redshift < 20 or (redshift == 0 and unit == "nJy"):
        raise ValueError(f"{path}: redshift is {redshift}; give the redshift of the image")
    image = _moved_flux(cube, redshift) if unit == "nJy" else _moved_brightness(path, cube, redshift, pixel_kpc)
    check_flux(image, f"{path}: image")
    return Scene(
        np.ascontiguousarray(image, np.float32), pixel_kpc, obj_id, obj_id if group_id is None else group_id,
        intended_type, table_row or {},
    )  # fmt: skip


def iter_scene_images(paths, first_id=0, **options):
    """Read many image files as scenes, one after the other; each is a group of its own.

    Parameters
    ----------
    paths : iterable of path-like
    first_id : int
        obj_id of the first; they are numbered in the order given.
    **options
        Of `read_scene_image`.

    Yields
    ------
    Scene
        With its file's name as `file` in `table_row`.
    """
    for obj_id, path in enumerate(paths, first_id):
        yield read_scene_image(path, obj_id=obj_id, table_row={"file": Path(path).name}, **options)


def _moved_flux(cube, redshift):
    """Flux per pixel [nJy] at `REDSHIFT`."""
    return cube * (_luminosity_distance(redshift) / _luminosity_distance(REDSHIFT)) ** 2


def _moved_brightness(path, cube, redshift, pixel_kpc):
    """Flux per pixel [nJy] at `REDSHIFT` of a surface brightness [AB mag / arcsec^2]."""
    if np.isnan(cube).any():
        raise ValueError(f"{path}: {np.isnan(cube).sum()} pixels are NaN; give inf where there is no light")
    if cube.min() < BRIGHTEST:
        raise ValueError(f"{path}: a pixel has {cube.min():.4g} mag/arcsec2, brighter than any galaxy; check the unit")
    pixel_area = (pixel_kpc / KPC_PER_ARCSEC) ** 2
    return from_surface_brightness(cube, pixel_area) * ((1 + redshift) / (1 + REDSHIFT)) ** 4


@lru_cache
def _luminosity_distance(redshift):
    """Luminosity distance [Mpc]."""
    return TNG_COSMOLOGY.luminosity_distance(redshift).value


def _band_last(path, cube, band_axis):
    """Cube in float64 with its bands last."""
    if band_axis not in ("first", "last"):
        raise ValueError(f"band_axis is {band_axis!r}; choose first or last")
    other = {"first": "last", "last": "first"}[band_axis]
    shape = cube.shape
    if cube.ndim != 3:
        raise ValueError(f"{path}: image has shape {shape}; give a cube of {len(BANDS)} bands, (3, n, n)")
    here, there = (shape[0], shape[2]) if band_axis == "first" else (shape[2], shape[0])
    if here != len(BANDS) and there == len(BANDS):
        remedy = f"say so with --band-axis {other}"
        raise ValueError(f"{path}: shape {shape} has its bands {other}, not {band_axis}; {remedy}")
    if here != len(BANDS):
        raise ValueError(f"{path}: shape {shape} has {here} bands on the {band_axis} axis; give {','.join(BANDS)}")
    cube = np.moveaxis(cube, 0, -1) if band_axis == "first" else cube
    if cube.shape[0] != cube.shape[1]:
        raise ValueError(f"{path}: image is {cube.shape[0]} x {cube.shape[1]} pixels; cut it to a square")
    if cube.dtype.kind not in "fiu":
        raise ValueError(f"{path}: pixels are of type {cube.dtype}; give numbers")
    return np.asarray(cube, np.float64)


def _one_value(path, name, in_file, given, default=None):
    """Value given by the file or the caller, which must agree if both give one."""
    if in_file is None and given is None and default is None:
        raise ValueError(f"{path}: {name} is not in the file; give it (option --{name.replace('_', '-')})")
    if name != "unit" and not isinstance(in_file, (int, float, type(None))):
        raise ValueError(f"{path}: {name} in the file is {in_file!r}; make it a number")
    if in_file is not None and given is not None:
        same = in_file == given if name == "unit" else abs(in_file - given) <= 1e-3 * abs(given)
        if not same:
            raise ValueError(f"{path}: {name} is {in_file} in the file, but {given} was given; leave out the option")
    return next(value for value in (in_file, given, default) if value is not None)


def _unit(text):
    """Unit in the spelling of `UNITS`; unknown units are returned unchanged."""
    if text is None:
        return None
    plain = str(text).strip().lower().replace("ab ", "").replace("^", "").replace("**", "").replace(" ", "")
    spellings = {"njy": "nJy", "njy/pixel": "nJy", "njy/pix": "nJy", "nanojy": "nJy"}
    spellings |= dict.fromkeys(("mag/arcsec2", "magarcsec-2", "mag/arcsec(2)"), "mag/arcsec2")
    return spellings.get(plain, str(text))


def _read_cube(path, dataset):
    """Image as stored in the file, and the metadata of the file."""
    name = path.name.lower()
    if name.endswith((".fits", ".fits.gz", ".fit", ".fits.fz")):
        return _read_fits(path)
    if not name.endswith((".hdf5", ".h5", ".npz")):
        raise ValueError(f"{path}: unknown suffix; give .fits, .hdf5, .h5 or .npz")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; give a noiseless g, r, i image")
    try:
        return _read_npz(path, dataset) if name.endswith(".npz") else _read_hdf5(path, dataset)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        if reason.startswith(f"{path}: "):  # it is one of ours
            raise
        raise ValueError(f"{path}: cannot be read as an image ({reason}); make or copy it again") from error


def _read_fits(path):
    # Scaled images cannot be memory-mapped.
    with open_fits(path, "a g, r, i image", "make or copy it again", memmap=False) as hdus:
        image = next((hdu for hdu in hdus if hdu.is_image and hdu.data is not None), None)
        if image is None:
            raise ValueError(f"{path}: holds no image; give a cube of g, r, i images")
        header = hdus[0].header.copy()
        header.update(image.header)
        data = np.array(image.data)
    keywords = {"bands": "BANDS", "unit": "BUNIT", "pixel_kpc": "PIXKPC", "redshift": "REDSHIFT"}
    said = {name: header[keyword] for name, keyword in keywords.items() if keyword in header}
    kpc_per_unit = {"kpc": 1, "pc": 1e-3}.get(str(header.get("CUNIT1", "")).strip().lower())
    if kpc_per_unit and "CDELT1" in header:
        said.setdefault("pixel_kpc", abs(header["CDELT1"]) * kpc_per_unit)
    return data, said


def _read_npz(path, dataset):
    check_npz(path)
    with np.load(path, allow_pickle=False) as arrays:
        cubes = [name for name in arrays.files if arrays[name].ndim > 1]
        said = {name: arrays[name] for name in arrays.files if name not in cubes}
        return arrays[_chosen(path, cubes, dataset)], _plain(said)


def _read_hdf5(path, dataset):
    import h5py  # slow to load, and few need it

    with h5py.File(path, "r") as file:
        cubes = []
        file.visititems(lambda name, item: cubes.append(name) if getattr(item, "ndim", 0) > 1 else None)
        image = file[_chosen(path, cubes, dataset)]
        check_hdf5(image)
        return image[()], _plain({**file.attrs, **image.attrs})


def _chosen(path, names, dataset):
    """Name of the requested image, or of the only one."""
    if dataset is None and len(names) == 1:
        return names[0]
    if dataset not in names:
        wanted = "say which one" if dataset is None else f"{dataset!r} is not one of them"
        raise ValueError(f"{path}: holds images {', '.join(names) or '(none)'}; {wanted} (option --dataset)")
    return dataset


def _plain(said):
    """Metadata of an HDF5 or `.npz` file as numbers and text, with bands joined and the pixel in kpc."""
    plain = {}
    for name in ("bands", "unit", "pixel_kpc", "pc_per_pixel", "redshift"):
        if name in said:
            values = [value.decode() if isinstance(value, bytes) else value for value in np.ravel(said[name]).tolist()]
            plain[name] = ",".join(map(str, values)) if name in ("bands", "unit") else float(values[0])
    if "pc_per_pixel" in plain:
        plain.setdefault("pixel_kpc", plain["pc_per_pixel"] / 1000)
    return plain
