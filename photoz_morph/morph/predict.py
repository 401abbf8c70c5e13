"""Predictions of the test galaxies of a morphology run, at both depths, by the network of every seed."""

import keras
import numpy as np
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.metrics.selection.target_outputs import entropies
from photoz_morph.mocks.labels import MERGER
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts
from photoz_morph.morph.predictions import DOMAINS, morph_predictions_table
from photoz_morph.runs.folder import finished_members, read_run, run_provenance

TABLE_COLUMNS = ("obj_id", "group_id", "copy", "label", "label_g", "intended_type", "gini", "m20", "gini_g", "m20_g")
LABELS = ("label", "label_g", "intended_type")


def predict_morph_run(run_dir, data_dir=None, split="test", progress=True, defence=None, mc_dropout=0):
    """Predict class probabilities and latents of a split with every network of a run.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    split : {"test", "validation", "train"}
    progress : bool
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.
    mc_dropout : int
        Number of passes with dropout on over which probabilities and latents are means; 0 for one pass without.

    Returns
    -------
    Table
        As from `morph_predictions_table`. With `mc_dropout` also `mutual_information_y10` and `_y1`, shape
        (n, n_seeds) [nat]: the entropy of the mean probabilities minus the mean entropy of the passes.

    Raises
    ------
    ValueError
        If the dataset is not the one the run was trained on: its test galaxies may be among the training galaxies. With
        `mc_dropout`, if the networks have no dropout.

    Notes
    -----
    Monte Carlo dropout: Gal & Ghahramani (2016); the mutual information of class and weights: Houlsby et al. (2011).
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    networks = load_classifiers(run_dir, defence, active_dropout=mc_dropout > 0)
    columns = catalog_columns(builder, split, config.data.classes)
    probabilities, information, latents = {"Y10": [], "Y1": []}, {"Y10": [], "Y1": []}, {}
    total = len(networks) * 2 * len(columns["obj_id"])
    with tqdm(total=total, desc="predict", unit=" images", disable=not progress) as bar:
        for network in networks:
            classify = ImageClassifier(network)
            for index, domain in enumerate(dataset.DOMAINS):
                images = _images(builder, split, domain)
                if mc_dropout:
                    probability, latent, mutual = _mean_of_passes(classify, images, index, mc_dropout, bar.update)
                    information[domain.upper()].append(mutual)
                else:
                    probability, latent = classify(images, index, bar.update)
                probabilities[domain.upper()].append(probability)
                latents.setdefault(domain.upper(), latent)
            keras.backend.clear_session()
    probabilities = {domain: np.stack(values, axis=1) for domain, values in probabilities.items()}
    table = run_table(run_dir, builder, columns, probabilities, latents, defence)
    if mc_dropout:
        table.meta["mc_dropout"] = mc_dropout
        for domain, suffix in DOMAINS.items():
            name = f"mutual_information_{suffix}"
            table[name] = np.stack(information[domain], axis=1).astype(np.float32)
            table[name].description = f"of class and dropped units [nat], seen with {domain} noise"
    return table


def run_table(run_dir, builder, columns, probabilities, latents, defence=None):
    """Table of what the networks of a run give, with its config and provenance in the meta.

    Parameters
    ----------
    run_dir : path-like
    builder : tfds builder
        Of the galaxies.
    columns, probabilities, latents : dict
        As for `morph_predictions_table`.
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.

    Returns
    -------
    Table
        As from `morph_predictions_table`.
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    return morph_predictions_table(
        columns,
        probabilities,
        latents,
        config.survey,
        builder.info.metadata["origin"],
        config.model.name,
        config.class_names,
        config.adaptation.name,
        run_dir.name if hasattr(run_dir, "name") else str(run_dir).rstrip("/").rpartition("/")[2],
        {**defence_facts(config, defence), **run_provenance(trained_on, finished_members(run_dir, MorphConfig)[0])},
    )


def _images(builder, split, domain):
    """Batches of the images of all rows of the table in a domain; of composites both domains are rows."""
    domains = dataset.DOMAINS if dataset.is_composite(builder) else (domain,)
    for each in domains:
        yield from dataset.domain_images(builder, split, each, BATCH_SIZE)


def _mean_of_passes(classify, batches, domain, n_passes, on_batch):
    """Mean probabilities and latents over passes that differ, and the mutual information of class and pass."""
    parts = []
    for images in batches:
        passes, latents = zip(*(classify([images], domain) for _ in range(n_passes)))
        mean = np.mean(passes, axis=0, dtype=float)  # the information may be smaller than a step of float32
        parts.append((mean, np.mean(latents, axis=0), entropies(mean) - entropies(passes).mean(axis=0)))
        on_batch(len(mean))
    return tuple(map(np.concatenate, zip(*parts)))


def catalog_columns(builder, split, classes):
    """Columns of a split that the table of predictions repeats, in the stored order.

    Of composites, the simulated galaxies come first, then the real ones, and `domain` is 0 and 1.

    Parameters
    ----------
    builder : tfds builder
    split : str
    classes : {"spiral_elliptical_merger", "spiral_elliptical", "merger"}
        Which the labels become classes of.

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    splits = dict.fromkeys(dataset.split_of(builder, split, domain) for domain in dataset.DOMAINS)
    parts = [reading.read_columns(builder, of_domain) for of_domain in splits]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in TABLE_COLUMNS}
    if len(parts) > 1:
        columns["domain"] = np.repeat(np.arange(len(parts)), [len(part["obj_id"]) for part in parts])
    labels = {name: dataset.class_index(columns[name], classes) for name in LABELS}
    if classes == "spiral_elliptical":  # another truth may be a merger, which is no class here
        labels = {name: np.where(values == MERGER, -1, values) for name, values in labels.items()}
    return columns | labels
