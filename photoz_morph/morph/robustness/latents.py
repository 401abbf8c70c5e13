"""Geometry of the latent space of a morphology run: distances, margins and their scale.

`latent_run`, behind `morph latent`, measures the predictions of the run, an attack if given, and the head of the first
seed's network; `write_latent` saves the result as RUN/latent.json. With `every_seed` the distance from Y10 to Y1 is
measured for the networks of all seeds: the scatter of seeds sets the significance of a ratio of two runs.
"""

from pathlib import Path

import keras
import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_members
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import with_defence
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.predictions import read_morph_predictions, write_morph_predictions
from photoz_morph.morph.robustness.attack_files import read_attack
from photoz_morph.morph.robustness.latent_files import read_latent, write_latent
from photoz_morph.morph.robustness.latent_scores import compare_latents, latent_scores, measure_latents
from photoz_morph.robustness.latents.geometry import class_margins, class_separation, distance
from photoz_morph.runs.folder import finished_members, read_run


def latent_run(
    run_dir, attack=None, data_dir=None, every_seed=False, defence=None, n_bootstrap=1000, seed=0, progress=True,
    measurements=None,
):  # fmt: skip
    """Measure distances, margins and scale of a run's latent space, raw and scale-free.

    Parameters
    ----------
    run_dir : path-like
    attack : Table or path-like, optional
        Attack on the first seed's network: a folder of `morph attack`, or its table.
    data_dir : path-like, optional
        Prepared dataset, read only if the run has no predictions for this defence, or for `every_seed`; by default the
        one the run was trained on.
    every_seed : bool
        Measure the distance from Y10 to Y1 for the networks of all seeds, too.
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.
    n_bootstrap, seed : int
    progress : bool
    measurements : LatentMeasurements, optional
        From `measure_run` with the same arguments, to save measuring again.

    Returns
    -------
    dict
        As from `latent_scores`, with `run` and `seeds` (None, or a list of {separation, spread, y10_y1, margin_y10,
        margin_y1} of each seed: means over all test galaxies in latent units).

    Raises
    ------
    FileNotFoundError
        If the folder is no run folder or has no finished network.
    ValueError
        If predictions or attack belong to other networks, or the network has layers between latent and logits.
    """
    measurements = measurements or measure_run(run_dir, attack, data_dir, defence, progress)
    seeds = seed_distances(run_dir, measurements.table, data_dir, defence, progress) if every_seed else None
    scores = latent_scores(measurements, n_bootstrap, seed)
    return {"run": Path(run_dir).resolve().name, **scores, "seeds": seeds}


def measure_run(run_dir, attack=None, data_dir=None, defence=None, progress=True):
    """Measure the latents of a run galaxy by galaxy, as `LatentMeasurements`; arguments as for `latent_run`."""
    run_dir = Path(run_dir)
    kernel, bias = head_of(run_dir)
    table = _predictions(run_dir, data_dir, defence, progress)
    if "domain" in table.colnames:
        raise ValueError(
            f"{run_dir}: distances of latents need each galaxy at both depths, and its galaxies are simulated or real "
            "ones; give a run on mocks of `morph mock`"
        )
    if attack is not None and not isinstance(attack, Table):
        attack, _ = read_attack(attack)
    try:
        return measure_latents(table, kernel, bias, attack)
    except ValueError as error:
        raise ValueError(f"{run_dir}: {error}") from error


def _predictions(run_dir, data_dir, defence, progress):
    """Predictions of the run behind the defence, made and saved if missing."""
    path = with_defence(run_dir / "predictions.fits", read_run(run_dir, MorphConfig)[0], defence)
    if path.is_file():
        return read_morph_predictions(path)
    table = predict_morph_run(run_dir, data_dir, progress=progress, defence=defence)
    write_morph_predictions(table, path)
    return table


def head_of(run_dir):
    """Kernel, shape (n_latent, n_classes), and bias of the output layer of the first seed's network.

    Test-time defences change the latents, not the head: the mean of the logits is the head on the mean latent. Raises
    a ValueError for a network with layers in between, such as DeepMerge.
    """
    path = next(iter(finished_members(run_dir, MorphConfig).values()))[0]
    return _head(path)


