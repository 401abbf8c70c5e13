"""Morph predictions, images and histories made by a few formulas, for tests of their scores and of the report."""

import numpy as np

from photoz_morph.morph.predictions import morph_predictions_table

CLASSES = ("spiral", "elliptical", "merger")
FRACTIONS = (0.5, 0.3, 0.2)


def toy_catalogue(n=600, views=3, seed=0):
    """Galaxies in groups of `views` that share their class; one in 50 without label, one in five with another in g."""
    rng = np.random.default_rng([seed, 1])
    n_groups = -(-n // views)
    intended = np.repeat(rng.choice(3, n_groups, p=FRACTIONS), views)[:n]
    label = np.where(rng.random(n) < 0.9, intended, rng.choice(3, n, p=FRACTIONS))
    gini = np.array([0.48, 0.57, 0.58])[label] + rng.normal(0, 0.02, n)
    m20 = np.array([-1.7, -2.1, -1.2])[label] + rng.normal(0, 0.12, n)
    failed = np.arange(n) % 50 == 7
    return {
        "obj_id": 1000 + rng.permutation(n),
        "group_id": np.repeat(np.arange(n_groups), views)[:n],
        "label": np.where(failed, -1, label),
        "label_g": np.where(failed, -1, np.where(rng.random(n) < 0.8, label, (label + 1) % 3)),
        "intended_type": intended,
        "gini": np.where(failed, np.nan, gini),
        "m20": np.where(failed, np.nan, m20),
    }


def toy_predictions(strength_y10=2.0, strength_y1=0.5, n=600, n_seeds=3, views=3, origin="simulated", **changes):
    """Predictions whose logits hold the label with that strength; views of a group share half of their noise."""
    columns = toy_catalogue(n, views)
    rng = np.random.default_rng([changes.pop("seed", 0), 2])
    truth = np.eye(3)[np.maximum(columns["label"], 0)]
    shared = np.repeat(rng.normal(size=(n // views + 1, 3)), views, axis=0)[:n]
    probabilities, latents = {}, {}
    mixing = rng.normal(size=(3, 16))
    for domain, strength in (("Y10", strength_y10), ("Y1", strength_y1)):
        noise = 0.7 * shared[:, None] + 0.7 * rng.normal(size=(n, n_seeds, 3))
        logits = 1.5 * (noise + strength * truth[:, None]) + 0.1 * rng.normal(size=(1, n_seeds, 3))
        exponent = np.exp(logits - logits.max(axis=2, keepdims=True))
        probabilities[domain] = exponent / exponent.sum(axis=2, keepdims=True)
        latents[domain] = logits[:, 0] @ mixing + (0.5 if domain == "Y10" else strength - 1)
    arguments = {"adaptation": "none", "config": "morph_regular.yaml"} | changes
    return morph_predictions_table(columns, probabilities, latents, "lsst", origin, "resnet18", CLASSES, **arguments)


def certain_predictions(predicted_y10, predicted_y1, label, group_id=None, **meta):
    """Predictions of certain classes, shapes (n, n_seeds), so that every count can be made by hand."""
    n = len(label)
    columns = {"obj_id": np.arange(n), "group_id": np.arange(n) if group_id is None else np.array(group_id)}
    columns |= {"label": np.array(label), "label_g": np.full(n, -1), "intended_type": np.full(n, -1)}
    columns |= {"gini": np.zeros(n), "m20": np.zeros(n)}
    probabilities = {"Y10": np.eye(3)[predicted_y10], "Y1": np.eye(3)[predicted_y1]}
    latents = dict.fromkeys(("Y10", "Y1"), np.zeros((n, 2)))
    return morph_predictions_table(columns, probabilities, latents, "lsst", "tng", "resnet18", CLASSES, **meta)


def toy_images(label, seed=0, sigma_y10=3.0):
    """A disk with two arms, a round blob or two blobs in g, r, i [nJy] with Y10 and Y1 noise, (n, 100, 100, 3) each."""
    y, x = np.mgrid[:100, :100] - 49.5
    noiseless = np.zeros((len(label), 100, 100, 3))
    for number, (kind, image) in enumerate(zip(label, noiseless)):
        rng = np.random.default_rng([seed, number])
        flux, size, angle = rng.uniform(300, 3000), rng.uniform(2.5, 6), rng.uniform(0, np.pi)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        radius = np.hypot(u, v / rng.uniform(0.4, 1))
        light = np.exp(-radius / size)
        if kind == 0:
            light *= 1 + 0.8 * np.cos(2 * (np.arctan2(v, u) - np.log(radius + 1) / 0.35))
        if kind == 2:
            light += 0.6 * np.exp(-np.hypot(u - 2.5 * size, v - size) / (0.5 * size))
        image[:] = flux * light[..., None] * ([0.6, 1, 1.3], [0.4, 1, 1.5], [0.7, 1, 1.2])[kind]
    noise = np.random.default_rng([seed, 10**6]).normal(size=(2, *noiseless.shape)) * sigma_y10
    return (noiseless + noise[0]).astype(np.float32), (noiseless + np.sqrt(10) * noise[1]).astype(np.float32)


def toy_history(n_epochs=12, mmd=None, seed=0):
    """Rows of a training: a falling loss, with an MMD if wanted."""
    rng = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, n_epochs + 1):
        loss = 0.5 + np.exp(-epoch / 4) + 0.02 * rng.normal()
        row = {"epoch": epoch, "iterations": 10 * epoch, "learning_rate": 1e-3, "loss": loss, "cross_entropy": loss}
        row |= {"mmd": np.nan if mmd is None else mmd * np.exp(-epoch / 5), "accuracy": 1 - loss / 2}
        row |= {"validation_loss": loss + 0.1, "validation_accuracy": 0.85 - loss / 4}
        row |= {"validation_accuracy_target": 0.5 + 0.02 * rng.normal() + 0.2 * (mmd is not None), "seconds": 20.0}
        rows.append(row)
    return rows


def toy_answers(strength_y10=2.0, strength_y1=0.5, n=300, n_seeds=2, **changes):
    """`toy_predictions` of validation galaxies with the columns of `ANSWERS`; latents are log-probabilities."""
    table = toy_predictions(strength_y10, strength_y1, n, n_seeds, **changes)
    for suffix in ("y10", "y1"):
        logarithm = np.log(np.asarray(table[f"probability_{suffix}"]))
        table[f"latent_{suffix}"] = logarithm[:, 0]
        table[f"latents_{suffix}"] = logarithm
    table["partner"] = (np.arange(n) + n // 2) % n
    mixed = np.exp(0.55 * table["latents_y1"] + 0.45 * np.asarray(table["latents_y1"])[np.asarray(table["partner"])])
    table["probability_mixed"] = (mixed / mixed.sum(axis=2, keepdims=True)).astype(np.float32)
    return table
