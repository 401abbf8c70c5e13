"""Export of a morphology run: one SavedModel of the networks of all seeds."""

import tensorflow as tf
from keras import ops

from photoz_morph.models.exports.saved_model import write_saved_model
from photoz_morph.morph.classify import load_classifiers, network_inputs
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts
from photoz_morph.runs.folder import read_run, run_provenance, weights_hash
from photoz_morph.runs.progress import members_of_complete_fold
from photoz_morph.surveys import LSST


def export_morph(run_dir, out_dir, defence=None, with_onnx=False):
    """Write all networks of a run as one SavedModel that includes the scaling and the test-time defence.

    Parameters
    ----------
    run_dir, out_dir : path-like
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.
    with_onnx : bool
        Whether to write `model.onnx`, and `model_y1.onnx` for `serve_y1`, beside the SavedModel.

    Returns
    -------
    dict
        Content of `estimator.json`, which is written beside the SavedModel.

    Raises
    ------
    ValueError
        If the ensemble is not finished or `out_dir` exists.

    Notes
    -----
    `serve(image)` returns the mean probability of the networks and the latent of the first. Networks with a scaling for
    each depth also have `serve_y1`, for one-year images.
    """
    config, dataset = read_run(run_dir, MorphConfig)
    if dataset["origin"] == "composites":
        raise ValueError(
            f"{run_dir}: was trained on colour composites of 8 bits, and exported models take survey images; use "
            "`morph predict`"
        )
    members = members_of_complete_fold(run_dir, MorphConfig)
    networks = load_classifiers(run_dir, defence)

    def function(domain):
        def serve(image):
            outputs = [network(network_inputs(network, image, domain)) for network in networks]
            probability = ops.mean(ops.stack([ops.softmax(output["logits"]) for output in outputs]), axis=0)
            return {"probability": probability, "latent": outputs[0]["latent"]}

        return serve

    signature = [tf.TensorSpec((None, *LSST.image_shape), tf.float32, name="image")]
    functions = {"serve": (function(0), signature)}
    if "domain" in networks[0].input:
        functions["serve_y1"] = (function(1), signature)
    description = {
        "task": "morph",
        "survey": config.survey,
        "bands": LSST.bands,
        "image_size": LSST.stamp_size,
        "image_unit": "nJy" if dataset["origin"] != "released" else "unknown",
        "classes": config.class_names,
        "model": config.model.name,
        "adaptation": config.adaptation.name,
        **defence_facts(config, defence),
        "n_members": len(members),
        "trained_on": {key: dataset[key] for key in ("name", "origin", "galaxies_per_split")},
        "mocks": dataset.get("mocks", {}),
        **run_provenance(dataset, members),
        "weights": [weights_hash(path) for path in members],
    }
    return write_saved_model(out_dir, functions, description, with_onnx)
