"""Exported models whose answers a line of NumPy gives, and mocks to ask the morphology model about."""

import contextlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import tensorflow as tf

from photoz_morph.models.exports.saved_model import write_saved_model
from photoz_morph.photoz.export import OUTPUTS
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from photoz_morph.surveys import LSST, SDSS
from tests.support.samples import MOCK_HEADER, shape_mocks

CLASSES = ("spiral", "elliptical", "merger")
SCALE = 0.05  # of the logits [1 / nJy]


def toy_export(folder, with_y1=True, **changes):
    """Write a model whose logits are the mean of each band times `SCALE`, with the opposite sign in `serve_y1`."""
    def function(sign):
        def serve(image):
            latent = tf.reduce_mean(image, axis=(1, 2))
            return {"probability": tf.nn.softmax(sign * SCALE * latent), "latent": latent}

        return serve

    signature = [tf.TensorSpec((None, *LSST.image_shape), tf.float32, name="image")]
    functions = {"serve": (function(1), signature)} | ({"serve_y1": (function(-1), signature)} if with_y1 else {})
    description = {
        "task": "morph", "survey": "lsst", "bands": LSST.bands, "image_unit": "nJy", "classes": CLASSES,
        "model": "resnet18", "mocks": {"binning": "sample", "pixscale": 1.0},
    } | changes  # fmt: skip
    write_saved_model(folder, functions, {key: value for key, value in description.items() if value is not None})
    return folder


def toy_probability(image, sign=1):
    """Probabilities of `toy_export`, in float64."""
    powers = np.exp(sign * SCALE * np.asarray(image, float).mean(axis=(1, 2)))
    return powers / powers.sum(axis=1, keepdims=True)


def toy_mocks(folder, sizes=(70, 5), **cards):
    """Shards of mocks with Y10 and Y1 stamps: paths, stamps of each depth, and obj_id, over all shards."""
    header = [(name, cards.get(name, value), comment) for name, value, comment in MOCK_HEADER]
    paths, stamps, obj_id = [], {10: [], 1: []}, []
    for index, n in enumerate(sizes):
        images, table = shape_mocks(n, first_id=100 * index)
        paths.append(mock_shard_path(folder, index))
        write_mock_shard(paths[-1], images, table, header)
        for years, part in stamps.items():
            part.append(images[years])
        obj_id += table["obj_id"].tolist()
    return paths, {years: np.concatenate(part) for years, part in stamps.items()}, obj_id


def serving_answer(folder, body, signature_name="serving_default"):
    """Predictions that TensorFlow Serving gives for a JSON request to its REST interface.

    No server is asked: its documented rules are followed. In the row format, `instances`, an entry holds one value of
    each input by name, or is itself the value of the only one, and so are the answers; in the column format, `inputs`
    holds the batch of each input. Names and types are those of the signature.
    """
    model, body = tf.saved_model.load(str(folder)), json.loads(json.dumps(body))
    signature = model.signatures[signature_name]
    specs = signature.structured_input_signature[1]
    if "inputs" in body:
        columns = body["inputs"]
    else:
        rows = [row if isinstance(row, dict) else dict(zip(specs, [row], strict=True)) for row in body["instances"]]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
    if set(columns) != set(specs):
        raise ValueError(f"the signature has inputs {sorted(specs)}, the request {sorted(columns)}")
    answers = signature(**{name: tf.constant(columns[name], specs[name].dtype) for name in specs})
    answers = {name: values.numpy().tolist() for name, values in answers.items()}
    if "inputs" in body:
        return answers
    n_rows = {len(values) for values in answers.values()}
    if n_rows != {len(rows)}:
        raise ValueError(f"{len(rows)} instances, but outputs of {n_rows} rows: the row format needs one for each")
    return [dict(zip(answers, row)) for row in zip(*answers.values())]


@contextlib.contextmanager
def serving(folder, name="photoz"):
    """Stand-in for TensorFlow Serving on a free port that answers by `serving_answer`; yields the URL of the model."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = 404, {"error": f"no model at {self.path}"}
            if self.path == f"/v1/models/{name}:predict":
                try:
                    found = serving_answer(folder, body, body.get("signature_name", "serving_default"))
                    status, answer = 200, {"outputs" if "inputs" in body else "predictions": found}
                except (ValueError, KeyError) as error:
                    status, answer = 400, {"error": str(error)}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/models/{name}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def onnx_answers(path, inputs):
    """Outputs of an ONNX file by name, without TensorFlow."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert {node.name for node in session.get_inputs()} == set(inputs)
    return dict(zip(names, session.run(None, inputs)))


def saved_model_cli(*arguments):
    """Printed output of the command `saved_model_cli`, which comes with TensorFlow."""
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def toy_photoz_export(folder):
    """Write a photo-z model that gives every galaxy the same PDF, all of it in the bin from 0.1 to 0.2."""
    def serve(image, ebv):
        pdf = tf.tile([[0.0, 1.0, 0.0, 0.0]], [tf.shape(image)[0], 1])
        return {"pdf": pdf} | {name: tf.fill(tf.shape(ebv), 0.15) for name in OUTPUTS if name != "pdf"}

    signature = [
        tf.TensorSpec((None, *SDSS.image_shape), tf.float32, name="image"),
        tf.TensorSpec((None,), tf.float32, name="ebv"),
    ]
    description = {
        "task": "photoz", "survey": "sdss", "bands": SDSS.bands, "pixel_scale_arcsec": SDSS.pixel_scale,
        "image_size": SDSS.stamp_size, "image_unit": SDSS.image_unit, "model": "toy", "n_members": 1,
        "redshift": {"z_min": 0.0, "z_max": 0.4, "n_bins": 4},
    }  # fmt: skip
    write_saved_model(folder, {"serve": (serve, signature)}, description)
    return folder
