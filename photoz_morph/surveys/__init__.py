"""Surveys: pixel scales, bands, units, zero points, depths, and how their images lie on disk.

A `Survey` describes the stacked images of a survey, and is a YAML file; a `VisitSurvey` its single visits, from which
the depth after any number of years follows. A config names a survey or the path of its file; code takes every other
instrument fact from here.
"""

from photoz_morph.surveys.description import FrameFormat, ImagingSurvey, Survey
from photoz_morph.surveys.files import read_survey, survey_from_dict, survey_to_dict
from photoz_morph.surveys.known import SDSS, SURVEYS, get_survey
from photoz_morph.surveys.visits import LSST, VisitSurvey

__all__ = [
    "FrameFormat", "ImagingSurvey", "LSST", "SDSS", "SURVEYS", "Survey", "VisitSurvey", "get_survey", "read_survey",
    "survey_from_dict", "survey_to_dict",
]  # fmt: skip
