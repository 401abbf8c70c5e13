"""The table of morph predictions: one row per galaxy with its class probabilities and latents at both depths.

`morph predict` writes it as FITS; `morph evaluate` and `morph report` read it. The columns are those of the mock
catalogue, in its order, followed by `probability_y10` and `probability_y1`, shape (n, n_seeds, n_classes), and
`latent_y10` and `latent_y1`, shape (n, n_latent), of the first seed. The meta, which is the header of HDU
`PREDICTIONS`, holds `survey`, `origin`, `model`, `n_seeds`, `classes`, `adaptation`, `config` and further facts from
the writer: `defence` (at test time), `noise_augmentation`, `pixel_augmentation`, `mc_dropout` (the number of passes
with dropout on) and `temperature` (how it was found); a missing one means none. `morph baseline` writes `baseline`,
the number of measurements, which stand in the place of the latents, and `train_on`, the depths of its training images.
In predictions of colour composites a row is one image, simulated where `domain` is 0 and real where it is 1, classified
both as source, in the columns of Y10, and as target, in those of Y1. `code`, `model_id`, `data_id`, `bands` and `unit`
are the provenance; see `system.provenance`.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.metrics.checks import is_probability
from photoz_morph.morph.config import MorphConfig
from photoz_morph.surveys import get_survey
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.provenance import code_version, image_facts
from photoz_morph.system.tables import table_of, write_fits

TABLE_ORIGINS = ("simulated", "tng", "images", "released", "observed", "composites")  # keys of runs.scores.ORIGINS
ADAPTATIONS = MorphConfig.CHOICES["adaptation.name"]
DOMAINS = {"Y10": "y10", "Y1": "y1"}  # name of each depth -> ending of its columns
SKY_DOMAINS = {"simulated": "y10", "real": "y1"}  # of composites: rows with domain 0, classified as Y10, and 1, as Y1
CATALOGUE = {
    "obj_id": "identifier of the galaxy",
    "group_id": "shared by all copies of a galaxy and all views of an encounter",
    "label": "class from Gini and M20 in i; -1: not measured",
    "label_g": "class from Gini and M20 in g; -1: not measured",
    "intended_type": "class the simulation aimed at; -1: unknown",
    "gini": "Gini coefficient in i",
    "m20": "M20 in i",
}
REQUIRED_META = ("survey", "origin", "model", "n_seeds", "classes", "adaptation", "config")


def morph_predictions_table(
    catalog_columns, probabilities, latents, survey, origin, model, classes, adaptation="none", config="", meta=None
):
    """Assemble the predictions table from a catalogue and the outputs of several seeds.

    Parameters
    ----------
    catalog_columns : Table or dict of str to ndarray, shape (n, ...)
        obj_id, group_id, label, label_g, intended_type, gini and m20; further columns are kept. Rows with the same
        obj_id need different values of `copy`.
    probabilities : dict of str to ndarray, shape (n, n_seeds, n_classes)
        For "Y10" and "Y1".
    latents : dict of str to ndarray, shape (n, n_latent)
        Likewise, from the first seed.
    survey : str
        Name of a survey in `surveys`.
    origin : str
        One of `TABLE_ORIGINS`.
    model : str
        Name of the network.
    classes : sequence of str
        Names of the classes, in the order of the probabilities.
    adaptation : str
        One of `ADAPTATIONS`.
    config : str
        Name of the config.
    meta : dict, optional
        Further facts for the header: short strings, numbers and booleans.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column is missing, shapes do not match, or probabilities do not sum to one.
    """
    table = Table(catalog_columns, copy=True)
    n_seeds = np.shape(probabilities["Y10"])[1] if np.ndim(probabilities["Y10"]) == 3 else 0
    table.meta = {"survey": survey, "origin": origin, "model": model, "n_seeds": n_seeds}
    facts = image_facts(get_survey(survey))
    table.meta |= {"classes": ",".join(classes), "adaptation": adaptation, "config": config}
    unit = {"released": "unknown", "composites": "8 bits"}.get(origin, facts["unit"])
    table.meta |= {"bands": facts["bands"], "unit": unit}
    table.meta |= {"code": code_version(), **(meta or {})}
    for quantity, arrays in (("probability", probabilities), ("latent", latents)):
        for domain, suffix in DOMAINS.items():
            values = np.asarray(arrays[domain], np.float32)
            if len(values) != len(table):
                raise ValueError(f"{quantity} of {domain} has {len(values)} rows, the catalogue {len(table)}")
            table[f"{quantity}_{suffix}"] = values
    for domain, suffix in DOMAINS.items():
        table[f"probability_{suffix}"].description = f"of each seed and class, seen with {domain} noise"
        table[f"latent_{suffix}"].description = f"bottleneck features of the first seed, seen with {domain} noise"
    for name, description in CATALOGUE.items():
        if name in table.colnames:
            table[name].description = table[name].description or description
    check_morph_predictions(table, "predictions")
    return table


def domains_of(table):
    """Name of each domain of a predictions table -> ending of its columns."""
    return SKY_DOMAINS if "domain" in table.colnames else DOMAINS


def rows_of(table, domain):
    """Rows of a predictions table that belong to a domain: all, but of composites the simulated or the real images."""
    if "domain" not in table.colnames:
        return table
    return table[np.asarray(table["domain"]) == list(SKY_DOMAINS).index(domain)]


def class_names(table):
    """Names of the classes of a predictions table, in the order of its probabilities."""
    return tuple(table.meta["classes"].split(","))


def row_keys(table):
    """Unique keys of the rows of a predictions table: (obj_id, copy), with copy 0 in a table without that column."""
    copy = np.asarray(table["copy"]) if "copy" in table.colnames else np.zeros(len(table), int)
    return list(zip(np.asarray(table["obj_id"]).tolist(), copy.tolist()))


def write_morph_predictions(table, path):
    """Write predictions as FITS with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    table : Table
        From `morph_predictions_table`.
    path : path-like
        Ends in .fits.

    Raises
    ------
    ValueError
        If `table` is not a valid predictions table or `path` does not end in .fits.
    """
    if Path(path).suffix != ".fits":
        raise ValueError(f"{path}: morph predictions are written as .fits, not {Path(path).suffix!r}")
    check_morph_predictions(table, path)
    with write_whole(path) as part:
        write_fits(table, part, with_checksum=True)


def read_morph_predictions(path):
    """Read and check predictions from `write_morph_predictions`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, is not a morph predictions table, or contradicts its header.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; `morph predict` writes it")
    with open_fits(path, "morph predictions", "predict again", with_checksum=True) as hdus:
        table = table_of(hdus["PREDICTIONS"])
    check_morph_predictions(table, path)
    return table


