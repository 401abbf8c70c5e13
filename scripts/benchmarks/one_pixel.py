"""One-pixel attacks on one victim in one run: ours, SciPy's differential evolution and, where installed, ART's.

    python scripts/benchmarks/one_pixel.py RUN [--images 30] [--peer-images 30] [--searches ...] [--exhaustive]

RUN is a morphology run with a ResNet18, its first seed the victim. All attack the same rightly classified Y10 test
images, untargeted, within the published values ([0, 1] of the scaled pixel, --bounds paper) and with the same budget of
3,200 questions an image: population 400, seven generations after the first. A flip counts if the whole network in
float32 gives another class. SciPy runs with its convergence tests off (tol=0, atol=-1), all candidates of a generation
in one call, on the fastest TensorFlow route to the whole network (tf.function, batches of 64), with the true class's
probability as objective, as is usual, and once more with our margin. Processor seconds add up all threads; the
process uses one. Rates over the forward pass: queries per second over passes per second of the layers after the
pooling, in the same precision and batches of 64, the least that a query needs. With --exhaustive each image that
lattice leaves is queried with all 80,000 extreme colours.
"""

import argparse
import time

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # with the convolutions of training and prediction

import numpy as np
import tensorflow as tf
from scipy.optimize import differential_evolution

from photoz_morph.datasets import reading
from photoz_morph.models.folded_resnet18 import FoldedStages
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.robustness.network_queries import compiled, scaling_softening
from photoz_morph.morph.robustness.pixel_queries import pixel_queries
from photoz_morph.robustness.one_pixel.attack import AttackOptions, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from photoz_morph.robustness.one_pixel.criteria import probabilities, scores_of
from photoz_morph.robustness.one_pixel.searches import Edits
from photoz_morph.runs.folder import read_run

