"""Attacks made by a few formulas, with the columns of `attack_tables`, for tests of the report."""

import numpy as np
from astropy.table import Table

from photoz_morph.morph.robustness.attack_files import attacked_pixels
from photoz_morph.morph.robustness.latent_scores import measure_latents
from photoz_morph.robustness.latents.geometry import class_margins
from tests.support.morph import toy_predictions

CLASSES = ("spiral", "elliptical", "merger")
META = {
    "survey": "lsst", "origin": "simulated", "classes": ",".join(CLASSES), "adaptation": "none", "config": "toy",
    "run": "toy", "seed_number": 1, "search_seed": 0, "bounds": "data", "domain": "Y10", "precision": "float32",
    "n_looked_at": 9, "n_wrong": 1, "search": "lattice", "max_queries": 100, "objective": "margin", "success": "flip",
    "targeted": False, "population": 400, "defence": "none", "noise_augmentation": False, "pixel_augmentation": 0.0,
}  # fmt: skip


def toy_attack(queries, random_queries=None, label=None, group_id=None, first_id=0, **meta):
    """An attack whose search needed so many queries for each galaxy, None where it was in vain; one more confirms.

    The pixel in row 10 and column 20 goes from 0 to +30, -6 and +9 nJy in g, r, i, and the class to the next one. With
    `pixels` in the meta so many do, in that row from that column on.
    """
    n = len(queries)
    meta = META | meta
    spent = meta["max_queries"] * (2 if meta["targeted"] else 1)  # two of the three classes are wrong
    label = np.zeros(n, int) if label is None else np.asarray(label)
    columns = {"obj_id": first_id + np.arange(n), "copy": np.zeros(n, int), "label": label}
    columns["group_id"] = columns["obj_id"] if group_id is None else np.asarray(group_id)
    for prefix, needed in (("", queries), ("random_", random_queries or [None] * n)):
        columns[f"{prefix}flipped"] = np.array([number is not None for number in needed])
        columns[f"{prefix}queries"] = np.array([number + 1 if number else spent for number in needed])
    columns["unconfirmed"] = np.zeros(n, int)
    flipped = columns["flipped"]
    columns |= {"row": np.where(flipped, 10, -1), "column": np.where(flipped, 20, -1)}
    columns["attacked_class"] = np.where(flipped, (label + 1) % 3, -1)
    columns["old_value"] = np.where(flipped[:, None], [0.0, 0.0, 0.0], np.nan).astype(np.float32)
    columns["new_value"] = np.where(flipped[:, None], [30.0, -6.0, 9.0], np.nan).astype(np.float32)
    if "pixels" in meta:
        for name in ("row", "column", "old_value", "new_value"):
            columns[name] = np.repeat(columns[name][:, None], meta["pixels"], axis=1)
        columns["column"] += np.where(flipped[:, None], np.arange(meta["pixels"]), 0)
    columns["margin_before"] = 1.0 + np.arange(n)
    columns["margin_after"] = np.where(flipped, -0.5, np.nan)
    return Table(columns, meta=meta)


def toy_images(table, size=40, sigma=3.0):
    """Images of noise of that sigma [nJy] before and after an attack of `toy_attack`."""
    original = np.random.default_rng(0).normal(size=(len(table), size, size, 3)) * sigma
    attacked = original.copy()
    rows = np.flatnonzero(table["flipped"])
    places, columns, _, new = attacked_pixels(table)
    attacked[rows[:, None], places[rows], columns[rows]] = new[rows]
    return {"original": original.astype(np.float32), "attacked": attacked.astype(np.float32)}


def head_of(table):
    """Kernel and bias of the linear head that makes the first seed's probabilities of toy predictions."""
    probability = np.asarray(table["probability_y10"], float)[:, 0]
    latent = np.asarray(table["latent_y10"], float)
    design = np.concatenate([latent, np.ones((len(latent), 1))], axis=1)
    weights = np.linalg.lstsq(design, np.log(probability / probability[:, :1]), rcond=1e-4)[0]
    return weights[:-1], weights[-1]


def attack_on(table, kernel, bias, n=12, **meta):
    """An attack on the first rightly classified galaxies of predictions; the first of every five is in vain.

    Latents step three margins towards the nearest border.
    """
    latent = {domain: np.asarray(table[f"latent_{domain}"], float) for domain in ("y10", "y1")}
    logits = {domain: part @ kernel + bias for domain, part in latent.items()}
    label = np.asarray(table["label"])
    rows = np.flatnonzero(logits["y10"].argmax(axis=1) == label)[:n]
    ids = [np.asarray(table[name])[rows] for name in ("obj_id", "group_id")]
    queries = [None if number % 5 == 0 else 2 + number for number in range(len(rows))]
    attack = toy_attack(queries, queries[::-1], label[rows], **meta)
    attack["obj_id"], attack["group_id"] = ids
    base, given = logits["y10"][rows], label[rows]
    others = np.where(np.arange(3) == given[:, None], -np.inf, base)
    direction = (kernel[:, others.argmax(axis=1)] - kernel[:, given]).T
    step = 3 * class_margins(base, kernel)[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    step = np.where(np.asarray(attack["flipped"])[:, None], step, np.nan)
    for domain in ("y10", "y1"):
        attack[f"latent_{domain}"], attack[f"logits_{domain}"] = latent[domain][rows], logits[domain][rows]
    attack["latent_attacked"] = latent["y10"][rows] + step
    attack["logits_attacked"] = attack["latent_attacked"] @ kernel + bias
    # A long step may pass into a third class.
    attack["attacked_class"] = np.where(attack["flipped"], np.argmax(attack["logits_attacked"], axis=1), -1)
    attack["margin_before"] = base.max(axis=1) - others.max(axis=1)
    return attack


def perturbed(right, names=("rice", "jpeg"), obj_ids=range(6)):
    """Scores of one network, right for five of six galaxies, and for so many under each kind at its one severity."""
    def scores(n_right):
        fraction = {"value": n_right / 6, "interval": [0, 1]}
        hit = [int(i < n_right) for i in range(6)]
        return {"severity": 1, "accuracy": fraction, "flip_rate": {"value": 1 - n_right / 6, "interval": [0, 1]},
                "n_right": hit}  # fmt: skip

    galaxies = {"obj_id": list(obj_ids), "copy": [0] * 6, "group_id": list(range(6)), "label": [0, 1, 2] * 2}
    kinds = {name: {"title": name.upper(), "unit": "", "severities": [scores(n)]} for name, n in zip(names, right)}
    clean = {"accuracy": {"value": 5 / 6, "interval": [0, 1]}, "n_right": [1, 1, 1, 1, 1, 0]}
    settings = {"seed": 0, "n_images": 6, "domain": "Y10", "networks": ["member_0"]}
    return {"settings": settings, "galaxies": galaxies, "clean": clean, "kinds": kinds}


def measured_latents(scale=1.0, **changes):
    """Latents of toy predictions, stretched by a factor that the head undoes."""
    table = toy_predictions(n=240, **changes)
    kernel, bias = head_of(table)
    for domain in ("y10", "y1"):
        table[f"latent_{domain}"] = scale * np.asarray(table[f"latent_{domain}"], float)
    return measure_latents(table, kernel / scale, bias, attack_on(table, kernel / scale, bias, n=20))
