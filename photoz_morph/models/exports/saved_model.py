"""SavedModel folders with an `estimator.json` beside the functions, the exports of all chains."""

import functools
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from photoz_morph.models.exports.onnx_file import write_onnx
from photoz_morph.system.files import reason_and_remedy
from photoz_morph.system.json_files import read_json
from photoz_morph.system.locks import one_owner
from photoz_morph.system.provenance import code_version, file_hash, folder_hash


@one_owner("out_dir", "give another --out", is_folder=False)
def write_saved_model(out_dir, functions, description, with_onnx=False, may_be_unknown=()):
    """Write functions as the signatures of one SavedModel, whole or not at all.

    Beside each function `NAME` stands `NAME_dict`, the same with its inputs in one dictionary: a layer of Keras 3, such
    as `TFSMLayer`, has one input, and cannot pass several by position or keyword. What is not finite is not answered:
    see `nan_unless_finite`.

    Parameters
    ----------
    out_dir : path-like
        Must not exist.
    functions : dict of str to (callable, list of tf.TensorSpec)
        Function and inputs of each signature, by its name; the first is also `serving_default`, what TensorFlow
        Serving calls.
    description : dict
        Content of `estimator.json`.
    with_onnx : bool
        Whether to write `model.onnx` for `serve`, `model_y1.onnx` for `serve_y1` beside it; see `onnx_file`.
    may_be_unknown : sequence of str
        Inputs in which NaN is an answer, of which the functions take care.

    Returns
    -------
    dict
        Content of `estimator.json`: the description with `code` and `model_id` (see `model_hash`), and `onnx`, the hash
        of each ONNX file.

    Raises
    ------
    ValueError
        If the folder exists, or an ONNX file is asked for and cannot be written.
    OSError
        With the remedy, if it cannot be written.
    """
    out_dir = Path(out_dir)
    if out_dir.exists():
        raise ValueError(f"{out_dir}: exists; remove it or give another --out")
    part = out_dir.with_name(out_dir.name + ".part")
    part.mkdir(parents=True, exist_ok=True)  # before TensorFlow does, whose error names no remedy
    archive = keras.export.ExportArchive()  # without `track`, which would store each variable a second time
    functions = {
        name: (_guarded(function, [spec.name not in may_be_unknown for spec in signature]), signature)
        for name, (function, signature) in functions.items()
    }
    for name, (function, signature) in functions.items():
        traced = archive.add_endpoint(name=name, fn=function, input_signature=signature)
        named = {spec.name: spec for spec in signature}
        archive.add_endpoint(name=f"{name}_dict", fn=_of_dictionary(traced), input_signature=[named])
    try:
        archive.write_out(str(part), verbose=False)
        description = {**description, "code": code_version(), "model_id": model_hash(part)}
        if with_onnx:
            paths = {name: part / f"model{name.removeprefix('serve')}.onnx" for name in functions}
            for name, (function, signature) in functions.items():
                write_onnx(paths[name], function, signature, description)
            description["onnx"] = {path.name: file_hash(path) for path in paths.values()}
        (part / "estimator.json").write_text(json.dumps(description, indent=1))
        part.replace(out_dir)
    except (OSError, tf.errors.OpError) as error:  # TensorFlow's names a temporary file
        reason = OSError(" ".join(str(error).split()))
        raise OSError(reason_and_remedy(reason, out_dir)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return description


def model_hash(folder):
    """Identifier of the SavedModel in a folder: a hash of its graph and weights, not of the folder's name.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    str
        16 hexadecimal digits, the `model_id` of all that the model predicts.
    """
    return folder_hash(folder, ("saved_model.pb", "variables/*", "assets/*"))


def nan_unless_finite(outputs, *inputs):
    """Outputs with NaN in each row in which an input or an output is not finite.

    A ReLU or a clip can turn NaN into a number, and argmax takes NaN for the first bin or class: without this, a stamp
    with a broken pixel has a plausible answer.

    Parameters
    ----------
    outputs : dict of str to tensor, shape (n, ...)
        Integers, which can say why a row is not answered, stay as they are.
    *inputs : tensor, shape (n, ...)

    Returns
    -------
    dict of str to tensor
    """
    is_good, numbers = True, {name: values for name, values in outputs.items() if values.dtype.is_floating}
    for values in (*inputs, *numbers.values()):
        is_good = tf.logical_and(is_good, tf.reduce_all(tf.math.is_finite(values), axis=range(1, values.shape.rank)))
    return outputs | {
        name: tf.where(tf.reshape(is_good, [-1] + [1] * (values.shape.rank - 1)), values, tf.cast(np.nan, values.dtype))
        for name, values in numbers.items()
    }


def _guarded(function, is_needed):
    """The function with NaN in the rows in which a needed input is not finite; its arguments keep their names."""

    @functools.wraps(function)
    def guarded(*inputs):
        return nan_unless_finite(function(*inputs), *(values for values, need in zip(inputs, is_needed) if need))

    return guarded


def _of_dictionary(function):
    """The function with its arguments in a dictionary."""

    def of_dictionary(inputs):
        return function(**inputs)

    return of_dictionary


def read_description(folder, task):
    """Read `estimator.json` of an exported model.

    Parameters
    ----------
    folder : path-like
    task : {"photoz", "morph", "blend"}
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
        If it is damaged, has no function `serve`, or is not the model that its `estimator.json` describes.
    """
    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, KeyError, IndexError, tf.errors.OpError) as error:
        raise ValueError(f"{folder}: not a SavedModel, or truncated ({error}); export the model again") from error
    if not hasattr(model, "serve"):
        raise ValueError(f"{folder}: its SavedModel has no function `serve`; export the model again")
    _check_model_id(folder)
    return model


def _check_model_id(folder):
    """Raise a ValueError if the SavedModel has changed since it was exported; older exports have no identifier."""
    path = Path(folder) / "estimator.json"
    stated = read_json(path).get("model_id") if path.exists() else None
    found = model_hash(folder) if stated else None
    if stated != found:
        raise ValueError(
            f"{folder}: its SavedModel is not the one that estimator.json describes (model_id {stated}, found "
            f"{found}): a file was changed or damaged; export the model again"
        )
