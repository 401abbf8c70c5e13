"""Names of the files of a survey: which match its patterns, and what they tell."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FrameName:
    """What the name of a file tells: its band, None if its header says so, and the other parts of the pattern."""

    band: str | None
    parts: tuple


def match_name(path, survey):
    """Band and parts that the name of a file has by the patterns of a survey, or None if it matches none.

    Parameters
    ----------
    path : path-like
    survey : Survey
        With `frames`.

    Returns
    -------
    FrameName or None
    """
    name = Path(path).name
    for pattern in _patterns(survey):
        match = pattern.fullmatch(name)
        if match:
            parts = match.groupdict()
            written = parts.pop("band", None)
            bands = [band for band, names in zip(survey.bands, _band_names(survey)) if written in names]
            return FrameName(bands[0] if bands else None, tuple(parts.values()))
    return None


@functools.lru_cache(maxsize=32)
def _patterns(survey):
    """Compiled patterns of the file names of a survey, with the group `band` and one for each other word in braces."""
    bands = sorted((name for names in _band_names(survey) for name in names), key=len, reverse=True)
    return tuple(_compiled(pattern, bands) for pattern in survey.frames.file_name or ("*",))


def _compiled(pattern, bands):
    """Regular expression of one pattern."""
    pieces = re.split(r"(\{\w+\}|[*?])", pattern)
    expression = ""
    for piece, rest in zip(pieces, [*pieces[1:], ""]):
        if piece == "{band}":
            expression += f"(?P<band>{'|'.join(map(re.escape, bands))})"
        elif piece.startswith("{"):
            # Up to the first occurrence of what follows: no name of any length takes long to match.
            expression += f"(?P<{piece[1:-1]}>{f'(?:(?!{re.escape(rest)}).)' if rest else '.'}+)"
        else:
            expression += {"*": ".*", "?": "."}.get(piece, re.escape(piece))
    return re.compile(rf"{expression}(?:\.gz|\.bz2|\.fz)?", re.DOTALL)


def _band_names(survey):
    """For each band the names that files have for it."""
    return survey.frames.bands or tuple((band,) for band in survey.bands)


def band_called(name, survey):
    """Band of a name in a header, or None."""
    name = str(name).strip()
    return next((band for band, names in zip(survey.bands, _band_names(survey)) if name in names), None)
