"""How near training and inference come to what the hardware can do, and to the same networks in PyTorch.

    python scripts/benchmarks/hardware.py [--networks paper,small] [--batches 64,128] [--rounds 5] [--out table.md]

For each network, batch and precision, measured in turns in the same rounds on all cores: the bare training step, the
same by Keras `fit`, a prediction, and a convolution of 128 maps by 3 x 3, which is taken for the peak of the precision:
a step is as near to it as its arithmetic (multiplications and additions of convolutions and dense layers, three passes
for a training step) in the time. Where torch is installed, the paper's network and ResNet18 also in PyTorch, eager or
compiled, with the channels last. Prints a Markdown table; ratios are medians over rounds, with the range of the middle
half. Pixels are random: the time does not depend on them.
"""

import argparse
import resource
import time

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # as in training, with its convolutions

import keras
import numpy as np
import tensorflow as tf
import torch_networks

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.deblended import HEAD
from photoz_morph.blend.experiment import new_network as new_field_network
from photoz_morph.config import load_config
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.layers.psf_matched import measured_sizes
from photoz_morph.models.pixel_losses import ArcsinhError
from photoz_morph.models.registry import build_classifier
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import new_network

COLUMNS = (
    "network", "batch", "precision", "training [galaxies/s]", "times the first precision", "part of the peak",
    "`fit` / bare step", "prediction [galaxies/s]", "part of the peak", "training / PyTorch", "prediction / PyTorch",
    "most memory so far [GB]",
)  # fmt: skip
SECONDS = 1.0  # of a measurement, at least one step
PEAK = (32, 32, 128)  # rows, columns and maps of the convolution that is taken for the peak


def photoz(config, is_measured=False):
    """Maker of the network of a config, and of a batch; with its photometry measured before, as in training."""

    def make(size, precision, rng):
        settings = load_config(config, PhotozConfig, [f"train.precision={precision}", "train.auxiliary_weight=0"])
        shape = settings.survey.image_shape
        inputs = {"image": rng.normal(size=(size, *shape)).astype(np.float32), "ebv": np.full(size, 0.03, np.float32)}
        inputs |= {name: np.ones((size, shape[-1]), np.float32) for name in settings.model.observing}
        if is_measured:
            sizes = measured_sizes(shape[-1])
            inputs |= {name: rng.normal(size=(size, n)).astype(np.float32) for name, n in sizes.items()}
        target = np.eye(180, dtype=np.float32)[rng.integers(0, 180, size)]
        return new_network(settings, 1000, 1, is_measured), inputs, target

    return make


def resnet18(width, losses=()):
    """Maker of ResNet18 of a width, and of a batch; with losses of as many target images."""

    def make(size, precision, rng):
        scaling = ArcsinhScaling()
        scaling.set_quantiles([-1.0, 3.0])
        keras.config.set_dtype_policy(precision)
        network = build_classifier("resnet18", seed=1, scaling=scaling, width=width)
        keras.config.set_dtype_policy("float32")
        model = DomainAdaptedClassifier(network, [(loss, 0.05, {}) for loss in losses])
        model.compile(keras.optimizers.AdamW(1e-4))
        source, target = rng.normal(size=(2, size, 100, 100, 3)).astype(np.float32)
        return model, {"source": source, "target": target}, rng.integers(0, 3, size)

    return make


def unet(size, precision, rng):
    """U-Net of the config that takes blends apart, and a batch."""
    config = load_config("blend_deblend_plain.yaml", BlendConfig, [f"train.precision={precision}"])
    model = new_field_network(config, 3, seed=1, quantiles=[[-10.0, 100.0]])
    model.compile(keras.optimizers.AdamW(1e-3), loss={HEAD: ArcsinhError(1.0)}, jit_compile=False)
    image = rng.normal(size=(size, 48, 48, 3)).astype(np.float32)
    return model, {"image": image}, {HEAD: image}


