"""TNG galaxies: morphology catalogues of statmorph in HDF5, and folders of SKIRT or GALAXEV images, as scenes.

The catalogues are `morphs_snap095_g.hdf5`, `morphs_snap095_i.hdf5` and so on for other snapshots, one dataset per
quantity (Rodriguez-Gomez et al. 2019; published in github.com/gsnyder206/deepmerge-mocks). The images are, for each
snapshot, files `broadband_SUBHALO.fits` somewhere below a folder `snapnum_095`: a cube with one layer per filter
first, named by the keywords LAYER0, LAYER1, ..., with the side of a pixel in CDELT1 [pc] and the redshift from which
the galaxy is seen in USE_Z.

The number of a subhalo belongs to one snapshot: galaxy 17 of snapshot 95 is not galaxy 17 of snapshot 99. Only the
merger trees tell which galaxies of two snapshots are the same, so a table of groups made from them is needed to keep
a galaxy and its later self on the same side of a split.
"""

import re
import warnings
import zlib
from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table, vstack

from photoz_morph.mocks.image_files import TNG_COSMOLOGY
from photoz_morph.mocks.labels import classify, is_measured
from photoz_morph.shards.scenes import BANDS, NJY_ZERO_POINT, REDSHIFT, Scene, check_flux
from photoz_morph.system.fits import open_fits
from photoz_morph.system.sizes import check_fits, check_hdf5

QUANTITIES = ("subfind_id", "gini", "m20", "flag")
OBJ_ID_STEP = 10**9  # more than the subhaloes of any TNG snapshot; obj_id is snapshot times this, plus the subhalo
ZERO_POINTS = {"njy": NJY_ZERO_POINT, "nanomaggies": 22.5, "nanomaggy": 22.5}  # unit -> AB magnitude of one


