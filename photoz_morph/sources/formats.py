"""The formats of galaxy images that are understood, and the function that opens any of them."""

from pathlib import Path

from photoz_morph.sources.fits_shards import open_shards
from photoz_morph.surveys import get_survey

ACCEPTED = "a folder of shards stacks-*.fits"


def open_source(path, survey=None):
    """Open galaxy images of any accepted format; the checks that need no pixels are made.

    Parameters
    ----------
    path : path-like
        A folder of FITS shards.
    survey : str, path-like or ImagingSurvey, optional
        Name of a survey, path of its description, or the survey itself; by default what the files say.

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
        return open_shards(path, survey)
    raise ValueError(f"{path}: holds no galaxy images of a known format; give {ACCEPTED}")
