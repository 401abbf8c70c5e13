"""What every network of a run makes of the validation galaxies at both depths, and of mixtures of their Y1 images.

Networks are not trained on these galaxies, and their Y1 labels serve nothing but what says that it uses them.
"""

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.metrics.selection.consistency import MIXING
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.predict import catalog_columns, run_table
from photoz_morph.runs.folder import read_run

SPLIT = "validation"


def validation_answers(run_dir, data_dir=None, progress=True):
    """Probabilities and latents of the validation galaxies by every network of a run.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    progress : bool

    Returns
    -------
    Table
        As from `morph_predictions_table`, with the columns of `outputs.ANSWERS`.

    Raises
    ------
    ValueError
        If the dataset is not the one the run was trained on, is of composites, or has fewer than two validation
        galaxies.
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    dataset.require_pairs(builder, "a choice without labels")
    columns = catalog_columns(builder, SPLIT, config.data.classes)
    n = len(columns["obj_id"])
    if n < 2:
        raise ValueError(f"{builder.data_dir}: has {n} validation galaxies, two are needed; give more galaxies")
    networks, offset = load_classifiers(run_dir), n // 2
    probabilities, latents, mixed = {"Y10": [], "Y1": []}, {"Y10": [], "Y1": []}, []
    with tqdm(total=len(networks) * 3 * n, desc="validation", unit=" images", disable=not progress) as bar:
        for network in networks:
            classify = ImageClassifier(network)
            for index, domain in enumerate(dataset.DOMAINS):
                images = dataset.domain_images(builder, SPLIT, domain, BATCH_SIZE)
                for values, part in zip((probabilities, latents), classify(images, index, bar.update)):
                    values[domain.upper()].append(part)
            mixed.append(classify(mixed_images(builder, SPLIT, "y1", offset), 1, bar.update)[0])
            keras.backend.clear_session()
    table = run_table(
        run_dir,
        builder,
        columns,
        {domain: np.stack(values, axis=1) for domain, values in probabilities.items()},
        {domain: values[0] for domain, values in latents.items()},
    )
    for domain, values in latents.items():
        table[f"latents_{domain.lower()}"] = np.stack(values, axis=1).astype(np.float32)
    table["partner"] = (np.arange(n) + offset) % n
    table["probability_mixed"] = np.stack(mixed, axis=1).astype(np.float32)
    return table


def mixed_images(builder, split, domain, offset):
    """Mixtures of each image with the one `offset` rows further, from whose end the count goes on at the first.

    Parameters
    ----------
    builder : tfds builder
    split : str
    domain : {"y10", "y1"}
    offset : int
        From 1 to the number of galaxies; they are stored in the order of a hash, the views of one side by side.

    Returns
    -------
    tf.data.Dataset
        Batches in the stored order, shape (n, size, size, n_bands) [image unit].

    Notes
    -----
    The share of the first image is `MIXING`. Images are mixed in their unit of flux, as a blend of two galaxies has
    it, before the scaling that is part of the network; their noise falls by 0.71.
    """

    def images(part):
        return dataset.domain_images(builder, part, domain, BATCH_SIZE).unbatch()

    rolled = images(f"{split}[{offset}:]").concatenate(images(f"{split}[:{offset}]"))
    pairs = tf.data.Dataset.zip((images(split), rolled)).batch(BATCH_SIZE)
    return pairs.map(lambda first, second: MIXING * first + (1 - MIXING) * second)