def read_tng_morphologies(folder, groups=None):
    """Gini, M20 and labels of all galaxies in the catalogues of a folder.

    Parameters
    ----------
    folder : path-like
        With `morphs_snapNNN_g.hdf5` and `morphs_snapNNN_i.hdf5` of one or more snapshots.
    groups : Table or path-like, optional
        A table, or a file that astropy reads as one, with columns `snapshot`, `subhalo_id` and `group_id` (not
        negative), from a merger tree: rows with the same group are one galaxy. Without it each subhalo of each snapshot
        is a group of its own, with a warning if there are several snapshots; a subhalo that it does not name is one
        too.

    Returns
    -------
    Table
        `obj_id`, `group_id`, `snapshot`, `subhalo_id`; `gini`, `m20` (i band), `gini_g`, `m20_g`, NaN where not
        measured; `flag`, 1 where the i band was not measured, else 0; `label` (i band) and `label_g`, -1 where not
        measured; `quality_flag`, `quality_flag_g`, those of statmorph, not 0 for a doubtful measurement.

    Raises
    ------
    FileNotFoundError
        If there are no catalogues, or one of a pair is missing.
    ValueError
        If a file cannot be read, lacks a quantity, or lengths or subhaloes do not agree.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("morphs_snap*_[gi].hdf5"))
    snapshots = sorted({path.stem[len("morphs_snap") : -2] for path in paths})
    if not snapshots:
        raise FileNotFoundError(f"{folder}: no morphs_snapNNN_g.hdf5, morphs_snapNNN_i.hdf5 in it; give their folder")
    table = vstack([_read_snapshot(folder, snapshot) for snapshot in snapshots])
    table["group_id"] = table["obj_id"]
    if isinstance(groups, (str, Path)):
        groups = _read_groups(groups)
    if groups is not None:
        table["group_id"] = _matched_groups(table, groups)
    elif len(snapshots) > 1:
        warnings.warn(
            f"{folder}: snapshots {', '.join(snapshots)} hold the same galaxies at other times, matched by no table; "
            "each subhalo is its own group, so a galaxy can fall on both sides of a split: use one snapshot, or give "
            "a table of groups",
            stacklevel=2,
        )
    return table


def _read_groups(path):
    """The table of groups in a file."""
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; give a table of snapshot, subhalo_id and group_id")
    try:
        check_fits(path)
        return Table.read(path)
    # astropy's own complaints are of these types
    except (OSError, EOFError, ValueError, TypeError, KeyError, zlib.error) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: cannot be read as a table ({reason}); give CSV or FITS") from error


def iter_tng_scenes(image_dir, morphologies, layers=None, zero_point=None, pixel_kpc=None, redshift=None):
    """Iterate over the galaxies of a table that have an image, in the order of the table.

    Parameters
    ----------
    image_dir : path-like
        Holds `snapnum_NNN/**/broadband_SUBHALO.fits`.
    morphologies : Table
        As from `read_tng_morphologies`.
    layers : tuple of 3 ints, optional
        Layers, from 0, of the g, r and i images; by default those whose LAYER keyword ends in _g, _r and _i.
    zero_point : float, optional
        AB magnitude of a pixel value of one. Not needed where BUNIT is nJy or nanomaggies.
    pixel_kpc : float, optional
        Side of a pixel [kpc]; by default CDELT1, in pc.
    redshift : float, optional
        Redshift of the images, above 0; by default USE_Z. The flux is moved to redshift 0.05.

    Yields
    ------
    Scene
        `table_row` has `snapshot`, `subhalo_id`, and Gini, M20 and labels of the catalogue with `_tng` added.

    Raises
    ------
    FileNotFoundError
        If no galaxy of the table has an image.
    ValueError
        If an image cannot be read or used, or two files are of the same subhalo.
    """
    images = _find_images(Path(image_dir))
    rows = [row for row in morphologies if (int(row["snapshot"]), int(row["subhalo_id"])) in images]
    if not rows:
        raise FileNotFoundError(
            f"{image_dir}: {len(images)} images snapnum_NNN/**/broadband_SUBHALO.fits, none of a galaxy in the table; "
            "give images of the snapshots of the catalogues"
        )
    for row in rows:
        path = images[int(row["snapshot"]), int(row["subhalo_id"])]
        image, side = _read_image(path, layers, zero_point, pixel_kpc, redshift)
        known = {name: int(row[name]) for name in ("snapshot", "subhalo_id")}
        known |= {f"{name}_tng": row[name].item() for name in ("gini", "m20", "gini_g", "m20_g", "label", "label_g")}
        yield Scene(image, side, int(row["obj_id"]), int(row["group_id"]), table_row=known)


def _read_snapshot(folder, snapshot):
    """Table of one snapshot from its g and i catalogues."""
    i_path, g_path = (folder / f"morphs_snap{snapshot}_{band}.hdf5" for band in "ig")
    i_band, g_band = _read_catalog(i_path), _read_catalog(g_path)
    if len(i_band["subfind_id"]) != len(g_band["subfind_id"]):
        raise ValueError(
            f"{g_path}: {len(g_band['subfind_id'])} galaxies, but {i_path.name} has {len(i_band['subfind_id'])}; "
            "fetch both again"
        )
    differ = i_band["subfind_id"] != g_band["subfind_id"]
    if differ.any():
        row = int(np.argmax(differ))
        raise ValueError(
            f"{g_path}: row {row} is subhalo {g_band['subfind_id'][row]}, but {i_band['subfind_id'][row]} in "
            f"{i_path.name}; sort both by subfind_id"
        )
    subhalo_id = i_band["subfind_id"].astype(np.int64)
    table = Table({"obj_id": int(snapshot) * OBJ_ID_STEP + subhalo_id})
    table["snapshot"], table["subhalo_id"] = int(snapshot), subhalo_id
    for suffix, band in (("", i_band), ("_g", g_band)):
        measured = is_measured(band["gini"], band["m20"])
        for name in ("gini", "m20"):
            table[name + suffix] = np.where(measured, band[name], np.nan).astype(np.float32)
        table[f"label{suffix}"] = classify(band["gini"], band["m20"])
        table[f"quality_flag{suffix}"] = band["flag"].astype(int)
    table["flag"] = np.isnan(table["gini"]).astype(int)
    return table


def _read_catalog(path):
    """The datasets `QUANTITIES` of one HDF5 file, checked to be of one length."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; the catalogues of g and i are needed for each snapshot")
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in QUANTITIES if name not in file]
            if missing:
                raise ValueError(f"no dataset {', '.join(missing)}")
            for name in QUANTITIES:
                check_hdf5(file[name])
            columns = {name: file[name][()] for name in QUANTITIES}
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read as a morphology catalogue ({reason}); fetch it again") from error
    shape = columns["subfind_id"].shape
    for name, column in columns.items():
        if column.shape != shape or column.ndim != 1:
            raise ValueError(
                f"{path}: dataset {name} has shape {column.shape}, subfind_id {shape}; all need one value per galaxy"
            )
    return columns