BATCH, POPULATION, GENERATIONS = 64, 400, 7
BUDGET = POPULATION * (1 + GENERATIONS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--data-dir")
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--peer-images", type=int, default=30)
    parser.add_argument("--searches", default="random,evolution,lattice,saliency")
    parser.add_argument("--scipy-objectives", default="probability,margin")
    parser.add_argument("--exhaustive", action="store_true")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = load_classifiers(arguments.run, float32=True)[0]
    images, labels = victims(arguments, network)
    peers = min(arguments.peer_images, len(images))
    bounds = pixel_bounds("paper", [0] * 3, [1] * 3, scaling_softening(network))
    print(f"{len(images)} images, the peers on the first {peers}; {BUDGET} questions an image at most")
    print(f"{'attack':34s} {'flipped':>9s} {'rows':>7s} {'median':>7s} {'CPU s':>7s} {'rows/CPU s':>10s} "
          f"{'CPU s/flip':>10s}")  # fmt: skip
    ours, can_flip = {}, None
    for precision in ("float32", "bfloat16"):
        queries = pixel_queries(network, images, precision=precision)
        warm_up(queries, labels, bounds)
        for search in arguments.searches.split(","):
            ours[search, precision] = attack(queries, labels, bounds, search, f"{search}, {precision}")
        if precision == "bfloat16" and arguments.exhaustive:
            can_flip = exhaust(queries, labels, bounds, ours["lattice", "float32"]["flipped"])
    whole = WholeNetwork(network, images, bounds)
    objectives = arguments.scipy_objectives.split(",")
    scipy = {objective: whole.scipy_attack(labels[:peers], objective) for objective in objectives}
    art = whole.art_attack(labels[:peers])
    limits = {precision: forward_limit(network, precision) for precision in ("float32", "bfloat16")}
    echo_ratios(ours, scipy, art, limits, peers)
    if can_flip is not None:
        echo_flippable(ours, scipy, can_flip, peers)


def victims(arguments, network):
    """First test images that the network classifies correctly, and their classes."""
    builder = dataset.open_dataset(arguments.data_dir or read_run(arguments.run, MorphConfig)[1]["path"])
    labels = reading.read_columns(builder, "test")["label"]
    n_wanted = 2 * arguments.images + 40
    batches = dataset.domain_images(builder, f"test[:{n_wanted}]", "y10", BATCH)
    images = np.concatenate(list(batches.as_numpy_iterator()))
    given = pixel_queries(network, images).clean_logits().argmax(axis=1)
    right = np.flatnonzero(given == labels[: len(given)])[: arguments.images]
    return images[right], labels[right]


def warm_up(queries, labels, bounds):
    """Compile every function before the timed part."""
    for search in ("lattice", "saliency"):
        one_pixel_attack(queries, labels, range(len(labels)), bounds, AttackOptions(search, max_queries=33))


def attack(queries, labels, bounds, search, name):
    """Our attack, timed."""
    start = time.process_time()
    found = one_pixel_attack(
        queries, labels, [[1, i] for i in range(len(labels))], bounds, AttackOptions(search, BUDGET)
    )
    return row(name, found.flipped, found.queries, time.process_time() - start)


def row(name, flipped, queries, seconds):
    """Print one line of the table and return its numbers."""
    n_flips = int(flipped.sum())
    middle = np.median(queries[flipped]) if n_flips else np.nan
    print(f"{name:34s} {n_flips:4d}/{len(flipped):4d} {queries.mean():7.0f} {middle:7.0f} {seconds:7.1f} "
          f"{queries.sum() / seconds:10.0f} {seconds / max(n_flips, 1):10.3f}", flush=True)  # fmt: skip
    return {"flipped": flipped, "rows": queries, "rate": queries.sum() / seconds, "seconds": seconds}


def exhaust(queries, labels, bounds, flipped):
    """Query every corner of every pixel of the images that were not flipped; True for images that can be flipped."""
    can_flip = flipped.copy()
    for index in np.flatnonzero(~flipped):
        queries_of_one = np.full(80_000, index)
        pixel, corner = np.divmod(np.arange(80_000), 8)
        edits = Edits(np.stack(np.divmod(pixel, 100), axis=1), bounds.corners()[corner])
        margin = scores_of(queries(queries_of_one, edits), labels[index])
        print(f"  image {index}: lowest margin over all extreme colours {margin.min():.3f}, flips {np.sum(margin < 0)}")
        can_flip[index] = margin.min() < 0
    return can_flip


class WholeNetwork:
    """Victim as the other packages see it: whole images in, logits out."""

    def __init__(self, network, images, bounds):
        self.network, self.images, self.bounds = network, images, bounds
        self.answer = tf.function(lambda images: network({"image": images}, training=False)["logits"])
        self.logits(images[:1])

    def logits(self, images):
        """Logits of images, in batches of 64 of which the last is padded."""
        parts = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            padding = np.repeat(batch[-1:], BATCH - len(batch), axis=0)
            parts.append(self.answer(np.concatenate([batch, padding])).numpy()[: len(batch)])
        return np.concatenate(parts)

    def scipy_attack(self, labels, objective):
        """SciPy's differential evolution, image by image, until the class changes."""
        flipped, rows = np.zeros(len(labels), bool), np.zeros(len(labels), int)
        start = time.process_time()
        for index, label in enumerate(labels):
            state = {"flipped": False}

            def value(genes, index=index, label=label, state=state):
                candidates = self.edited(index, genes.T)
                logits = self.logits(candidates)
                rows[index] += len(candidates)
                state["flipped"] |= bool(np.any(logits.argmax(axis=1) != label))
                return probabilities(logits)[:, label] if objective == "probability" else scores_of(logits, label)

            differential_evolution(
                value, [(0, 1)] * 5, vectorized=True, updating="deferred", tol=0, atol=-1, polish=False,
                popsize=POPULATION // 5, maxiter=GENERATIONS, rng=index,
                callback=lambda *_, state=state, **__: state["flipped"],
            )  # fmt: skip
            flipped[index] = state["flipped"]
        return row(f"SciPy, {objective}", flipped, rows, time.process_time() - start)

    def art_attack(self, labels):
        """ART's PixelAttack by differential evolution on one pixel; None where it is not installed."""
        try:
            from art.attacks.evasion import PixelAttack
            from art.estimators.classification import BlackBoxClassifierNeuralNetwork
        except ImportError as error:
            print(f"ART left out: {error}")
            return None
        softening = scaling_softening(self.network)
        rows = np.zeros(len(labels), int)
        current = [0]

        def predict(scaled):
            rows[current[0]] += len(scaled)
            return probabilities(self.logits((softening * np.sinh(2 * np.asarray(scaled) - 1)).astype(np.float32)))

        shape = (100, 100, 3)
        classifier = BlackBoxClassifierNeuralNetwork(predict, shape, 3, channels_first=False, clip_values=(0, 1))
        art = PixelAttack(classifier, th=1, es=1, max_iter=GENERATIONS, targeted=False, verbose=False)
        flipped = np.zeros(len(labels), bool)
        start = time.process_time()
        for index, label in enumerate(labels):
            current[0] = index
            scaled = (np.arcsinh(self.images[index : index + 1] / softening) + 1) / 2
            attacked = art.generate(scaled.astype(np.float32), np.eye(3)[[label]])
            flipped[index] = predict(attacked).argmax() != label
        return row("ART PixelAttack, th=1", flipped, rows, time.process_time() - start)

    def edited(self, index, genes):
        """Copies of an image with one pixel replaced, from rows of [0, 1]^5."""
        candidates = np.repeat(self.images[index : index + 1], len(genes), axis=0)
        pixels = np.minimum((genes[:, :2] * 100).astype(int), 99)
        candidates[np.arange(len(genes)), pixels[:, 0], pixels[:, 1]] = self.bounds.at(genes[:, 2:])
        return candidates


def forward_limit(network, precision):
    """Passes per processor second of the layers after the pooling, in batches of 64 stored maps."""
    stages = compiled(FoldedStages(network, precision))
    width = network.get_layer("conv1").filters
    maps = tf.random.stateless_uniform((BATCH, 25, 25, width), (1, 2))
    stages(maps)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(4):
            stages(maps)
        seconds.append(time.process_time() - start)
    return 4 * BATCH / np.median(seconds)


def echo_ratios(ours, scipy, art, limits, peers):
    """Print the ratios to the other programs; flips are compared on the images that those attacked."""
    usual, peer_flips = scipy["probability"], ", ".join(
        [f"{int(found['flipped'].sum())} of SciPy's ({objective})" for objective, found in scipy.items()]
        + ([] if art is None else [f"{int(art['flipped'].sum())} of ART's"])
    )
    for (search, precision), found in ours.items():
        n_flips = int(found["flipped"][:peers].sum())
        per_flip = found["seconds"] / max(found["flipped"].sum(), 1)
        print(
            f"{search}, {precision}: {found['rate'] / usual['rate']:.2f} times SciPy's questions per CPU s; "
            f"{n_flips} flips to {peer_flips}; CPU s per flip 1/"
            f"{usual['seconds'] / max(usual['flipped'].sum(), 1) / per_flip:.1f} of SciPy's; "
            f"{100 * found['rate'] / limits[precision]:.0f} % of the forward pass after the pooling"
        )


def echo_flippable(ours, scipy, can_flip, peers):
    """Print the same for images that some extreme colour flips: the others use the whole budget of every search."""
    can_flip = can_flip[:peers]
    parts = {}
    for name, found in [*ours.items(), *((("SciPy", objective), part) for objective, part in scipy.items())]:
        rows, n_flips = found["rows"][:peers][can_flip], int(found["flipped"][:peers][can_flip].sum())
        parts[name] = rows.sum() / found["rate"] / max(n_flips, 1)
        print(
            f"of the {can_flip.sum()} that can be flipped, {', '.join(name)}: {n_flips}, {rows.mean():.0f} questions "
            f"each, {parts[name]:.3f} CPU s per flip"
        )
    for name in ours:
        print(f"{', '.join(name)}: 1/{parts['SciPy', 'probability'] / parts[name]:.1f} of SciPy's CPU s per flip there")


if __name__ == "__main__":
    main()
