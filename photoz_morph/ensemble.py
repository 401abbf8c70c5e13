"""Members x folds: which networks a run trains into a run folder, and with what: all GPUs, or a process per core."""

import os
import resource
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph import pipeline
from photoz_morph.files import reason_and_remedy
from photoz_morph.run_folder import locked, member_dir, read_history, read_sessions, start_run, write_sessions
from photoz_morph.surveys import get_survey
from photoz_morph.training import choose_strategy, fit, training_length
from photoz_morph.workers import run_workers

N_ADAPTATION = 2000  # training galaxies the whitening of the aperture fluxes is measured on; our choice


def train_ensemble(config, run_dir, data_dir, n_members, n_folds, strategy="auto", n_jobs=None, progress=True):
    """Train `n_members` networks for each of `n_folds` test folds; members that are finished are kept.

    Parameters
    ----------
    config : PhotozConfig
    run_dir, data_dir : path-like
        Run folder and prepared dataset.
    n_members : int
        Networks per fold, which differ in their seed only (Pasquet et al. 2019, Sec. 3.8: 6).
    n_folds : int
        Test folds, of those of the dataset (5). Fewer than these leave some galaxies without a prediction; each
        network is still trained on all other folds.
    strategy : str
        "auto" (mirrored over all GPUs; without any, one network per worker process), "mirrored" (over all GPUs or
        logical CPUs) or "none" (worker processes on the CPU).
    n_jobs : int, optional
        Worker processes; by default one per CPU core. The weights do not depend on it.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    int
        Networks trained now.

    Raises
    ------
    ValueError
        If the run folder holds a run of another config or dataset, or the dataset does not fit the config.
    """
    get_survey(config.survey)  # raises here, not in every worker
    run_dir = Path(run_dir)
    builder = pipeline.open_dataset(data_dir)
    sizes = pipeline.split_sizes(builder)
    if not 1 <= n_folds <= len(sizes):
        raise ValueError(f"--cv is {n_folds}, {data_dir} has {len(sizes)} folds: give 1 to {len(sizes)}")
    if n_members < 1:
        raise ValueError(f"--ensemble is {n_members}, must be at least 1")
    dataset = {
        "path": str(Path(builder.data_dir).resolve()),
        "name": builder.info.full_name,
        "origin": builder.info.metadata["origin"],
        "galaxies_per_fold": sizes,
    }
    with locked(run_dir):
        start_run(run_dir, config, dataset, [device.name for device in tf.config.list_physical_devices()])
        todo = [
            (fold, member)
            for fold in range(n_folds)
            for member in range(n_members)
            if not (member_dir(run_dir, fold, member) / "model.keras").exists()
        ]
        session = _Session(run_dir, config, builder, n_members, n_folds)
        with tqdm(total=session.galaxies_of(todo), unit=" galaxies", unit_scale=True, disable=not progress) as bar:
            display = _Display(bar, session)
            if strategy == "mirrored" or (strategy == "auto" and tf.config.list_physical_devices("GPU")):
                trainer = _Trainer(config, run_dir, data_dir, choose_strategy("mirrored"))
                for task in todo:
                    trainer(task, partial(display, task))
            elif todo:
                train = _SingleThreadTrainer(config, run_dir, data_dir)
                n_workers = min(n_jobs or len(os.sched_getaffinity(0)), len(todo))
                session.workers_memory = run_workers(todo, n_workers, train, display)
        session.write()
    return len(todo)


class _Trainer:
    """Trains one network after the other; keeps the galaxies of a fold for its members."""

    def __init__(self, config, run_dir, data_dir, strategy):
        self.config, self.run_dir, self.strategy = config, run_dir, strategy
        self.data = _FoldData(config, pipeline.open_dataset(data_dir))

    def __call__(self, task, send):
        """Train network (fold, member); `send` gets its progress and at last its history and seconds."""
        fold, member = task
        start = time.monotonic()
        keras.backend.clear_session()  # the graphs of many networks, and the galaxies they hold, would stay in memory
        train, validation, sample = self.data.of(fold)
        folder, seed = member_dir(self.run_dir, fold, member), member_seed(self.config.seed, fold, member)
        arguments = (self.config, folder, train, validation, sample, seed, self.strategy)
        try:
            history = fit(*arguments, on_batch=lambda *batch: send(batch))
        except tf.errors.OpError as error:
            if "No space left" in error.message:
                raise OSError(reason_and_remedy(OSError(error.message), folder)) from error
            raise RuntimeError(
                f"{folder}: TensorFlow failed ({error.message}); if a file of {self.data.builder.data_dir} is damaged, "
                "build the dataset again with --overwrite"
            ) from error
        send((history[-1], time.monotonic() - start))


