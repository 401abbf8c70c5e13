"""Accuracy of the networks of a morphology run on its test galaxies after half a year to ten years of observation.

`mock_test_galaxies` makes the images, once for all runs on a dataset, and `depth_run` classifies them with every seed.
Results are saved in `depth.json` of the run folder after each depth; an interrupted run resumes with the first missing
one.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.metrics.classification import predicted_class
from photoz_morph.mocks.depths import depth_folder, depth_shards, mock_depths, plain_years
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier, load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts, with_defence
from photoz_morph.morph.evaluation.depth import FILE_NAME, depth_scores, read_depth, write_depth
from photoz_morph.runs.folder import finished_members, read_run, run_provenance, weights_hash
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.shards.mocks import read_mock_catalog, read_mock_shard
from photoz_morph.system.provenance import code_version

YEARS = (0.5, 1, 2, 5, 10)
SEED = 1  # of the noise
NEAR_Y1 = np.sqrt(10)  # years; below, a network with a scaling or statistics of each depth takes those of Y1


def mock_test_galaxies(run_dir, years=YEARS, scenes=None, out_dir=None, data_dir=None, n_processes=None, progress=True):
    """Observe the test galaxies of a run after each number of years; finished shards are kept.

    Parameters
    ----------
    run_dir : path-like
    years : sequence of float
    scenes : path-like, optional
        Folder of the scenes from which the dataset was made; by default `scenes` beside the prepared dataset.
    out_dir : path-like, optional
        By default `depths` beside the prepared dataset.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    n_processes : int, optional
        By default one per core.
    progress : bool

    Returns
    -------
    Path
        Folder with the mocks of each depth.

    Raises
    ------
    FileNotFoundError
        If there are no scenes.
    ValueError
        If the images of the dataset have no known exposure, or as `mock_depths`.
    """
    _, trained_on = read_run(run_dir, MorphConfig)
    builder = dataset.open_run_dataset(trained_on, data_dir)
    facts = builder.info.metadata
    if "binning" not in facts:
        raise ValueError(
            f"{builder.data_dir}: its images of origin {facts['origin']} were not observed by this package, so they "
            "cannot be observed for other years; give a run on mocks of `morph mock`"
        )
    beside = Path(builder.data_dir).parents[1]
    scenes = Path(scenes) if scenes else beside / "scenes"
    if not scenes.is_dir():
        raise FileNotFoundError(
            f"{scenes}: no such folder; give the folder of the scenes from which the dataset was made as --scenes"
        )
    columns = reading.read_columns(builder, "test")
    first = columns["copy"] == 0  # flipped copies of a merger are the same galaxy
    galaxies = Table({name: values[first] for name, values in columns.items()})
    out_dir = Path(out_dir or beside / "depths")
    mock_depths(scenes, galaxies, out_dir, years, facts["binning"], float(facts["fieldkpc"]), SEED, facts["origin"],
                n_processes, progress)  # fmt: skip
    return out_dir


def depth_run(run_dir, mocks, years=YEARS, defence=None, seed=0, overwrite=False, progress=True):
    """Score the networks of a run on mocks of several depths.

    Parameters
    ----------
    run_dir : path-like
    mocks : path-like
        From `mock_test_galaxies`, of a run on the same dataset.
    years : sequence of float
        Depths; finished ones are kept.
    defence : {"none", "d4", "median"}, optional
        Test-time defence; by default that of the run's config.
    seed : int
        Of the bootstrap.
    overwrite : bool
        Discard earlier results; otherwise earlier results with other settings are an error.
    progress : bool

    Returns
    -------
    dict
        Content of `depth.json`; see `evaluation.depth.read_depth`.

    Raises
    ------
    ValueError
        If the file holds results with other settings, or of other galaxies.

    Notes
    -----
    A network with a scaling or batch-norm statistics of its own for Y10 and Y1 uses those of Y10 from the square root
    of ten years on, and those of Y1 below.
    """
    config, trained_on = read_run(run_dir, MorphConfig)
    paths = finished_members(run_dir, MorphConfig)[0]
    years = plain_years(years)
    shards = {year: depth_shards(mocks, year) for year in years}
    columns, facts = _galaxies(shards[years[0]], config.data.classes)
    settings = {
        "seed": seed, **defence_facts(config, defence), "networks": [path.parent.name for path in paths],
        "weights": [weights_hash(path) for path in paths], "mocks": facts,
    }  # fmt: skip
    path = with_defence(Path(run_dir) / FILE_NAME, config, defence)
    result = None if overwrite else _earlier(path, settings, columns)
    result = result or {
        "data": ORIGINS[trained_on["origin"]], "origin": trained_on["origin"], "survey": config.survey,
        "adaptation": config.adaptation.name, "config": path.resolve().parent.name,
        "classes": list(config.class_names), "settings": settings, "galaxies": columns, "years": {},
    }  # fmt: skip
    result |= run_provenance(trained_on, paths) | {"code": code_version()}
    missing = [year for year in years if f"{year:g}" not in result["years"]]
    if not missing:
        return result
    classifiers = [ImageClassifier(network) for network in load_classifiers(run_dir, defence)]
    label = np.asarray(columns["label"])
    total = len(missing) * len(label) * len(paths)
    with tqdm(total=total, desc="depth", unit=" images", disable=not progress) as bar:
        for year in missing:
            if _galaxies(shards[year], config.data.classes)[0] != columns:
                raise ValueError(
                    f"{depth_folder(mocks, year)}: holds other galaxies than {depth_folder(mocks, years[0])}; remove "
                    "the folder and run the same command again"
                )
            given = [_classes(classify, shards[year], year, bar.update) for classify in classifiers]
            right = np.stack(given, axis=1) == label[:, None]
            result["years"][f"{year:g}"] = depth_scores(right, columns["group_id"], seed)
            result["years"] = dict(sorted(result["years"].items(), key=lambda item: float(item[0])))
            write_depth(result, path)
    return result


def _galaxies(paths, classes):
    """Columns of the galaxies of a depth as lists, and how the mocks were made."""
    parts = [read_mock_catalog(path) for path in paths]
    columns = {name: np.concatenate([np.asarray(table[name]) for table, _ in parts]) for name in
               ("obj_id", "group_id", "label")}  # fmt: skip
    columns["label"] = dataset.class_index(columns["label"], classes)
    header = parts[0][1]
    facts = {name.lower(): header[name] for name in ("ORIGIN", "BINNING", "FIELDKPC", "SEED")}
    return {name: values.tolist() for name, values in columns.items()}, facts


def _classes(classify, paths, year, on_batch):
    """Class given to each image of a depth, int, shape (n,)."""
    given, domain = [], int(year < NEAR_Y1)
    for path in paths:
        images = read_mock_shard(path, years=(year,))[0][year]
        batches = (images[first : first + BATCH_SIZE] for first in range(0, len(images), BATCH_SIZE))
        given.append(predicted_class(classify(batches, domain, on_batch)[0]))
    return np.concatenate(given)


def _earlier(path, settings, columns):
    """Earlier results or None; a ValueError if their settings or galaxies differ."""
    if not path.exists():
        return None
    result = read_depth(path)
    different = [name for name in settings if result["settings"].get(name) != settings[name]]
    different += [] if result["galaxies"] == columns else ["galaxies"]
    if different:
        raise ValueError(f"{path}: made with another {', '.join(different)}; give the same, or --overwrite to start "
                         "again")  # fmt: skip
    return result
