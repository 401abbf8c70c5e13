"""SavedModel folders with an `estimator.json` beside the functions, the exports of both chains."""

import json
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from photoz_morph.system.files import reason_and_remedy
from photoz_morph.system.locks import one_owner


@one_owner("out_dir", "give another --out", is_folder=False)
def write_saved_model(out_dir, functions, description):
    """Write functions as the signatures of one SavedModel, whole or not at all.

    Parameters
    ----------
    out_dir : path-like
        Must not exist.
    functions : dict of str to (callable, list of tf.TensorSpec)
        Function and inputs of each signature, by its name.
    description : dict
        Content of `estimator.json`.

    Raises
    ------
    ValueError
        If the folder exists.
    OSError
        With the remedy, if it cannot be written.
    """
    out_dir = Path(out_dir)
    if out_dir.exists():
        raise ValueError(f"{out_dir}: exists; remove it or give another --out")
    part = out_dir.with_name(out_dir.name + ".part")
    part.mkdir(parents=True, exist_ok=True)  # before TensorFlow does, whose error names no remedy
    archive = keras.export.ExportArchive()  # without `track`, which would store each variable a second time
    for name, (function, signature) in functions.items():
        archive.add_endpoint(name=name, fn=function, input_signature=signature)
    try:
        archive.write_out(str(part), verbose=False)
        (part / "estimator.json").write_text(json.dumps(description, indent=1))
        part.replace(out_dir)
    except (OSError, tf.errors.OpError) as error:  # TensorFlow's names a temporary file
        reason = OSError(" ".join(str(error).split()))
        raise OSError(reason_and_remedy(reason, out_dir)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_description(folder, task):
    """Read `estimator.json` of an exported model.

    Parameters
    ----------
    folder : path-like
    task : {"photoz", "morph"}
        Chain named in errors.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged.
    """
    path = Path(folder) / "estimator.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder}: not an exported model (estimator.json is missing); see `{task} export`")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON, or truncated ({error}); export the model again") from error


def load_saved_model(folder):
    """Load the SavedModel of a folder; its functions need it to stay alive.

    Raises
    ------
    ValueError
        If it is damaged, or has no function `serve`.
    """
    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, KeyError, IndexError, tf.errors.OpError) as error:
        raise ValueError(f"{folder}: not a SavedModel, or truncated ({error}); export the model again") from error
    if not hasattr(model, "serve"):
        raise ValueError(f"{folder}: its SavedModel has no function `serve`; export the model again")
    return model
