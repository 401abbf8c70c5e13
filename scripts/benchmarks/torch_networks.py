"""The networks of `hardware.py` in PyTorch: the same layers and numbers of parameters, the channels last in memory."""

from itertools import pairwise

import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    torch = None

WIDTHS = {"resnet18": 16, "resnet18_64": 64}
N_LATENT, N_CLASSES = 256, 3  # of ResNet18


def twin(name, network, precision, is_compiled):
    """The network of a name in PyTorch, None without torch or where there is none.

    Raises
    ------
    ValueError
        If it has another number of trainable parameters than the one in Keras.
    """
    if torch is None or not (name == "paper" or name in WIDTHS):
        return None
    made = _inception() if name == "paper" else _resnet18(WIDTHS[name])
    expected = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    found = sum(weight.numel() for weight in made.parameters())
    if found != expected:
        raise ValueError(f"{name} has {found} trainable parameters in PyTorch, {expected} in Keras; they must agree")
    return Twin(made, precision, is_compiled)


class Twin:
    """A network in PyTorch whose steps can be timed.

    Parameters
    ----------
    network : torch.nn.Module
    precision : {"float32", "mixed_bfloat16"}
    is_compiled : bool
        By `torch.compile`.
    """

    def __init__(self, network, precision, is_compiled):
        network = network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
        self.network = torch.compile(network) if is_compiled else network
        self.is_half = "bfloat16" in precision

    def training(self, inputs, target):
        """Function of a number of training steps with one batch."""
        inputs, target = _tensors(inputs), torch.from_numpy(np.asarray(target))

        def run(n):
            self.network.train()
            for _ in range(n):
                self.optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=self.is_half):
                    logits = self.network(*inputs)
                functional.cross_entropy(logits.float(), target).backward()
                self.optimizer.step()

        return run

    def prediction(self, inputs):
        """Function of a number of predictions of one batch."""
        inputs = _tensors(inputs)

        def run(n):
            self.network.eval()
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.is_half):
                for _ in range(n):
                    self.network(*inputs)

        return run


def _tensors(inputs):
    """Image and, where it is there, E(B-V) as tensors."""
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.asarray(inputs["image"]), -1, 1)))
    image = image.contiguous(memory_format=torch.channels_last)
    return [image] + ([torch.from_numpy(np.asarray(inputs["ebv"]))[:, None]] if "ebv" in inputs else [])


def _convolution(n_in, n_out, size):
    """Convolution and one PReLU slope a map."""
    return nn.Sequential(nn.Conv2d(n_in, n_out, size, padding="same"), nn.PReLU(n_out))


def _inception():
    """The network of Pasquet et al. (2019), Table A1; see `models.inception_photoz`."""
    blocks = ((48, 64), (64, 92), (92, 128), (92, 128), (92, 128))

    class Block(nn.Module):
        def __init__(self, n_in, s1, s2, with_5x5):
            super().__init__()
            self.one = _convolution(n_in, s2, 1)
            sizes = (5, 3) if with_5x5 else (3,)
            self.wide = nn.ModuleList(
                nn.Sequential(_convolution(n_in, s1, 1), _convolution(s1, s2, size)) for size in sizes
            )
            self.to_pool = _convolution(n_in, s1, 1)
            self.n_out = s1 + s2 * (1 + len(sizes))

        def forward(self, maps):
            pooled = functional.avg_pool2d(functional.pad(self.to_pool(maps), (0, 1, 0, 1)), 2, 1)
            return torch.cat([self.one(maps), *(wide(maps) for wide in self.wide), pooled], dim=1)

    class Inception(nn.Module):
        def __init__(self):
            super().__init__()
            layers, n_maps, side = [_convolution(5, 64, 5), nn.AvgPool2d(2)], 64, 32
            for number, (s1, s2) in enumerate(blocks, start=1):
                layers.append(Block(n_maps, s1, s2, with_5x5=number < len(blocks)))
                n_maps = layers[-1].n_out
                if number in (2, 4):
                    layers.append(nn.AvgPool2d(2))
                    side //= 2
            self.maps = nn.Sequential(*layers)
            sizes = (n_maps * side**2 + 1, 1096, 1096)
            dense = [layer for n, m in pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
            self.dense = nn.Sequential(*dense, nn.Linear(1096, 180))

        def forward(self, image, ebv):
            return self.dense(torch.cat([self.maps(image).flatten(1), ebv], dim=1))

    return Inception()


def _resnet18(width):
    """The ResNet18 of Ciprijanovic et al. (2021); see `models.resnet18`."""

    class Block(nn.Module):
        def __init__(self, n_in, n_out, stride):
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(),
                nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out),
            )  # fmt: skip
            is_same = stride == 1 and n_in == n_out
            short = nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            self.short = nn.Identity() if is_same else nn.Sequential(*short)

        def forward(self, maps):
            return functional.relu(self.main(maps) + self.short(maps))

    layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    n_maps = width
    for stage in range(4):
        for number in range(2):
            layers.append(Block(n_maps, width * 2**stage, 2 if stage and not number else 1))
            n_maps = width * 2**stage
    layers += [nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(n_maps, N_LATENT), nn.Linear(N_LATENT, N_CLASSES))
