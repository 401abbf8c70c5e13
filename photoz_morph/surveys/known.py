"""The surveys that ship with the package, and the look-up of a survey by name or file."""

import difflib
from importlib import resources
from pathlib import Path

from photoz_morph.surveys.description import ImagingSurvey
from photoz_morph.surveys.files import read_survey
from photoz_morph.surveys.visits import LSST

SHIPPED = ("sdss", "legacy", "panstarrs", "hsc", "lsst_coadd")  # files of data/surveys


def shipped_file(name):
    """Path of the description of a shipped survey."""
    return Path(str(resources.files("photoz_morph") / "data" / "surveys" / f"{name}.yaml"))


# `lsst` are the single visits that morph makes its mocks of, `lsst_coadd` the coadds.
SURVEYS = {name: read_survey(shipped_file(name)) for name in SHIPPED} | {LSST.name: LSST}
SDSS = SURVEYS["sdss"]


def get_survey(name_or_path):
    """Look up a survey by its name, or read its description.

    Parameters
    ----------
    name_or_path : str or path-like
        Key of `SURVEYS`, or the path of a .yaml file; ~ is expanded. A survey is returned as it is.

    Returns
    -------
    Survey or VisitSurvey

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the name is unknown, a file is no valid description, or it has the name of another survey that ships with
        the package.
    """
    if isinstance(name_or_path, ImagingSurvey):
        return name_or_path
    text = str(name_or_path)
    if text in SURVEYS:
        return SURVEYS[text]
    if not text.endswith((".yaml", ".yml")):
        close = difflib.get_close_matches(text, SURVEYS, n=1, cutoff=0.6)
        raise ValueError(
            f"unknown survey {text!r}; photoz_morph.surveys describes {', '.join(SURVEYS)}. "
            + (f"Did you mean {close[0]}?" if close else "Another one is given by the path of its .yaml file")
        )
    survey = read_survey(text)
    if SURVEYS.get(survey.name, survey) != survey:
        raise ValueError(
            f"{text}: 'name' is {survey.name!r}, which ships with the package and has other values; give it a name of "
            "its own"
        )
    return survey