NETWORKS = {
    "paper": photoz("photoz_sdss.yaml"),
    "small": photoz("photoz_simulated.yaml"),
    "small_training": photoz("photoz_simulated.yaml", is_measured=True),
    "resnet18": resnet18(16),
    "resnet18_mmd": resnet18(16, ["mmd"]),
    "resnet18_64": resnet18(64),
    "unet": unet,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--batches", default="64")
    parser.add_argument("--precisions", default="float32,mixed_bfloat16")
    parser.add_argument("--compile", action="store_true", help="PyTorch by torch.compile instead of eagerly")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", help="file of the table; by default it is printed")
    arguments = parser.parse_args()
    rows = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    print(*rows, sep="\n")
    precisions = arguments.precisions.split(",")
    for name in arguments.networks.split(","):
        for size in map(int, arguments.batches.split(",")):
            found = measured(name, size, precisions, arguments.rounds, arguments.compile)
            print(*found, sep="\n", flush=True)
            rows += found
    if arguments.out:
        with open(arguments.out, "w") as file:
            file.write("\n".join(rows) + "\n")


def measured(name, size, precisions, n_rounds, is_compiled):
    """Rows of the table, one a precision."""
    cases = {precision: Case(name, size, precision, is_compiled) for precision in precisions}
    runs = {(precision, key): run for precision, case in cases.items() for key, run in case.runs.items()}
    n_steps = {key: repeats(run) for key, run in runs.items()}
    seconds = {key: [] for key in runs}
    for _ in range(n_rounds):
        for key, run in runs.items():
            seconds[key].append(timed(run, n_steps[key]) / n_steps[key])
    seconds = {key: np.array(values) for key, values in seconds.items()}
    rows = []
    for precision, case in cases.items():
        step, fit, predict, peak_step = (seconds[precision, key] for key in ("step", "fit", "predict", "peak"))
        speed = peak_arithmetic() / peak_step
        torch = [seconds.get((precision, key)) for key in ("torch step", "torch predict")]
        rows.append("| " + " | ".join([
            name, str(size), precision.removeprefix("mixed_"), f"{size / np.median(step):.0f}",
            ratio(seconds[precisions[0], "step"], step), ratio(3 * case.n_domains * case.operations / step, speed),
            ratio(fit, step), f"{size / np.median(predict):.0f}", ratio(case.operations / predict, speed),
            *("" if other is None else ratio(own, other) for own, other in zip((step, predict), torch)),
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f}",
        ]) + " |")  # fmt: skip
    return rows


class Case:
    """A network with a batch, and functions of a number of steps."""

    def __init__(self, name, size, precision, is_compiled):
        model, inputs, target = NETWORKS[name](size, precision, np.random.default_rng(1))
        batch = tf.data.Dataset.from_tensors((inputs, target)).cache()
        data, steps = next(iter(batch)), batch.repeat()
        network = getattr(model, "classifier", model)
        shown = data[0] if "image" in data[0] else {"image": data[0]["source"]}
        step = tf.function(model.train_step, jit_compile=False)
        predict = tf.function(lambda: network(shown, training=False))
        self.n_domains = 1 if "image" in data[0] else 2
        self.operations = arithmetic(network, shown) * size
        self.runs = {
            "step": lambda n: [step(data) for _ in range(n)],
            "fit": lambda n: model.fit(steps, steps_per_epoch=n, epochs=1, verbose=0, shuffle=False),
            "predict": lambda n: [predict() for _ in range(n)],
            "peak": peak(precision),
        }
        twin = torch_networks.twin(name, network, precision, is_compiled)
        if twin:
            self.runs |= {"torch step": twin.training(shown, target), "torch predict": twin.prediction(shown)}


def peak(precision):
    """Function of a number of convolutions of `PEAK`."""
    dtype = tf.bfloat16 if "bfloat16" in precision else tf.float32
    rows, columns, n_maps = PEAK
    maps = tf.cast(tf.random.normal((64, rows, columns, n_maps)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, n_maps, n_maps)), dtype)
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(maps, kernel, 1, "SAME")[0, 0, 0]))
    return lambda n: [convolve() for _ in range(n)][-1].numpy()


def peak_arithmetic():
    """Multiplications and additions of a convolution of `peak`."""
    rows, columns, n_maps = PEAK
    return 2 * 64 * rows * columns * 9 * n_maps**2


def arithmetic(network, inputs):
    """Multiplications and additions of the convolutions and dense layers of a network for one galaxy of a batch."""
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    upward = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    layers = [*convolutions, *upward]
    maps = keras.Model(network.input, [layer.output for layer in layers])
    shapes = [values.shape for values in maps.compute_output_spec(
        {name: keras.KerasTensor(values.shape, values.dtype) for name, values in inputs.items()}
    )]  # fmt: skip
    total = 0
    for layer, (_, rows, columns, _) in zip(layers, shapes):
        places = rows * columns // (np.prod(layer.strides) if layer in upward else 1)
        total += 2 * places * int(np.prod(layer.kernel.shape))
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    return total + sum(2 * int(np.prod(layer.kernel.shape)) for layer in dense)


def repeats(run):
    """Steps that fill a measurement; the first, which traces, is not counted."""
    run(1)
    return max(1, round(SECONDS / timed(run, 1)))


def timed(run, n):
    """Seconds of wall clock."""
    start = time.perf_counter()
    run(n)
    return time.perf_counter() - start


def ratio(one, other):
    """Median of the ratios of the rounds, with the range of the middle half."""
    low, middle, high = np.percentile(np.asarray(one) / np.asarray(other), (25, 50, 75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
