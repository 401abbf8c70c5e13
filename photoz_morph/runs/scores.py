"""Scores of a run as JSON."""

import json
from pathlib import Path

from photoz_morph.system.files import write_whole

# Origin of images or magnitudes -> kind of data, printed beside every score. A mock is simulated whatever it is made
# of; "released" are the authors' arrays, made of TNG100. Of composites the source is simulated and the target real, and
# each score says which it is of.
ORIGINS = {
    "simulated": "simulated", "tng": "simulated", "images": "simulated", "released": "simulated",
    "stacked": "real", "catalogue": "real", "observed": "real",
    "composites": "simulated and real",
}  # fmt: skip


def write_scores(scores, path):
    """Write a dictionary of scores as JSON to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n")


def read_scores(path, task="photoz", required=("data",)):
    """Read scores from `write_scores`.

    Parameters
    ----------
    path : path-like
    task : str
        Name of the chain whose `evaluate` wrote the file.
    required : tuple of str
        Keys that its scores have.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or lacks a required key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `{task} evaluate` writes it")
    try:
        scores = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not a file of scores, or truncated ({error}); evaluate again") from error
    missing = [key for key in required if not isinstance(scores, dict) or key not in scores]
    if missing:
        raise ValueError(f"{path}: not a file of {task} scores, it lacks {', '.join(missing)}; evaluate again")
    return scores