class _SingleThreadTrainer:
    """Makes a `_Trainer` in a process of its own."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __call__(self, task, send):
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        _Trainer(*self.arguments, choose_strategy("none"))(task, send)


class _Display:
    """Shows what the networks in training are at, and one line for each that is finished."""

    def __init__(self, bar, session):
        self.bar, self.session, self.running = bar, session, {}

    def __call__(self, task, message):
        name = f"fold {task[0] + 1} member {task[1] + 1}"
        if len(message) == 4:
            epoch, n_epochs, loss, n_galaxies = message
            self.running[task] = f"{name} epoch {epoch}/{n_epochs} loss {loss:.3f}"
            self.bar.set_description(", ".join(self.running.values()), refresh=False)
            self.bar.update(n_galaxies)
            return
        last, seconds = message
        self.running.pop(task, None)
        self.session.network_finished()
        if not self.bar.disable:
            self.bar.write(
                f"{name}: loss {last['loss']:.3f}, validation loss {last['validation_loss']:.3f}, "
                f"sigma_MAD {last['validation_sigma_mad']:.4f}, {seconds:.0f} s"
            )


def member_seed(seed, fold, member):
    """Seed of one network: adding a member or a fold changes no other."""
    return int(np.random.SeedSequence([seed, fold, member]).generate_state(1)[0] >> 1)


class _Session:
    """What one `photoz train` was asked for and has taken so far, kept in `sessions.json`."""

    def __init__(self, run_dir, config, builder, n_members, n_folds):
        self.run_dir, self.config, self.builder = run_dir, config, builder
        self.n_members, self.n_folds = n_members, n_folds
        self.start, self.n_trained, self.workers_memory = time.time(), 0, 0.0
        self.earlier = read_sessions(run_dir)
        self.write()

    def galaxies_of(self, todo):
        """Galaxies the networks are still to be shown."""
        iterations = 0
        for fold, member in todo:
            history = read_history(member_dir(self.run_dir, fold, member))
            iterations += self._length(fold)[0] - (history[-1]["iterations"] if history else 0)
        return iterations * self.config.data.batch_size

    def network_finished(self):
        self.n_trained += 1
        self.write()

    def _length(self, fold):
        splits = pipeline.cross_validation_splits(self.builder, fold, self.config.data.n_validation)
        return training_length(self.config, pipeline.n_galaxies(self.builder, splits.train))

    def write(self):
        own_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
        session = {
            "started": datetime.fromtimestamp(self.start, UTC).isoformat(timespec="seconds"),
            "n_members": self.n_members,
            "n_folds": self.n_folds,
            "n_epochs": self._length(0)[1],
            "n_trained": self.n_trained,
            "seconds": round(time.time() - self.start, 1),
            "peak_memory_gb": round(own_memory + self.workers_memory, 2),
        }
        write_sessions(self.run_dir, [*self.earlier, session])


class _FoldData:
    """Training, validation and adaptation galaxies of one fold at a time, shared by its members."""

    def __init__(self, config, builder):
        self.config, self.builder, self.fold = config, builder, None

    def of(self, fold):
        if fold != self.fold:
            self.fold, self._data = fold, None  # frees the cache of the fold before
            self._data = self._read(fold)
        return self._data

    def _read(self, fold):
        config, builder = self.config, self.builder
        splits = pipeline.cross_validation_splits(builder, fold, config.data.n_validation)
        for split in (splits.train, splits.validation):
            pipeline.check_redshifts(pipeline.read_columns(builder, split), config.redshift, builder.data_dir)
        train = pipeline.PhotozBatches(
            builder, splits.train, config.redshift, config.data.batch_size, config.train.label_sigma
        )
        validation = (
            pipeline.image_batches(builder, splits.validation, config.data.batch_size),
            pipeline.read_columns(builder, splits.validation)["z_spec"],
        )
        sample = pipeline.image_batches(builder, splits.train, config.data.batch_size)
        return train, validation, sample.take(-(-N_ADAPTATION // config.data.batch_size))
