import sys

import onnx
import pytest
import tensorflow as tf

from photoz_morph.models.exports.onnx_file import write_onnx

SIGNATURE = [tf.TensorSpec((None, 2), tf.float32, name="image")]


def test_an_operation_that_onnx_lacks_is_named_and_leaves_no_file(tmp_path):
    def serve(image):
        return {"bits": tf.cast(tf.bitcast(image, tf.int32), tf.float32)}

    with pytest.raises(ValueError, match="model.onnx: the model cannot be written as ONNX .*Bitcast"):
        write_onnx(tmp_path / "model.onnx", serve, SIGNATURE, {"model_id": "1"})
    assert not list(tmp_path.iterdir())


def test_inputs_and_outputs_keep_their_names_and_any_number_of_rows(tmp_path):
    write_onnx(tmp_path / "model.onnx", lambda image: {"double": 2 * image}, SIGNATURE, {"model_id": "1"})
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert [node.name for node in (*graph.input, *graph.output)] == ["image", "double"]
    assert not graph.input[0].type.tensor_type.shape.dim[0].dim_value


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ValueError, match=r"needs tf2onnx .*; `pip install photoz-morph\[onnx\]`"):
        write_onnx(tmp_path / "model.onnx", lambda image: {"double": 2 * image}, SIGNATURE, {"model_id": "1"})
