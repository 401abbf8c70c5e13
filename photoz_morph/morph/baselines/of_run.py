"""Baseline predictions for the test galaxies of a dataset or a run, in the form of those of the networks."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.morph import dataset
from photoz_morph.morph.baselines.boosting import boosted_probabilities
from photoz_morph.morph.baselines.measurements import MEASUREMENTS, measure_stamps
from photoz_morph.morph.config import MorphConfig, MorphDataConfig
from photoz_morph.morph.predict import catalog_columns
from photoz_morph.morph.predictions import (
    morph_predictions_table,
    read_morph_predictions,
    row_keys,
    write_morph_predictions,
)
from photoz_morph.runs.folder import read_run
from photoz_morph.system.pool import map_in_order, process_count

# Baseline and file -> its name in tables, and the depths whose labelled images it is trained on. The networks see
# labels of Y10 alone.
MODELS = {"boosting": "boosting", "boosting_both": "boosting with Y1 labels"}
TRAINED_ON = {"boosting": ("y10",), "boosting_both": ("y10", "y1")}
N_SEEDS = 3
BATCH_SIZE = 128  # stamps in memory at once in each process


def predict_baselines(
    builder, classes=MorphDataConfig.classes, survey=MorphConfig.survey, methods=tuple(MODELS), n_seeds=None,
    n_processes=None, progress=True,
):  # fmt: skip
    """Classify the test galaxies of a dataset at both depths by boosting on measurements of their stamps.

    Parameters
    ----------
    builder : tfds builder
        From `dataset.open_dataset`.
    classes : {"spiral_elliptical_merger", "merger"}
    survey : str
    methods : sequence of str
        Of `MODELS`. "boosting" is trained on the labelled Y10 images, as the networks are; "boosting_both" on those
        of Y1 as well, with labels that no network here has.
    n_seeds : int, optional
        Boosters, each with random numbers of its own; by default `N_SEEDS`.
    n_processes : int, optional
        Processes that measure, by default one per core; the result does not depend on it.
    progress : bool

    Returns
    -------
    dict of str to Table
        For each method as from `morph_predictions_table`, with the measurements in the place of the latents and
        `baseline`, the number of measurements, and `train_on` in the meta.

    Raises
    ------
    ValueError
        If too few galaxies, or galaxies of one class alone, can train, or the dataset is one of composites.
    """
    dataset.require_pairs(builder, "the baseline")
    n_processes, n_seeds, config = process_count(n_processes), n_seeds or N_SEEDS, MorphDataConfig(classes=classes)
    needed = sorted({("train", domain) for method in methods for domain in TRAINED_ON[method]})
    needed += [("test", domain) for domain in dataset.DOMAINS]
    measured = _measured(builder, needed, n_processes, progress)
    label = catalog_columns(builder, "train", classes)["label"]
    names = MorphConfig(data=config).class_names
    tests, tables = [measured["test", domain] for domain in dataset.DOMAINS], {}
    with tqdm(total=n_seeds * len(methods), desc="boost", unit=" seeds", disable=not progress) as bar:
        for method in methods:
            train = np.concatenate([measured["train", domain] for domain in TRAINED_ON[method]])
            labels = np.tile(label, len(TRAINED_ON[method]))
            try:
                probabilities = boosted_probabilities(
                    train[labels >= 0], labels[labels >= 0], tests, len(names), range(n_seeds), bar.update
                )
            except ValueError as error:
                raise ValueError(f"{builder.data_dir}: {error}") from error
            depths = [domain.upper() for domain in dataset.DOMAINS]
            tables[method] = morph_predictions_table(
                catalog_columns(builder, "test", classes), dict(zip(depths, probabilities)), dict(zip(depths, tests)),
                survey, builder.info.metadata["origin"], MODELS[method], names, config=method,
                meta={
                    "baseline": len(MEASUREMENTS), "train_on": ",".join(TRAINED_ON[method]).upper(),
                    "data_id": reading.content_hash(builder) or "",
                },
            )  # fmt: skip
            for domain in dataset.DOMAINS:
                tables[method][f"latent_{domain}"].description = f"measurements of the stamp, {domain.upper()}"
    return tables


def predict_run_baselines(run_dir, methods=tuple(MODELS), data_dir=None, n_seeds=None, n_processes=None,
                          progress=True):  # fmt: skip
    """Classify the test galaxies of a run with the baselines.

    Parameters
    ----------
    run_dir : path-like
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    methods, n_seeds, n_processes, progress
        As for `predict_baselines`.

    Returns
    -------
    dict of str to Table

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, or the dataset is missing.
    ValueError
        If it is not the run's, or too few galaxies can train.
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    return predict_baselines(
        builder, config.data.classes, config.survey, methods, n_seeds, n_processes, progress=progress
    )


def update_baselines(run_dir, table, data_dir=None, progress=True):
    """Write the baselines of a run, `boosting.fits` and `boosting_both.fits`, if missing or of other galaxies.

    Parameters
    ----------
    run_dir : path-like
    table : Table
        Predictions of the run's networks.
    data_dir, progress
        As for `predict_run_baselines`.

    Returns
    -------
    tables : dict of str to Table
        By the names in `MODELS`' values.
    note : str
        Reason why they could not be made, in one line, such as a missing dataset. "" otherwise.

    Raises
    ------
    ValueError, OSError
        For the same reasons, if `data_dir` is given.
    """
    paths = {method: Path(run_dir) / f"{method}.fits" for method in MODELS}
    found = {method: _current(path, table) for method, path in paths.items()}
    wanted = [method for method, part in found.items() if part is None]
    note = ""
    try:
        made = predict_run_baselines(run_dir, wanted, data_dir, progress=progress) if wanted else {}
    except (ValueError, OSError, RuntimeError) as error:
        if data_dir:
            raise
        made, note = {}, " ".join(str(error).split())
    for method, part in made.items():
        write_morph_predictions(part, paths[method])
    tables = {method: part for method, part in (found | made).items() if part is not None}
    return {MODELS[method]: part for method, part in tables.items()}, note


def _current(path, table):
    """Baseline predictions in a file; None if they are missing, broken, or not of the galaxies of a table."""
    try:
        found = read_morph_predictions(path)
    except (ValueError, FileNotFoundError):
        return None
    is_same = found.meta["classes"] == table.meta["classes"] and set(row_keys(found)) == set(row_keys(table))
    return found if is_same and found.meta.get("baseline") else None


def _measured(builder, parts, n_processes, progress):
    """Measurements of the stamps of each part, (split, depth), in the stored order, shape (n, 53)."""
    batches = (batch for split, domain in parts
               for batch in dataset.domain_images(builder, split, domain, BATCH_SIZE).as_numpy_iterator())  # fmt: skip
    sizes, measured = [reading.n_galaxies(builder, split) for split, _ in parts], []
    with tqdm(total=sum(sizes), desc="measure", unit=" stamps", disable=not progress) as bar:
        for rows in map_in_order(measure_stamps, batches, n_processes):
            measured.append(rows)
            bar.update(len(rows))
    return dict(zip(parts, np.split(np.concatenate(measured), np.cumsum(sizes)[:-1])))
