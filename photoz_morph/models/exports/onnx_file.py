"""ONNX files of the functions of a SavedModel, for programs without TensorFlow.

`model.onnx` stands beside the SavedModel and gives the same numbers to 1e-5: its inputs and outputs have the names of
the signature `serve`, the scaling of the images, the mean of the networks and the point estimates are inside, and a row
with a pixel that is not finite is NaN in all outputs. Its metadata hold `estimator.json` and `model_id`.
"""

import json
import logging

import numpy as np
import tensorflow as tf

OPSET = 18  # of onnx 1.13 (2022) and later


def write_onnx(path, function, signature, description):
    """Write a function of tensors as an ONNX file.

    Parameters
    ----------
    path : path-like
    function : callable
        Tensors to a dict of tensors.
    signature : list of tf.TensorSpec
        Its inputs, named.
    description : dict
        Content of `estimator.json`, with `model_id`.

    Raises
    ------
    ValueError
        If the packages onnx and tf2onnx are not installed, or the function has an operation that ONNX lacks.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise ValueError(f"{path}: an ONNX file needs tf2onnx ({error}); `pip install photoz-morph[onnx]`") from error
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # an operation it lacks is found by the check below
    traced = tf.function(function, input_signature=signature)
    handlers = {"Erfc": (_erfc, []), "Log1p": (_log1p, [])}
    model, _ = tf2onnx.convert.from_function(
        traced, input_signature=signature, opset=OPSET, custom_op_handlers=handlers
    )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"{path}: the model cannot be written as ONNX ({' '.join(str(error).split())})") from error
    onnx.helper.set_model_props(model, {"estimator": json.dumps(description), "model_id": description["model_id"]})
    onnx.save_model(model, str(path))


def _erfc(graph, node, name, args):
    """Write the complementary error function, which GELU needs and neither ONNX nor tf2onnx has, as 1 - erf."""
    inputs, outputs, shapes, dtypes = _removed(graph, node)
    one = graph.make_const(f"{name}_one", np.float32(1))
    erf = graph.make_node("Erf", inputs, shapes=shapes, dtypes=dtypes)
    operands = [one.output[0], erf.output[0]]
    return graph.make_node("Sub", operands, outputs=outputs, name=name, shapes=shapes, dtypes=dtypes)


def _log1p(graph, node, name, args):
    """Write log(1 + x), which arcsinh needs, with a sum: for small x to 6e-8, not to the last digit of x."""
    inputs, outputs, shapes, dtypes = _removed(graph, node)
    one = graph.make_const(f"{name}_one", np.float32(1))
    total = graph.make_node("Add", [inputs[0], one.output[0]], shapes=shapes, dtypes=dtypes)
    return graph.make_node("Log", total.output, outputs=outputs, name=name, shapes=shapes, dtypes=dtypes)


def _removed(graph, node):
    """Inputs, outputs, and shapes and types of the output of a node, which is taken out of the graph."""
    inputs, outputs = node.input, node.output
    shapes, dtypes = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    graph.remove_node(node.name)
    return inputs, outputs, shapes, dtypes
