"""Attacks by one to ten pixels on one victim in one run: Sparse-RS and Sparse-PGD as published, and ours.

    python scripts/benchmarks/few_pixels.py RUN [--images 30] [--pixels 1,2,3,4,5,6,7,8,9,10] [--out board.json]

RUN is a morphology run, its first seed the victim. All attack the same rightly classified Y10 test images, untargeted,
within the published values (--bounds paper) and with the same budget. One judge counts: a flip is one if the whole
network in float32 gives another class to the image as it would be saved. Sparse-RS has its authors' settings
(alpha 0.3, margin, schedule over the budget). Queries are the images that the network classified until the flip was
confirmed; those of a galaxy that resists are the budget. Processor seconds add up all threads; the process uses one. A
stopped run continues with the same --out.
"""

import argparse
import json
import time
from pathlib import Path

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # with the convolutions of training and prediction

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.robustness.network_queries import scaling_softening, visible_range
from photoz_morph.morph.robustness.pixel_queries import pixel_queries
from photoz_morph.robustness.one_pixel.attack import SEARCHES, AttackOptions, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from photoz_morph.runs.folder import read_run
from photoz_morph.system.json_files import write_atomically

LEVELS = (1, 3, 10, 30, 100, 300, 1000, 3200)  # queries at which success is printed
PEER = "sparse-rs"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--data-dir")
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--pixels", default="1,2,3,4,5,6,7,8,9,10")
    parser.add_argument("--searches", default="sparse-rs,lattice,saliency,sparse-pgd,random")
    parser.add_argument("--max-queries", type=int, default=3200)
    parser.add_argument("--bounds", default="paper")
    parser.add_argument("--seeds", type=int, default=1, help="searches of each image, each with its own random numbers")
    parser.add_argument("--out", default="few_pixels.json")
    arguments = parser.parse_args()
    searches = arguments.searches.split(",")
    unknown = set(searches) - set(SEARCHES)
    if unknown:
        parser.error(f"no search {', '.join(unknown)}; choose of {', '.join(SEARCHES)}")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = load_classifiers(arguments.run, float32=True)[0]
    images, labels, ids = victims(arguments, network)
    settings = {"run": str(Path(arguments.run).resolve()), "obj_id": ids, "bounds": arguments.bounds,
                "max_queries": arguments.max_queries, "seeds": arguments.seeds}  # fmt: skip
    board = open_board(arguments.out, settings)
    bounds = pixel_bounds(
        arguments.bounds, images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2)), scaling_softening(network),
        visible=visible_range(network),
    )  # fmt: skip
    queries = pixel_queries(network, images)
    numbers = [int(number) for number in arguments.pixels.split(",")]
    todo = [(number, search) for number in numbers for search in searches if f"{search} {number}" not in board["rows"]]
    for number, search in tqdm(todo, unit=" attacks"):
        options = AttackOptions(search, arguments.max_queries, pixels=number)
        warm_up(queries, labels, bounds, search, number)
        board["rows"][f"{search} {number}"] = attack(queries, labels, bounds, options, arguments.seeds)
        write_atomically(Path(arguments.out), json.dumps(board, indent=1))
    echo(board, numbers, searches, len(images) * arguments.seeds)


def victims(arguments, network):
    """First test images that the network classifies correctly, their classes and numbers."""
    builder = dataset.open_dataset(arguments.data_dir or read_run(arguments.run, MorphConfig)[1]["path"])
    columns = reading.read_columns(builder, "test")
    n_wanted = 2 * arguments.images + 40
    batches = dataset.domain_images(builder, f"test[:{n_wanted}]", "y10", 64)
    images = np.concatenate(list(batches.as_numpy_iterator()))
    given = pixel_queries(network, images).clean_logits().argmax(axis=1)
    right = np.flatnonzero(given == columns["label"][: len(given)])[: arguments.images]
    return images[right], columns["label"][right], columns["obj_id"][right].tolist()


def open_board(path, settings):
    """The finished attacks of an earlier run with the same settings, or none."""
    if not Path(path).exists():
        return {"settings": settings, "rows": {}}
    board = json.loads(Path(path).read_text())
    if board["settings"] != settings:
        raise SystemExit(f"{path}: holds a board with other settings; give another --out")
    return board


def warm_up(queries, labels, bounds, search, number):
    """Compile what the search needs before the timed part."""
    one_pixel_attack(queries, labels, range(len(labels)), bounds, AttackOptions(search, max_queries=2, pixels=number))


def attack(queries, labels, bounds, options, n_seeds):
    """One search with one number of pixels: whether and after how many queries each image is flipped, and the time."""
    start, flipped, needed = time.process_time(), [], []
    for seed in range(n_seeds):
        found = one_pixel_attack(queries, labels, [[1 + seed, i] for i in range(len(labels))], bounds, options)
        flipped += found.flipped.tolist()
        needed += found.queries.tolist()
    return {"flipped": flipped, "queries": needed, "seconds": time.process_time() - start}


def echo(board, numbers, searches, n_attacks):
    """Print success and queries of every search, then success against queries, then ours against Sparse-RS."""
    print(f"{n_attacks} attacks a row; queries: mean of all, median of the flipped")
    print(f"{'pixels':>6s} {'search':12s} {'flipped':>8s} {'mean':>7s} {'median':>7s} {'CPU s':>7s}   flipped within "
          + " ".join(f"{level:>5d}" for level in LEVELS))  # fmt: skip
    for number in numbers:
        for search in searches:
            row = board["rows"][f"{search} {number}"]
            flipped, queries = np.array(row["flipped"]), np.array(row["queries"])
            within = " ".join(f"{np.sum(flipped & (queries <= level)):5d}" for level in LEVELS)
            median = f"{np.median(queries[flipped]):.0f}" if flipped.any() else "none"
            print(f"{number:6d} {search:12s} {flipped.sum():8d} {queries.mean():7.1f} {median:>7s} "
                  f"{row['seconds']:7.1f}                  {within}")  # fmt: skip
    if PEER in searches:
        for search in (search for search in searches if search != PEER):
            for number in numbers:
                echo_ratio(search, number, *(board["rows"][f"{name} {number}"] for name in (search, PEER)))


def echo_ratio(search, number, ours, peer):
    """Print flips and queries of a search against Sparse-RS: to as many flips, of all images, of those both flip."""
    flipped, queries = (np.array([row[key] for row in (ours, peer)]) for key in ("flipped", "queries"))
    both = flipped.all(axis=0)
    of_both = queries[:, both].mean(axis=1) if both.any() else np.full(2, np.nan)
    reached = [np.sort(own[hit]) for own, hit in zip(queries, flipped)]
    n_peer = len(reached[1])
    as_many = "fewer flips at the whole budget"
    if 0 < n_peer <= len(reached[0]):
        needed, of_peer = reached[0][n_peer - 1], reached[1][-1]
        as_many = f"its {n_peer} flips within {needed} queries to {of_peer} ({needed / of_peer:.2f})"
    print(
        f"{search} to {PEER}, {number} pixels: {flipped[0].sum()} flips to {n_peer}; {as_many}; queries of all "
        f"{queries[0].mean():.1f} to {queries[1].mean():.1f} ({queries[0].mean() / queries[1].mean():.2f}), of the "
        f"{both.sum()} that both flip {of_both[0]:.1f} to {of_both[1]:.1f} ({of_both[0] / of_both[1]:.2f})"
    )


if __name__ == "__main__":
    main()
