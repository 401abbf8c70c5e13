"""A morphology run folder to predictions of its test galaxies, at both depths, by every seed."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tqdm import tqdm

from photoz_morph import morph_pipeline
from photoz_morph.datasets import reading
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.loading import BATCH_SIZE, in_float32, load_members
from photoz_morph.morph_config import MorphConfig
from photoz_morph.morph_predictions import morph_predictions_table
from photoz_morph.runs.folder import finished_members, read_run

TABLE_COLUMNS = ("obj_id", "group_id", "copy", "label", "label_g", "intended_type", "gini", "m20", "gini_g", "m20_g")
LABELS = ("label", "label_g", "intended_type")


def load_classifiers(run_dir, defence=None, float32=False):
    """The finished networks of a run as they are to be used: behind its test-time defence.

    Parameters
    ----------
    run_dir : path-like
    defence : {"none", "d4", "median"}, optional
        By default that of the run's config.
    float32 : bool
        Whether networks trained in mixed precision are to compute in float32.

    Returns
    -------
    list of keras.Model
        In the order of the seeds; see `models.test_time.defended`.
    """
    config, _ = read_run(run_dir, MorphConfig)
    paths = finished_members(run_dir, MorphConfig)[0]
    networks = [in_float32(network) if float32 else network for network in load_members(paths)]
    return [defended(network, defence or config.defence.test_time) for network in networks]


def with_defence(path, config, defence=None):
    """Name of a file of a run that depends on the test-time defence: NAME_DEFENCE behind another than its config's."""
    if defence in (None, config.defence.test_time):
        return path
    return path.with_name(f"{path.stem}_{defence}{path.suffix}")


def defence_facts(config, defence=None):
    """What predictions, attacks and exports record of the defences of their networks.

    Parameters
    ----------
    config : MorphConfig
    defence : str, optional
        The test-time defence, by default that of the config.

    Returns
    -------
    dict
        `defence`, and of the training `noise_augmentation` and `pixel_augmentation`.
    """
    return {
        "defence": defence or config.defence.test_time,
        "noise_augmentation": config.data.noise_augmentation,
        "pixel_augmentation": config.data.pixel_augmentation,
    }


def predict_morph_run(run_dir, data_dir=None, split="test", progress=True, defence=None):
    """Class probabilities and latents of a split, from each network of a run.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    split : {"test", "validation", "train"}
    progress : bool
    defence : {"none", "d4", "median"}, optional
        Test-time defence instead of that of the run's config.

    Returns
    -------
    Table
        See `morph_predictions`.

    Raises
    ------
    ValueError
        If the dataset is another one than that of the training, in which a test galaxy may have been trained on.
    """
    config, dataset = read_run(run_dir, MorphConfig)
    builder = morph_pipeline.open_run_dataset(dataset, data_dir)
    networks = load_classifiers(run_dir, defence)
    columns = reading.read_columns(builder, split)
    columns = {name: columns[name] for name in TABLE_COLUMNS}
    for name in LABELS:
        columns[name] = morph_pipeline.class_index(columns[name], config.data.classes)
    probabilities, latents = {"Y10": [], "Y1": []}, {}
    total = len(networks) * 2 * len(columns["obj_id"])
    with tqdm(total=total, desc="predict", unit=" images", disable=not progress) as bar:
        for network in networks:
            classify = ImageClassifier(network)
            for index, domain in enumerate(morph_pipeline.DOMAINS):
                images = morph_pipeline.domain_images(builder, split, domain, BATCH_SIZE)
                probability, latent = classify(images, index, bar.update)
                probabilities[domain.upper()].append(probability)
                latents.setdefault(domain.upper(), latent)
            keras.backend.clear_session()
    return morph_predictions_table(
        columns,
        {domain: np.stack(values, axis=1) for domain, values in probabilities.items()},
        latents,
        config.survey,
        builder.info.metadata["origin"],
        config.model.name,
        config.class_names,
        config.adaptation.name,
        run_dir.name if hasattr(run_dir, "name") else str(run_dir).rstrip("/").rpartition("/")[2],
        defence_facts(config, defence),
    )


class ImageClassifier:
    """A network, compiled to classify images; in TensorFlow on one device, whatever it was trained on.

    Parameters
    ----------
    network : keras.Model
    """

    def __init__(self, network):
        self.network, self._outputs = network, network.predict_on_batch
        if keras.backend.backend() == "tensorflow":  # whose predict_on_batch gives each replica the whole batch
            self._outputs = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)

    def __call__(self, batches, domain=0, on_batch=None):
        """Probabilities and latents of images.

        Parameters
        ----------
        batches : iterable of tensor, shape (batch_size, size, size, n_bands)
        domain : int
            0 for Y10, 1 for Y1; it bears on networks with a scaling for each domain only.
        on_batch : callable, optional
            Called with the number of images after each batch.

        Returns
        -------
        probability : ndarray, shape (n, n_classes)
        latent : ndarray, shape (n, n_latent)
        """
        probability, latent = [], []
        for images in batches:
            outputs = self._outputs(network_inputs(self.network, ops.convert_to_tensor(images), domain))
            probability.append(ops.convert_to_numpy(ops.softmax(outputs["logits"])))
            latent.append(ops.convert_to_numpy(outputs["latent"]))
            if on_batch:
                on_batch(len(latent[-1]))
        return np.concatenate(probability), np.concatenate(latent)


def network_inputs(network, images, domain=0):
    """Images as a network takes them, with the index of their domain where it has a scaling for each."""
    if "domain" not in network.input:
        return {"image": images}
    return {"image": images, "domain": ops.full((ops.shape(images)[0],), domain, dtype="int32")}