def check_morph_predictions(table, path):
    """Raise a ValueError that begins with `path` if meta, columns and probabilities are inconsistent."""
    missing = [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise ValueError(f"{path}: not morph predictions, the header lacks {', '.join(missing)}; predict again")
    for key, known in (("origin", TABLE_ORIGINS), ("adaptation", ADAPTATIONS)):
        if table.meta[key] not in known:
            raise ValueError(f"{path}: {key} is {table.meta[key]!r}, not one of {', '.join(known)}")
    arrays = [f"{quantity}_{suffix}" for quantity in ("probability", "latent") for suffix in DOMAINS.values()]
    missing = [name for name in (*CATALOGUE, *arrays) if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: morph predictions lack column {', '.join(missing)}; predict again")
    keys = row_keys(table)
    if not keys:
        raise ValueError(f"{path}: contains no galaxies; predict again")
    if len(set(keys)) < len(keys):
        (obj_id, copy), number = Counter(keys).most_common(1)[0]
        raise ValueError(f"{path}: obj_id {obj_id}, copy {copy} occurs {number} times; predict again")
    if (table.meta["origin"] == "composites") != ("domain" in table.colnames):
        raise ValueError(f"{path}: origin is {table.meta['origin']!r}, but a column domain is "
                         f"{'there' if 'domain' in table.colnames else 'missing'}; predict again")  # fmt: skip
    if "domain" in table.colnames and set(np.unique(table["domain"]).tolist()) != {0, 1}:
        raise ValueError(f"{path}: domain must be 0, simulated, or 1, real, with galaxies of both; predict again")
    n_classes = len(class_names(table))
    for name in ("label", "label_g", "intended_type"):
        values = np.asarray(table[name])
        wrong = (values < -1) | (values >= n_classes)
        if values.dtype.kind not in "iu" or wrong.any():
            first = values[wrong][0] if wrong.any() else values.dtype
            raise ValueError(f"{path}: {name} must be -1 or a class below {n_classes}, got {first}; build again")
    expected = (len(table), table.meta["n_seeds"], n_classes)
    for domain, suffix in DOMAINS.items():
        where = f"{path}: probability of {domain}"
        _check_probability(table[f"probability_{suffix}"], expected, table["obj_id"], where)
    shapes = [table[f"latent_{suffix}"].shape for suffix in DOMAINS.values()]
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ValueError(f"{path}: latents have shapes {shapes[0]} and {shapes[1]}, need (n, n_latent) twice")


def _check_probability(probability, expected, obj_id, where):
    """Raise a ValueError that names the first galaxy with probabilities that are negative or do not sum to one."""
    probability = np.asarray(probability)
    if probability.shape != expected:
        raise ValueError(
            f"{where} has shape {probability.shape}; its rows, n_seeds and classes need {expected}; predict again"
        )
    wrong = ~is_probability(probability).all(axis=1)
    if wrong.any():
        first = wrong.argmax()
        sums = probability[first].sum(axis=1, dtype=float)
        raise ValueError(
            f"{where}: {wrong.sum()} galaxies have one that is negative or does not sum to one; the first is obj_id "
            f"{obj_id[first]} (sums {', '.join(f'{value:.6g}' for value in sums)}); predict again"
        )
