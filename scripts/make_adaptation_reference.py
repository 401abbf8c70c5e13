"""Make tests/data/adaptation_reference.npz: adaptation losses by skada of random outputs, to test ours.

    python scripts/make_adaptation_reference.py

Needs torch and skada, and nothing of this package. The file holds latents, logits and labels of two domains, weights of
a discriminator of one layer, and, by the names of our losses, what skada gives for them. skada's MMD has the kernel
exp(-|x - y| / sigma) instead of a Gaussian, and its MDD takes the second head's probabilities of all pseudo-labels of a
batch instead of the galaxy's own: they are other losses than ours of that name.
"""

from pathlib import Path

import numpy as np
import torch
from skada.deep import losses
from skada.deep._adversarial import CDANLoss, CDANModule, DANNLoss

OUT = Path(__file__).resolve().parents[1] / "tests" / "data" / "adaptation_reference.npz"
N, LATENT, CLASSES, JDOT_DISTANCE, TEMPERATURE = 24, 10, 3, 0.05, 2.5


class Head(torch.nn.Module):
    """Latents, a layer to collect, to class probabilities."""

    def __init__(self, weights):
        super().__init__()
        self.latent, self.weights = torch.nn.Identity(), weights

    def forward(self, latents, sample_weight=None):
        return torch.softmax(self.latent(latents) @ self.weights, dim=1)


class Discriminator(torch.nn.Module):
    """One layer without bias, to the probability of the target."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, values):
        return torch.sigmoid(values @ self.weights)


def main():
    rng = np.random.default_rng(1)
    arrays = {
        "source": rng.normal(size=(N, LATENT)), "target": 1.5 * rng.normal(size=(N, LATENT)) + 0.5,
        "head": rng.normal(size=(LATENT, CLASSES)), "of_latents": rng.normal(size=LATENT),
        "of_products": rng.normal(size=CLASSES * LATENT),
    }  # fmt: skip
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    labels = rng.integers(0, CLASSES, N)
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    latents = tensors["source"], tensors["target"]
    logits = tensors["target"] @ tensors["head"]
    dann = (Discriminator(tensors["of_latents"])(part) for part in latents)
    cdan = CDANModule(Head(tensors["head"]), "latent", Discriminator(tensors["of_products"])).train()
    values = {
        "coral": losses.deepcoral_loss(*latents),
        "deepjdot": losses.deepjdot_loss(torch.from_numpy(labels), logits, *latents, JDOT_DISTANCE, 1.0),
        "mcc": losses.mcc_loss(logits, T=TEMPERATURE, eps=0.0),
        "dann": DANNLoss()(*dann),
        "cdan": CDANLoss()(*(cdan(part)[1] for part in latents), *latents),
    }
    values = {name: float(value) for name, value in values.items()}
    np.savez(OUT, **arrays, labels=labels, jdot_distance=JDOT_DISTANCE, temperature=TEMPERATURE, **values)
    print(values)


if __name__ == "__main__":
    main()
