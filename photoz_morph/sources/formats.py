"""The formats of galaxy images that are understood, and the function that opens any of them."""

from pathlib import Path

from photoz_morph.sources.fits_shards import open_shards
from photoz_morph.sources.fits_stacks import find_catalog, open_stack_files
from photoz_morph.sources.hats import is_hats, open_hats
from photoz_morph.sources.hdf5 import open_hdf5
from photoz_morph.sources.npz import open_arrays
from photoz_morph.sources.source import check_origin
from photoz_morph.sources.tfds_folder import find_dataset, open_tfds
from photoz_morph.surveys import SDSS, get_survey

ACCEPTED = (
    "a folder of shards stacks-*.fits, a folder of FITS stacks with a catalog.csv, an uncompressed .npz file like "
    "sdss.npz, an .hdf5 file of images, a HATS catalogue whose rows hold images, or a dataset of `photoz build`"
)
HDF5_SUFFIXES = (".hdf5", ".h5", ".hdf")


def open_source(path, survey=None, origin=None):
    """Open galaxy images of any accepted format; the checks that need no pixels are made.

    Parameters
    ----------
    path : path-like
        A folder of FITS shards, or of FITS stacks with a catalogue; an .npz file like the public `sdss.npz`, or a
        folder of its two arrays; an HDF5 file like GalaxiesML; a HATS catalogue whose rows hold images; a dataset that
        `photoz build` wrote.
    survey : str, path-like or ImagingSurvey, optional
        Name of a survey, path of its description, or the survey itself; by default what the files say, and SDSS for
        .npz.
    origin : str, optional
        "simulated" or "stacked" (real pixels); by default what the files say, and "stacked" for formats that do not.

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or nothing in it.
    ValueError
        If it has none of the formats, is damaged, or is of another survey.
    """
    path = Path(path)
    survey = None if survey is None else get_survey(survey)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; give {ACCEPTED}")
    own = open_shards if any(path.glob("stacks-*.fits")) else open_tfds if find_dataset(path) else None
    if own:
        source = own(path, survey)
        if origin not in (None, source.origin):
            raise ValueError(f"{path}: the stacks are {source.origin}, not {origin}; give another folder")
        return source
    check_origin(origin or "stacked", path)
    if path.suffix in (".npz", ".npy") or (path / "cube.npy").exists():
        return open_arrays(path, survey or SDSS, origin or "stacked")
    if path.suffix in HDF5_SUFFIXES:
        return open_hdf5(path, _needed(survey, path), origin)
    if find_catalog(path):
        return open_stack_files(path, _needed(survey, path), origin or "stacked")
    if is_hats(path):
        return open_hats(path, _needed(survey, path), origin or "stacked")
    if path.is_dir():
        raise FileNotFoundError(
            f"{path}: no stacks-*.fits in it, which `photoz simulate` and `photoz stack` make, and no galaxy images of "
            f"another format; give {ACCEPTED}"
        )
    raise ValueError(f"{path}: holds no galaxy images of a known format; give {ACCEPTED}")


def _needed(survey, path):
    """The survey; a ValueError where the user must say which."""
    if survey is None:
        raise ValueError(f"{path}: does not say which survey its images are of; give --survey, a name or a YAML file")
    return survey