def _matched_groups(table, groups):
    """Group of each row; -obj_id, which cannot be a group, for a row that the table of groups lacks."""
    missing = [name for name in ("snapshot", "subhalo_id", "group_id") if name not in groups.colnames]
    if missing:
        found = ", ".join(groups.colnames)
        raise ValueError(f"table of groups: column {', '.join(missing)} is missing (columns found: {found}); add it")
    group_of = {}
    for snapshot, subhalo_id, group_id in zip(groups["snapshot"], groups["subhalo_id"], groups["group_id"]):
        obj_id = int(snapshot) * OBJ_ID_STEP + int(subhalo_id)
        if group_id < 0 or group_of.setdefault(obj_id, int(group_id)) != group_id:
            raise ValueError(
                f"table of groups: snapshot {snapshot}, subhalo {subhalo_id} has group {group_id}; "
                "give each subhalo one group that is not negative"
            )
    return np.array([group_of.get(int(obj_id), -int(obj_id)) for obj_id in table["obj_id"]])


def _find_images(image_dir):
    """(snapshot, subhalo) -> path of the images below a folder."""
    images = {}
    for folder in sorted(image_dir.glob("snapnum_*")):
        for path in sorted(folder.rglob("broadband_*.fits")):
            numbers = re.fullmatch(r"snapnum_(\d+)/broadband_(\d+)\.fits", f"{folder.name}/{path.name}")
            if numbers is None:
                continue
            first = images.setdefault((int(numbers[1]), int(numbers[2])), path)
            if first != path:
                raise ValueError(f"{path}: {first} is of the same subhalo; give a folder with one image of each")
    return images


def _read_image(path, layers, zero_point, pixel_kpc, redshift):
    """Image in g, r, i [nJy per pixel] as seen from `REDSHIFT`, channels last, and the side of a pixel [kpc]."""
    with open_fits(path, "a TNG image cube", "fetch it again", memmap=False) as hdus:
        header, cube = hdus[0].header, hdus[0].data
        if cube is None or cube.ndim != 3 or cube.shape[1] != cube.shape[2]:
            shape = () if cube is None else cube.shape
            raise ValueError(f"{path}: shape {shape}; give a cube of square images, (n_layers, n, n)")
        layers = _layers(path, header) if layers is None else layers
        if len(layers) != len(BANDS) or not all(0 <= layer < len(cube) for layer in layers):
            raise ValueError(
                f"{path}: layers {tuple(layers)} were asked for, but it has {len(cube)}; give those of "
                f"{', '.join(BANDS)}, counted from 0"
            )
        cube = np.moveaxis(cube[list(layers)].astype(float), 0, -1)
    unit = str(header.get("BUNIT", "")).strip()
    zero_point = ZERO_POINTS.get(unit.lower().removesuffix("/pixel")) if zero_point is None else zero_point
    if zero_point is None:
        raise ValueError(f"{path}: unit is {unit!r}; give the AB magnitude of a pixel value of one (zero_point)")
    if pixel_kpc is None:
        if "pc" not in (header.get("CTYPE1"), header.get("CUNIT1")) or "CDELT1" not in header:
            raise ValueError(f"{path}: no CDELT1 in pc; give the side of a pixel (pixel_kpc)")
        pixel_kpc = header["CDELT1"] / 1000
    redshift = header.get("USE_Z", 0) if redshift is None else redshift
    if redshift <= 0:
        raise ValueError(f"{path}: USE_Z is {redshift}; give the redshift of the image (redshift), above 0")
    distance = TNG_COSMOLOGY.luminosity_distance([redshift, REDSHIFT]).value
    image = cube * 10 ** (-0.4 * (zero_point - NJY_ZERO_POINT)) * (distance[0] / distance[1]) ** 2
    check_flux(image, f"{path}: image")
    return np.ascontiguousarray(image, np.float32), float(pixel_kpc)


def _layers(path, header):
    """Layers of g, r and i by the names of the filters in the header."""
    names = {}
    for keyword, name in header["LAYER*"].items():
        names.setdefault(str(name).strip().rsplit("_", 1)[-1].rsplit(".", 1)[-1], int(keyword.removeprefix("LAYER")))
    if not set(BANDS) <= set(names):
        found = ", ".join(str(name) for name in header["LAYER*"].values()) or "none"
        raise ValueError(f"{path}: no layers for {', '.join(BANDS)} (LAYER keywords: {found}); give layers by number")
    return tuple(names[band] for band in BANDS)
