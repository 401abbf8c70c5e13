"""The test galaxies of a fold that are explained: named ones, or some at the ends of rankings."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from photoz_morph.datasets import reading
from photoz_morph.explain.picking import pick
from photoz_morph.metrics.redshifts.point_scores import residuals
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.photoz import dataset
from photoz_morph.photoz.predict import combine_pdfs

OUTLIER = 0.05  # |z_phot - z_spec| / (1 + z_spec); Pasquet et al. (2019), Sec. 4.1
CHOSEN = "chosen"


@dataclass(frozen=True)
class Seen:
    """Test galaxies of a fold with the answers of its networks.

    Attributes
    ----------
    inputs : dict of ndarray
        `image`, `ebv` and what else the networks are told, float32.
    columns : dict of ndarray
        Of the dataset.
    pdfs : ndarray, shape (n_members, n, n_bins)
    """

    inputs: dict
    columns: dict
    pdfs: np.ndarray

    def __len__(self):
        return len(self.inputs["image"])

    def rows(self, rows):
        """Some of them."""
        parts = self.inputs, self.columns
        inputs, columns = ({name: values[rows] for name, values in part.items()} for part in parts)
        return Seen(inputs, columns, self.pdfs[:, rows])


def fold_of(builder, folds, obj_ids):
    """The finished fold that tests some galaxies; a ValueError that names one that no fold, or another one, has."""
    found = {}
    for fold in folds:
        known = set(reading.read_columns(builder, f"fold_{fold}")["obj_id"].tolist())
        found |= {obj_id: fold for obj_id in obj_ids if obj_id in known}
    missing = [obj_id for obj_id in obj_ids if obj_id not in found]
    if missing:
        raise ValueError(f"{builder.data_dir}: no galaxy {missing[0]} in the folds that have networks")
    if len(set(found.values())) > 1:
        folds = sorted(set(found.values()))
        one, other = (next(obj_id for obj_id in obj_ids if found[obj_id] == fold) for fold in folds[:2])
        raise ValueError(
            f"galaxies {one} and {other} are tested by other networks, those of folds {found[one]} and {found[other]}; "
            "explain them by two commands"
        )
    return found[obj_ids[0]]


def look_at(
    builder, fold, networks, observing, limit, obj_ids=(), *, one_of_each=False, progress=lambda batches: batches
):  # fmt: skip
    """The first test galaxies of a fold, or named ones, with their PDFs by all networks.

    Parameters
    ----------
    builder : tfds builder
    fold : int
    networks : list of keras.Model
    observing : sequence of str
    limit : int
        Galaxies at most.
    obj_ids : sequence of int
        Galaxies that are looked at whatever the limit, and no others.
    one_of_each : bool
        Whether to take only the first galaxy of each parent, and no more than the limit.
    progress : callable, optional
        Wraps the batches, such as tqdm.

    Returns
    -------
    Seen
    """
    split = f"fold_{fold}"
    columns = reading.read_columns(builder, split)
    is_first = np.zeros(len(columns["obj_id"]), bool)
    is_first[np.unique(columns["group_id"], return_index=True)[1]] = True
    inputs, pdfs, rows, n_read = [], [[] for _ in networks], [], 0
    names = dict.fromkeys(tensor.name for network in networks for tensor in network.inputs)
    predict = tf.function(
        lambda given: [of({t.name: given[t.name] for t in of.inputs}, training=False) for of in networks],
        reduce_retracing=True,
    )
    for batch in progress(dataset.image_batches(builder, split, BATCH_SIZE, observing=observing)):
        batch = {name: values.numpy().astype(np.float32) for name, values in batch.items()}
        of_batch = n_read + np.arange(len(batch["image"]))
        wanted = np.isfinite(batch["image"]).all(axis=(1, 2, 3))
        if len(obj_ids):
            wanted &= np.isin(columns["obj_id"][of_batch], obj_ids)
        if one_of_each:
            wanted &= is_first[of_batch]
            wanted &= np.cumsum(wanted) <= limit - len(rows)
        own, n_read = np.flatnonzero(wanted), n_read + len(of_batch)
        if len(own):
            inputs.append({name: values[own] for name, values in batch.items()})
            rows.extend(of_batch[own].tolist())
            answers = predict({name: tf.constant(inputs[-1][name]) for name in names})
            for kept, answer in zip(pdfs, answers):
                kept.append(answer.numpy())
        if (len(obj_ids) and len(rows) == len(obj_ids)) or (not len(obj_ids) and len(rows) >= limit):
            break
    if not rows:
        raise ValueError(f"{builder.data_dir}: no galaxy of {split} has finite pixels only; nothing can be explained")
    joined = {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]}
    return Seen(joined, {name: values[rows] for name, values in columns.items()},
                np.stack([np.concatenate(kept) for kept in pdfs]).astype(np.float64))  # fmt: skip


def picked(seen, grid, n, seed=0):
    """Galaxies to explain: those of the best, worst and widest PDFs, outliers, and random ones.

    Parameters
    ----------
    seen : Seen
    grid : RedshiftGrid
    n : int
    seed : int
        Of the random ones, and of which outliers.

    Returns
    -------
    dict of int to str
        Row to reason.
    """
    pdf = np.asarray(combine_pdfs(list(seen.pdfs)))
    error = np.abs(residuals(grid.expectation(pdf), seen.columns["z_spec"]))
    width = grid.quantile(pdf, 0.84) - grid.quantile(pdf, 0.16)
    order = np.random.default_rng(seed).permutation(len(seen))
    error = np.where(np.isfinite(error), error, np.nan)
    ranked = np.argsort(error)[: np.isfinite(error).sum()]
    return pick(
        {
            "best": ranked, "worst": ranked[::-1], "widest PDF": np.argsort(-width),
            "outlier": order[error[order] > OUTLIER], "random": order,
        },
        n,
    )  # fmt: skip