def _head(path):
    """Kernel and bias of the output layer of a saved network, whose input must be the latent."""
    (network,) = load_members([path])
    kernel, bias = network.get_layer("logits").get_weights()
    n_latent = network.output["latent"].shape[-1]
    if len(kernel) != n_latent:
        raise ValueError(
            f"{path}: {network.name} has layers between its latent of {n_latent} and its logits; margins and church "
            "windows need a linear head, as in resnet18 and convnet"
        )
    return kernel, bias


def seed_distances(run_dir, table, data_dir=None, defence=None, progress=True):
    """Measure scale, mean distance from Y10 to Y1 and mean margins for each seed's network on the test galaxies.

    Parameters
    ----------
    run_dir : path-like
    table : Table
        Predictions of the run from `morph predict`.
    data_dir : path-like, optional
    defence : str, optional
    progress : bool

    Returns
    -------
    list of dict of str to float

    Raises
    ------
    ValueError
        If the test galaxies of the dataset are not those of the predictions.
    """
    builder = dataset.open_dataset(data_dir or read_run(run_dir, MorphConfig)[1]["path"])
    dataset.require_pairs(builder, "the distance of latents")
    paths = finished_members(run_dir, MorphConfig)[0]
    obj_id, labels = reading.read_columns(builder, "test")["obj_id"], np.asarray(table["label"])
    if not np.array_equal(obj_id, table["obj_id"]):
        raise ValueError(
            f"{builder.data_dir}: its {len(obj_id)} test galaxies are not the {len(table)} of {run_dir}'s predictions, "
            "or are in another order; give the run's dataset, or predict again"
        )
    found = []
    with tqdm(total=2 * len(obj_id) * len(paths), desc="latents", unit=" images", disable=not progress) as bar:
        for path, network in zip(paths, load_classifiers(run_dir, defence)):
            classify, latents, (kernel, bias) = ImageClassifier(network), [], _head(path)
            for index, domain in enumerate(dataset.DOMAINS):
                images = dataset.domain_images(builder, "test", domain, BATCH_SIZE)
                latents.append(classify(images, index, bar.update)[1].astype(float))
            margins = [class_margins(part @ kernel + bias, kernel).mean() for part in latents]
            means = zip(("y10_y1", "margin_y10", "margin_y1"), (distance(*latents).mean(), *margins))
            found.append(class_separation(latents[0], labels) | {name: float(value) for name, value in means})
            keras.backend.clear_session()
    return found


def latent_runs(runs, attack_name=None, data_dir=None, every_seed=False, defence=None, progress=True):
    """Latent spaces of several runs, written to `latent.json` of each, and their ratios to the first.

    Parameters
    ----------
    runs : dict of str to path-like
        Run folders by their names.
    attack_name : str, optional
        Attack in RUN/attacks/NAME of every run.
    data_dir, every_seed, defence, progress
        As for `latent_run`. Without `every_seed` the seeds measured before from the same networks are kept.

    Returns
    -------
    latents : dict of str to dict
        As from `latent_run`.
    ratios : dict of str to dict
        Every run but the first -> as from `compare_latents`.
    """
    latents, measurements = {}, {}
    for name, run in runs.items():
        run = Path(run)
        attack = run / "attacks" / attack_name if attack_name else None
        measured = measurements[name] = measure_run(run, attack, data_dir, defence, progress)
        found = latent_run(run, attack, data_dir, every_seed, defence, progress=progress, measurements=measured)
        path = with_defence(run / "latent.json", read_run(run, MorphConfig)[0], defence)
        if not every_seed and path.exists():
            earlier = read_latent(path)
            found["seeds"] = earlier["seeds"] if earlier["head"] == found["head"] else None  # of the same networks
        latents[name] = found
        write_latent(found, path)
    first, *others = runs
    return latents, {name: compare_latents(measurements[first], measurements[name]) for name in others}
