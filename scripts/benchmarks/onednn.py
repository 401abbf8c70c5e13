"""Time of a training step and of a prediction with TensorFlow's oneDNN convolutions, against its own.

    python scripts/benchmarks/onednn.py [--rounds 7]

TensorFlow decides once, when it is imported: two processes, one of each, take turns in the same rounds. Prints, for
the small redshift network and ResNet18 of width 16, the processor seconds of a batch without oneDNN and with it, and
their ratio with the range of its middle half. Pixels are random: the time does not depend on them.
"""

import argparse
import multiprocessing
import os
import time

import numpy as np

from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.surveys import SDSS
from photoz_morph.training.quiet import quiet_tensorflow

BATCH = 64
STEPS = 4  # per round


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = range(parser.parse_args().rounds)
    switches = {"without": "0", "with": "1"}
    seconds = {name: [] for name in switches}
    workers = {name: start_worker(value) for name, value in switches.items()}
    for connection, _ in workers.values():
        connection.recv()  # has traced its graphs
    for _ in rounds:
        for name, (connection, _) in workers.items():
            connection.send("time")
            seconds[name].append(connection.recv())
    for connection, process in workers.values():
        connection.send("stop")
        process.join()
    print("what a batch of 64 takes [processor seconds]           without      with     with / without")
    for what in seconds["with"][0]:
        off, on = (np.array([row[what] for row in seconds[name]]) for name in switches)
        low, middle, high = np.percentile(on / off, (25, 50, 75))
        print(f"{what:50s} {np.median(off):11.3f} {np.median(on):9.3f}     {middle:.2f} ({low:.2f} to {high:.2f})")


def start_worker(switch):
    """A process that imports TensorFlow with TF_ENABLE_ONEDNN_OPTS=`switch`, and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(switch, there))
    process.start()
    return here, process


def work(switch, connection):
    """Time all jobs whenever asked."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = switch
    quiet_tensorflow()
    jobs = all_jobs()
    for job in jobs.values():
        job()
    connection.send("ready")
    while connection.recv() == "time":
        connection.send({name: processor_seconds(job) for name, job in jobs.items()})


def all_jobs():
    """Functions of no arguments, by what they do with a batch."""
    import keras

    from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
    from photoz_morph.models.layers.image_scaling import ArcsinhScaling
    from photoz_morph.models.registry import build_classifier
    from photoz_morph.photoz.experiment import new_network

    rng = np.random.default_rng(1)
    config = load_config("photoz_simulated.yaml", PhotozConfig, ["model.observing=[]", "model.apertures=circular"])
    photoz = new_network(config, 1000, seed=1)
    inputs = {
        "image": rng.normal(size=(BATCH, *SDSS.image_shape)).astype(np.float32), "ebv": np.full(BATCH, 0.03, np.float32)
    }
    target = np.eye(config.redshift.n_bins, dtype=np.float32)[rng.integers(0, config.redshift.n_bins, BATCH)]
    scaling = ArcsinhScaling()
    scaling.set_quantiles([-1.0, 3.0])
    resnet = DomainAdaptedClassifier(build_classifier("resnet18", seed=1, scaling=scaling, width=16))
    resnet.compile(keras.optimizers.AdamW(1e-4))
    source, other = rng.normal(size=(2, BATCH // 2, 100, 100, 3)).astype(np.float32)
    domains, labels = {"source": source, "target": other}, rng.integers(0, 3, BATCH // 2)
    stamps = {"image": np.concatenate([source, other])}
    return {
        "training step of the small redshift network": lambda: photoz.train_on_batch(inputs, target),
        "prediction of the small redshift network": lambda: photoz.predict_on_batch(inputs),
        "training step of ResNet18, width 16": lambda: resnet.train_on_batch(domains, labels),
        "prediction of ResNet18, width 16": lambda: resnet.classifier.predict_on_batch(stamps),
    }


def processor_seconds(job):
    """Processor seconds of one call, all threads together."""
    start = time.process_time()
    for _ in range(STEPS):
        job()
    return (time.process_time() - start) / STEPS


if __name__ == "__main__":
    main()
