"""Provenance of outputs: the code, the model and the images that a file was made from.

Every output of the package carries the same keys, those of `KEYS` that apply to it, in its FITS header, meta or JSON:
`code` (version and commit), `model_id` (hash of the networks), `data_id` (content hash of their training set),
`survey`, `bands`, `unit` (of a pixel value), `engine` and `combine` (how frames became stacks), beside the redshift
bins (`z_min`, `z_max`, `n_bins`). Keys have eight letters at most, so that they are FITS keywords as they are. Nothing
here depends on the time or the machine: the same input gives the same bytes.
"""

import hashlib
import subprocess
import warnings
from functools import lru_cache
from pathlib import Path

from photoz_morph import __version__

KEYS = ("code", "model_id", "data_id", "survey", "bands", "unit", "engine", "combine")
ID_LETTERS = 16  # hexadecimal digits of a hash
MUST_AGREE = {  # fact of images -> its name in messages
    "survey": "survey", "bands": "bands", "pixel_scale": "pixel scale", "size": "size", "unit": "unit",
}  # fmt: skip
MAY_DIFFER = {"engine": "stacking engine", "combine": "combination of the frames"}


@lru_cache(maxsize=1)
def code_version():
    """Version of the package, and in a git checkout the commit: "0.1.0+g1a2b3c4d5e", with ".dirty" if files differ."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return __version__
    command = ["git", "--no-optional-locks", "-C", str(root)]
    command += ["describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return __version__
    commit = found.stdout.strip().replace("-", ".")
    return f"{__version__}+g{commit}" if found.returncode == 0 and commit else __version__


def file_hash(path):
    """First 16 hexadecimal digits of the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:ID_LETTERS]


def folder_hash(folder, patterns=("**/*",)):
    """Hash of the files of a folder and of their names in it, wherever the folder is and whatever its name.

    Parameters
    ----------
    folder : path-like
    patterns : iterable of str
        Which files; by default all.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    folder = Path(folder)
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    names = sorted((path.relative_to(folder).as_posix(), path) for path in paths)
    return joint_hash(f"{name} {file_hash(path)}" for name, path in names)


def joint_hash(parts):
    """Hash of several texts in their order, such as the hashes of the networks of an ensemble; 16 digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:ID_LETTERS]


def image_facts(survey, **facts):
    """Facts of the images of a survey, for `check_images`.

    Parameters
    ----------
    survey : ImagingSurvey
    **facts
        `engine` and `combine`, where known; None where not.

    Returns
    -------
    dict
        `survey`, `bands` (comma separated), `pixel_scale` [arcsec], `size` [pixel], `unit`, and the others.
    """
    return {
        "survey": survey.name,
        "bands": ",".join(survey.bands),
        "pixel_scale": survey.pixel_scale,
        "size": survey.stamp_size,
        "unit": survey.image_unit,
        **{key: value for key, value in facts.items() if value},
    }


def header_facts(header):
    """Facts of the images of a shard, from its primary header: those of `image_facts` but the size."""
    cards = {
        "survey": "SURVEY", "bands": "BANDS", "pixel_scale": "PIXSCALE", "unit": "BUNIT", "engine": "ENGINE",
        "combine": "COMBINE",
    }  # fmt: skip
    found = {key: header[card] for key, card in cards.items() if header.get(card)}
    if "combine" in found:
        found["combine"] = found["combine"].lower()  # SWarp's own spelling is in capitals
    return found


def stacking_facts(header):
    """`engine` and `combine` of a shard of stacks, from its primary header, where it says them."""
    return {key: value for key, value in header_facts(header).items() if key in MAY_DIFFER}


def described_facts(description):
    """Facts of the training images of an exported model, from its `estimator.json`: those of `image_facts`."""
    names = {
        "survey": "survey", "bands": "bands", "pixel_scale": "pixel_scale_arcsec", "size": "image_size",
        "unit": "image_unit", "engine": "engine", "combine": "combine",
    }  # fmt: skip
    found = {key: description[name] for key, name in names.items() if description.get(name)}
    if not isinstance(found.get("bands", ""), str):
        found["bands"] = ",".join(found["bands"])
    return found


def check_images(trained_on, given, source, model):
    """Refuse images that differ from those a model was trained on, and say in what.

    Parameters
    ----------
    trained_on, given : dict
        From `image_facts`, `header_facts` or `described_facts`. What either does not know is not compared.
    source, model : path-like
        The given images and the model, named in messages.

    Raises
    ------
    ValueError
        If survey, bands, pixel scale, size or unit differ.
    """
    known = trained_on.keys() & given.keys()
    differing = [key for key in MUST_AGREE if key in known and not _is_same(given[key], trained_on[key])]
    if differing:
        raise ValueError(
            f"{source}: {_difference(differing, given, trained_on, MUST_AGREE)}; {model} knows no other images: give "
            "it images like those it was trained on, or another model"
        )


def check_engine(trained_on, given, source, model, same_engine=False):
    """Remark on stacks that another engine or combination made than those a model was trained on.

    Parameters
    ----------
    trained_on, given, source, model
        As for `check_images`.
    same_engine : bool
        Whether a difference is an error.

    Raises
    ------
    ValueError
        If engine or combination differ and `same_engine` is set.

    Warns
    -----
    UserWarning
        If they differ and it is not.
    """
    known = trained_on.keys() & given.keys()
    differing = [key for key in MAY_DIFFER if key in known and not _among(given[key], trained_on[key])]
    if differing:
        remark = f"{source}: {_difference(differing, given, trained_on, MAY_DIFFER)}"
        if same_engine:
            raise ValueError(f"{remark}; make the stacks again as those {model} was trained on")
        warnings.warn(f"{remark}; noise and seeing of {model}'s training images may have been others", stacklevel=2)


def _is_same(one, other):
    """True for equal values; pixel scales may be rounded in the last digits."""
    if isinstance(one, float) or isinstance(other, float):
        return abs(one - other) <= 1e-6 * abs(other)
    return one == other


def _among(values, known):
    """True if all of the comma-separated values are among the known ones."""
    return set(values.split(",")) <= set(known.split(","))


def _difference(keys, given, trained_on, names):
    """Differences in words, such as "unit is nJy, the training data's nanomaggy"."""
    return ", ".join(f"{names[key]} is {given[key]}, the training data's {trained_on[key]}" for key in keys)


def provenance_of(meta):
    """The keys of `KEYS` that a meta or description holds, for what is computed from it."""
    return {key: meta[key] for key in KEYS if meta.get(key)}


def scored_provenance(meta):
    """`provenance_of` the predictions with the `code` that scores them, beside the `code_of_predictions`."""
    code = {"code_of_predictions": meta["code"]} if meta.get("code") else {}
    return {**provenance_of(meta), **code, "code": code_version()}


def joined_facts(parts):
    """Facts of data that come in parts, such as shards: one value for each key, or the different ones, comma separated.

    Parameters
    ----------
    parts : iterable of dict

    Returns
    -------
    dict
    """
    values = {}
    for part in parts:
        for key, value in part.items():
            values.setdefault(key, set()).add(value)
    return {key: found.pop() if len(found) == 1 else ",".join(sorted(map(str, found))) for key, found in values.items()}
