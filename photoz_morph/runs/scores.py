"""Scores of a run as JSON."""

import json
from pathlib import Path

from photoz_morph.system.files import write_whole


def write_scores(scores, path):
    """Write scores as JSON to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n")


def read_scores(path):
    """Scores from `write_scores`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a file of scores.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `photoz evaluate` writes it")
    try:
        scores = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not a file of scores, or truncated ({error}); evaluate again") from error
    if not isinstance(scores, dict) or "data" not in scores:
        raise ValueError(f"{path}: not a file of scores, it does not say which data they are of; evaluate again")
    return scores


def write_morph_scores(scores, path):
    """Write a dictionary of scores as JSON to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n")


def read_morph_scores(path):
    """Scores from `write_morph_scores`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a file of morph scores.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `morph evaluate` writes it")
    try:
        scores = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not a file of scores, or truncated ({error}); evaluate again") from error
    if not isinstance(scores, dict) or not {"data", "origin", "domains"} <= set(scores):
        raise ValueError(f"{path}: not a file of morph scores, it lacks data, origin or domains; evaluate again")
    return scores
