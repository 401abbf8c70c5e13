"""The test galaxies that are explained: named ones, the surest, those flipped by a pixel, those lost with depth."""

from dataclasses import dataclass

import numpy as np

from photoz_morph.datasets import reading
from photoz_morph.explain.picking import pick
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import ImageClassifier
from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack, read_attack_settings

CHOSEN = "chosen"
REASONS = ("surest right", "surest wrong", "flipped by one pixel", "differs between depths", "random")


@dataclass(frozen=True)
class Seen:
    """Test galaxies with the answers of the networks of a run.

    Attributes
    ----------
    images : ndarray, shape (n, rows, columns, n_bands), float32
        Of the depth that is explained.
    columns : dict of ndarray
        Of the dataset; `label` is the class.
    probabilities : ndarray, shape (n_members, n, n_classes)
    other : ndarray, shape (n, n_classes)
        Of the explained network at the other depth.
    latents : ndarray, shape (n, n_latent)
        Of the explained network.
    """

    images: np.ndarray
    columns: dict
    probabilities: np.ndarray
    other: np.ndarray
    latents: np.ndarray

    def __len__(self):
        return len(self.images)

    def rows(self, rows):
        """Some of them."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Seen(self.images[rows], columns, self.probabilities[:, rows], self.other[rows], self.latents[rows])


def look_at(builder, networks, classes, depth, limit, obj_ids=(), progress=lambda batches: batches):
    """The first test galaxies, or named ones, with their classes by all networks, and by the first at both depths.

    Parameters
    ----------
    builder : tfds builder
    networks : list of keras.Model
    classes : str
        See `dataset.class_index`.
    depth : {"y10", "y1"}
    limit : int
        Galaxies at most.
    obj_ids : sequence of int
        Galaxies that are looked at whatever the limit, and no others.
    progress : callable, optional
        Wraps the batches, such as tqdm.

    Returns
    -------
    Seen
    """
    columns = reading.read_columns(builder, "test")
    rows = np.flatnonzero(np.isin(columns["obj_id"], obj_ids)) if len(obj_ids) else np.arange(len(columns["obj_id"]))
    missing = sorted(set(obj_ids) - set(columns["obj_id"].tolist()))
    if missing:
        raise ValueError(f"{builder.data_dir}: no test galaxy {missing[0]}; give others with --obj-id")
    rows = rows if len(obj_ids) else rows[:limit]
    depths, images = (depth, *(one for one in dataset.DOMAINS if one != depth)), {}
    for one in depths:
        n_read, kept = 0, []
        for batch in progress(dataset.domain_images(builder, "test", one, BATCH_SIZE)):
            own = rows[(rows >= n_read) & (rows < n_read + len(batch))] - n_read
            kept.append(batch.numpy()[own])
            n_read += len(batch)
            if n_read > rows[-1]:
                break
        images[one] = np.concatenate(kept)
    answers = []
    for network in networks:
        answers.append(ImageClassifier(network)(_batches(images[depth]), dataset.DOMAINS.index(depth)))
    other = ImageClassifier(networks[0])(_batches(images[depths[1]]), dataset.DOMAINS.index(depths[1]))[0]
    columns = {name: values[rows] for name, values in columns.items()}
    columns["label"] = dataset.class_index(columns["label"], classes)
    return Seen(images[depth], columns, np.stack([probability for probability, _ in answers]), other, answers[0][1])


def _batches(images):
    return [images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE)]


def flipped_pixels(run_dir, depth, member):
    """Pixels with which attacks on a network of a run flipped galaxies of a depth.

    Returns
    -------
    dict of int to (int, int, int)
        obj_id to row, column and class after the attack; of one-pixel attacks alone.
    """
    found = {}
    for folder in find_attacks(run_dir):
        settings = read_attack_settings(folder)
        if settings["domain"].lower() != depth or settings["member"] != member:
            continue
        table = read_attack(folder)[0]
        if np.ndim(table["row"]) > 1:  # of several pixels
            continue
        for row in table[np.asarray(table["flipped"], bool)]:
            found.setdefault(int(row["obj_id"]), (int(row["row"]), int(row["column"]), int(row["attacked_class"])))
    return found


def picked(seen, flipped, n, seed=0):
    """Galaxies to explain, of each reason in turn.

    Parameters
    ----------
    seen : Seen
    flipped : set of int
        `obj_id` of galaxies that one pixel flips.
    n : int
    seed : int
        Of the order of those that are not ranked.

    Returns
    -------
    dict of int to str
        Row to reason.
    """
    own, label = seen.probabilities[0], seen.columns["label"]
    predicted, surety = own.argmax(axis=1), own.max(axis=1)
    is_known = label >= 0
    sure = np.argsort(-surety, kind="stable")
    order = np.random.default_rng(seed).permutation(len(seen))
    is_flipped = np.isin(seen.columns["obj_id"], list(flipped))
    differs = predicted != seen.other.argmax(axis=1)
    right, wrong = is_known & (predicted == label), is_known & (predicted != label)
    # Of the surest right ones a class each in turn: otherwise all may be of one.
    by_class = [sure[right[sure] & (predicted[sure] == number)] for number in range(own.shape[1])]
    longest = max(map(len, by_class))
    rights = [rows[place] for place in range(longest) for rows in by_class if place < len(rows)]
    rankings = dict(zip(REASONS, (rights, sure[wrong[sure]], order[is_flipped[order]], sure[differs[sure]], order)))
    return pick(rankings, n)
