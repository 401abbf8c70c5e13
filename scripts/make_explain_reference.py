"""Make tests/data/explain_reference.npz: attributions by captum of a small network, which tests compare ours with.

    python scripts/make_explain_reference.py

Needs torch and captum, and nothing of this package. The network has random weights, an image of 8 x 8 pixels in three
bands and a scalar: convolution 3x3, ReLU, convolution 3x3, ReLU, mean over 2x2 pixels, dense layer with the scalar,
ReLU, dense layer. The file holds weights, inputs and baselines in the layout of Keras, and, by the names of
`captum.attr`, what captum gives for the second of three outputs.
"""

from pathlib import Path

import captum
import numpy as np
import torch
from captum import attr

OUT = Path(__file__).resolve().parents[1] / "tests" / "data" / "explain_reference.npz"
SIDE, BANDS, N, CLASS = 8, 3, 4, 1


class Network(torch.nn.Module):
    """Two convolutions, the second to maps of which Grad-CAM is taken, and two dense layers."""

    def __init__(self, weights):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(BANDS, 4, 3, padding=1), torch.nn.Conv2d(4, 5, 3)
        self.relu1, self.relu2, self.relu3 = torch.nn.ReLU(), torch.nn.ReLU(), torch.nn.ReLU()
        self.pool = torch.nn.AvgPool2d(2)
        self.dense1, self.dense2 = torch.nn.Linear(46, 6), torch.nn.Linear(6, 3)
        for name in ("conv1", "conv2", "dense1", "dense2"):
            layer, kernel = getattr(self, name), weights[f"{name}_kernel"]
            order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            layer.weight.data = torch.tensor(np.ascontiguousarray(kernel.transpose(order)))
            layer.bias.data = torch.tensor(weights[f"{name}_bias"])

    def forward(self, image, scalar):
        maps = self.pool(self.relu2(self.conv2(self.relu1(self.conv1(image)))))
        flat = maps.permute(0, 2, 3, 1).flatten(1)  # as Keras flattens
        return self.dense2(self.relu3(self.dense1(torch.cat([flat, scalar[:, None]], dim=1))))


def main():
    rng = np.random.default_rng(20)
    shapes = {"conv1": (3, 3, BANDS, 4), "conv2": (3, 3, 4, 5), "dense1": (46, 6), "dense2": (6, 3)}
    stored = {}
    for name, shape in shapes.items():
        stored[f"{name}_kernel"] = (rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)
        stored[f"{name}_bias"] = (0.1 * rng.normal(size=shape[-1])).astype(np.float32)
    stored["image"] = rng.normal(size=(N, SIDE, SIDE, BANDS)).astype(np.float32)
    stored["baseline_image"] = (0.3 * rng.normal(size=(N, SIDE, SIDE, BANDS))).astype(np.float32)
    stored["scalar"], stored["baseline_scalar"] = rng.normal(size=(2, N)).astype(np.float32)
    network = Network(stored).eval()
    inputs, starts = (
        (torch.tensor(stored[f"{prefix}image"].transpose(0, 3, 1, 2).copy()), torch.tensor(stored[f"{prefix}scalar"]))
        for prefix in ("", "baseline_")
    )
    stored["output"] = network(*inputs).detach().numpy()
    stored |= gradients(network, inputs, starts) | backwards(network, inputs) | removals(network, inputs, starts)
    maps = attr.LayerGradCam(network, network.conv2).attribute(inputs, target=CLASS)
    stored["LayerGradCam"] = maps.detach().numpy()[:, 0]
    np.savez_compressed(OUT, captum=captum.__version__, torch=torch.__version__, **stored)
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB, captum {captum.__version__}, torch {torch.__version__}")


def gradients(network, inputs, starts):
    """Saliency, gradient times input and integrated gradients, also in their steps."""
    return {
        **named("Saliency", attr.Saliency(network).attribute(inputs, target=CLASS)),
        **named("InputXGradient", attr.InputXGradient(network).attribute(inputs, target=CLASS)),
        **named("IntegratedGradients", attr.IntegratedGradients(network).attribute(
            inputs, starts, target=CLASS, n_steps=20, method="gausslegendre"
        )),
    }  # fmt: skip


def backwards(network, inputs):
    """Guided backpropagation, deconvolution and LRP, whose rule is epsilon in every layer."""
    return {
        **named("GuidedBackprop", attr.GuidedBackprop(network).attribute(inputs, target=CLASS)),
        **named("Deconvolution", attr.Deconvolution(network).attribute(inputs, target=CLASS)),
        **named("LRP", attr.LRP(network).attribute(inputs, target=CLASS)),
    }


def removals(network, inputs, starts):
    """Occlusion by patches of 3 x 3 pixels in steps of 2, loss of each band and of the scalar, and Shapley values."""
    image, scalar = inputs
    occluded = attr.Occlusion(lambda image, scalar: network(image, scalar)).attribute(
        image, sliding_window_shapes=(BANDS, 3, 3), strides=(BANDS, 2, 2), baselines=starts[0], target=CLASS,
        additional_forward_args=scalar,
    )  # fmt: skip
    bands = torch.arange(BANDS)[None, :, None, None].expand(1, BANDS, SIDE, SIDE).contiguous()
    players = bands, torch.tensor([BANDS])
    options = {"baselines": starts, "target": CLASS, "feature_mask": players}
    return {
        "Occlusion_image": in_layout_of_keras(occluded),
        **named("FeatureAblation", attr.FeatureAblation(network).attribute(inputs, **options)),
        **named("ShapleyValues", attr.ShapleyValues(network).attribute(inputs, **options)),
    }


def named(method, attributions):
    """Attributions of image and scalar by name."""
    image, scalar = attributions
    return {f"{method}_image": in_layout_of_keras(image), f"{method}_scalar": scalar.detach().numpy()}


def in_layout_of_keras(image):
    """Channels last."""
    return image.detach().numpy().transpose(0, 2, 3, 1).copy()


if __name__ == "__main__":
    main()
