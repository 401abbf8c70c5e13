"""The formats of galaxy images that are understood, and the function that opens any of them."""

from pathlib import Path

from photoz_morph.sources.fits_shards import open_shards
from photoz_morph.sources.npz import open_arrays
from photoz_morph.sources.source import check_origin
from photoz_morph.surveys import SDSS, get_survey

ACCEPTED = "a folder of shards stacks-*.fits or an uncompressed .npz file like sdss.npz"


def open_source(path, survey=None, origin=None):
    """Open galaxy images of any accepted format; the checks that need no pixels are made.

    Parameters
    ----------
    path : path-like
        A folder of FITS shards, or an .npz file like the public `sdss.npz`, or a folder of its two arrays.
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
    if survey is not None and not hasattr(survey, "image_shape"):
        survey = get_survey(survey)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; give {ACCEPTED}")
    if any(path.glob("stacks-*.fits")):
        source = open_shards(path, survey)
        if origin not in (None, source.origin):
            raise ValueError(f"{path}: the stacks are {source.origin}, not {origin}; give another folder")
        return source
    origin = check_origin(origin or "stacked", path)
    if path.suffix in (".npz", ".npy") or (path / "cube.npy").exists():
        return open_arrays(path, survey or SDSS, origin)
    raise ValueError(f"{path}: holds no galaxy images of a known format; give {ACCEPTED}")
