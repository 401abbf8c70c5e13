"""Latents, a linear head, predictions and an attack made by a few formulas: what a network would have left behind."""

import numpy as np
from astropy.table import Table

from photoz_morph.morph.predictions import morph_predictions_table
from photoz_morph.morph.robustness.latent_scores import measure_latents
from tests.support.morph import CLASSES, toy_catalogue

N_LATENT = 6
ARMS = {"regular": {}, "MMD": {"stretch": 2.3, "adaptation": "mmd"}}


def toy_head(n_latent=N_LATENT, n_classes=3, seed=0):
    """Kernel and bias of a head."""
    rng = np.random.default_rng([seed, 3])
    return rng.normal(size=(n_latent, n_classes)), rng.normal(size=n_classes)


def softmax(logits):
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponent / exponent.sum(axis=-1, keepdims=True)


def toy_run(n=240, views=3, noise=0.6, stretch=1.0, seed=0, order=None, **meta):
    """Predictions of one seed, and its head: classes lie apart in latent space, Y1 is Y10 with noise.

    `stretch` makes the latents longer and the head weaker by that factor, which changes no probability. `order` sorts
    the galaxies otherwise.
    """
    rng = np.random.default_rng([seed, 4])
    kernel, bias = toy_head(seed=seed)
    columns = toy_catalogue(n, views)
    y10 = 2 * kernel.T[np.maximum(columns["label"], 0)] + rng.normal(size=(n, N_LATENT))
    y1 = y10 + noise * rng.normal(size=(n, N_LATENT))
    order = np.arange(n) if order is None else order
    latents = {name: stretch * part[order] for name, part in (("Y10", y10), ("Y1", y1))}
    probabilities = {name: softmax(part @ kernel / stretch + bias)[:, None] for name, part in latents.items()}
    columns = {name: values[order] for name, values in columns.items()}
    arguments = {"adaptation": "none", "config": "morph_regular"} | meta
    table = morph_predictions_table(columns, probabilities, latents, "lsst", "simulated", "resnet18", CLASSES,
                                    **arguments)  # fmt: skip
    return table, kernel / stretch, bias


def toy_attack(table, kernel, bias, n=60, domain="Y10", seed=0, **meta):
    """An attack on the first rightly classified galaxies: every third is not flipped, the others move past a border."""
    rng = np.random.default_rng([seed, 5])
    latents = {name: np.asarray(table[f"latent_{name}"], float) for name in ("y10", "y1")}
    logits = {name: part @ kernel + bias for name, part in latents.items()}
    base = domain.lower()
    label = np.asarray(table["label"])
    rows = np.flatnonzero(logits[base].argmax(axis=1) == label)[:n]
    attacked = np.full((len(rows), kernel.shape[0]), np.nan)
    target = np.full(len(rows), -1)
    for number, row in enumerate(rows):
        if number % 3:
            p, q = label[row], (label[row] + 1 + number % 2) % 3
            normal = kernel[:, q] - kernel[:, p]
            way = normal / (normal @ normal) * (logits[base][row, p] - logits[base][row, q])
            other = np.linalg.norm(way) * rng.normal(size=len(way)) / np.sqrt(len(way))
            attacked[number] = latents[base][row] + rng.uniform(1.1, 1.5) * way + 0.2 * other
            target[number] = (attacked[number] @ kernel + bias).argmax()
    flipped = target >= 0
    after = attacked @ kernel + bias
    best_other = np.where(np.eye(3, dtype=bool)[label[rows]], -np.inf, logits[base][rows]).max(axis=1)
    copy = table["copy"][rows] if "copy" in table.colnames else np.zeros(len(rows), int)
    pixel, colour = np.where(flipped, 50, -1), np.where(flipped[:, None], 1.0, np.nan)
    attack = Table({
        "obj_id": table["obj_id"][rows], "group_id": table["group_id"][rows], "copy": copy, "label": label[rows],
        "flipped": flipped, "row": pixel, "column": pixel, "old_value": colour * np.zeros(3),
        "new_value": colour * np.ones(3), "attacked_class": target, "queries": np.full(len(rows), 10),
        "unconfirmed": np.zeros(len(rows), int),
        "margin_before": logits[base][rows, label[rows]] - best_other, "margin_after": colour[:, 0],
        "random_flipped": np.zeros(len(rows), bool), "random_queries": np.full(len(rows), 100),
        "latent_y10": latents["y10"][rows], "latent_y1": latents["y1"][rows], "latent_attacked": attacked,
        "logits_y10": logits["y10"][rows], "logits_y1": logits["y1"][rows], "logits_attacked": after,
    })  # fmt: skip
    attack.meta = {"run": "toy", "seed_number": 1, "search": "lattice", "bounds": "data", "domain": domain,
                   "objective": "margin", "success": "flip", "targeted": False, "max_queries": 100,
                   "defence": "none"} | meta  # fmt: skip
    return attack


def toy_triplets():
    """By the name of the run: its measurements and latents of a flipped galaxy, the attacked and the noisy image."""
    found = {}
    for name, changes in ARMS.items():
        table, kernel, bias = toy_run(**changes)
        attack = toy_attack(table, kernel, bias)
        row = attack[np.flatnonzero(attack["flipped"])[0]]
        triplet = np.array([row["latent_y10"], row["latent_attacked"], row["latent_y1"]])
        found[name] = (measure_latents(table, kernel, bias, attack), triplet)
    return found
