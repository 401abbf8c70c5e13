"""Export of a run: one SavedModel of the networks of all seeds.

Of networks that find sources `serve(image)` gives what sources are made of: of U-Nets the means of their maps, of
others the detections of each network side by side (`finding.finder.joined`). Of deblenders `serve(image)` gives the
mean of their images of the galaxy in the middle, and where they draw samples `serve_samples(image, noise)` these. Of
networks that give maps, fields or parameters it gives these, see `maps.networks.ensemble_answers`.
"""

import tensorflow as tf
from keras import ops

from photoz_morph.blend.config import DETECTION, BlendConfig
from photoz_morph.blend.deblended import HEAD, galaxy_of
from photoz_morph.blend.finding.finder import joined
from photoz_morph.blend.maps.networks import mean_answer
from photoz_morph.blend.maps.targets import UNITS
from photoz_morph.models.exports.saved_model import write_saved_model
from photoz_morph.models.loading import in_float32, load_members
from photoz_morph.runs.folder import read_run, run_provenance, weights_hash
from photoz_morph.runs.progress import members_of_complete_fold
from photoz_morph.shards.blends import CLASS_NAMES

# Of images that are no light but logarithms of maps of matter; see `tfds_builders.cosmology_fields`.
FIELD_CHANNELS = {"field": ["observed", "is_seen"], "parameters": ["field"]}


def export_blend(run_dir, out_dir, with_onnx=False):
    """Write all networks of a run as one SavedModel that includes the scaling of the images.

    Parameters
    ----------
    run_dir, out_dir : path-like
    with_onnx : bool
        Whether to write `model.onnx`, and `model_samples.onnx` for `serve_samples`, beside the SavedModel.

    Returns
    -------
    dict
        Content of `estimator.json`, which is written beside the SavedModel.

    Raises
    ------
    ValueError
        If the ensemble is not finished, `out_dir` exists, or the networks cannot be written as ONNX.

    Notes
    -----
    Images have the size of those of the dataset: `export.network_finder` makes such tiles of larger ones.
    """
    config, dataset = read_run(run_dir, BlendConfig)
    members = members_of_complete_fold(run_dir, BlendConfig)
    networks = [in_float32(network) for network in load_members(members)]
    fields, size = dataset["fields"], dataset["fields"]["size"]
    channels = FIELD_CHANNELS.get(config.answer)
    of_images = {"channels": channels} if channels else _of_light(config, dataset)
    signature = [tf.TensorSpec((None, size, size, len(of_images["channels"])), tf.float32, name="image")]
    functions = _functions(networks, config, signature)
    description = {
        "task": config.task,
        **of_images,
        "image_size": size,
        "model": config.network,
        "gives": config.answer,
        **_settings(config, networks, fields),
        "n_members": len(members),
        "trained_on": {key: dataset[key] for key in ("name", "origin", config.DATASET_SIZES)},
        "fields": fields,
        **run_provenance(dataset, members),
        "weights": [weights_hash(path) for path in members],
    }
    return write_saved_model(out_dir, functions, description, with_onnx)


def _of_light(config, dataset):
    """What images of light are."""
    fields, images = dataset["fields"], dataset["images"]
    bands = images["bands"].split(",")
    return {
        "survey": config.survey,
        "bands": bands,
        "channels": bands,
        "pixel_scale_arcsec": float(images["pixel_scale"]),
        "image_unit": images["unit"],
        "zero_point": float(fields["zero_point"]),
        "sky_sigma": [float(sigma) for sigma in fields["sky_sigma"].split(",")],
    }


def _functions(networks, config, signature):
    """Functions of an export by their names, with their inputs."""
    if config.deblends:
        return _of_deblenders(networks, signature)

    def serve(image):
        outputs = [network({"image": image}, training=False) for network in networks]
        if config.answer == "sources":
            return joined(outputs, config)
        return {config.answer: mean_answer([output[config.answer] for output in outputs], config.answer)}

    return {"serve": (serve, signature)}


def _of_deblenders(networks, signature):
    """Functions of networks that give the galaxy in the middle."""

    def serve(image):
        images = [galaxy_of(network({"image": image}, training=False)) for network in networks]
        return {HEAD: ops.mean(ops.stack(images), axis=0)}

    def serve_samples(image, noise):
        drawn = [network({"image": image, "noise": noise[:, number]}, training=False)
                 for number, network in enumerate(networks)]  # fmt: skip
        return {name: ops.stack([outputs[name] for outputs in drawn], axis=1) for name in ("samples", "sample_sigmas")}

    functions = {"serve": (serve, signature)}
    if hasattr(networks[0], "n_latent"):
        noise = tf.TensorSpec((None, len(networks), None, networks[0].n_latent), tf.float32, name="noise")
        functions["serve_samples"] = (serve_samples, [*signature, noise])
    return functions


def _settings(config, networks, fields):
    """What is needed to make sources or samples of the outputs, or what maps and parameters they are."""
    if config.answer == "sources":
        return {"classes": CLASS_NAMES, "detection": {name: config.option(f"detection.{name}") for name in DETECTION}}
    if config.deblends:
        return {"n_latent": getattr(networks[0], "n_latent", None)}
    return {"names": {"maps": list(UNITS), "field": ["field"]}.get(config.answer) or fields["parameters"].split(",")}
