"""Training of an ensemble, members x folds, into a run folder: on all GPUs, or in one process per core."""

import contextlib
import os
import resource
import time
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.runs.folder import member_dir, start_run
from photoz_morph.runs.progress import locked, read_history, read_sessions, write_sessions
from photoz_morph.system.files import reason_and_remedy
from photoz_morph.system.shared_memory import IS_POSSIBLE
from photoz_morph.training.fit import choose_strategy, fit
from photoz_morph.training.schedules import training_length
from photoz_morph.training.workers import run_workers


def train_ensemble(
    experiment_class, config, run_dir, data_dir, n_members, n_folds, strategy="auto", n_jobs=None, progress=True
):
    """Train `n_members` networks for each of `n_folds` test folds; finished members are kept.

    Parameters
    ----------
    experiment_class : type
        PhotozExperiment or MorphExperiment.
    config : PhotozConfig or MorphConfig
    run_dir, data_dir : path-like
        Run folder and prepared dataset.
    n_members : int
        Networks per fold, which differ in their seed only (Pasquet et al. 2019, Sec. 3.8: 6).
    n_folds : int
        Number of test folds, at most those of the dataset: 5 for photo-z, 1 for morphology. With fewer, some galaxies
        have no prediction; each network is still trained on all other folds.
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
        Number of networks trained by this call.

    Raises
    ------
    ValueError
        If the run folder holds a run of another config or dataset, or the dataset does not fit the config.
    """
    run_dir = Path(run_dir)
    experiment = experiment_class(config, data_dir)
    if not 1 <= n_folds <= experiment.n_folds:
        raise ValueError(
            f"--cv is {n_folds}, {data_dir} has {experiment.n_folds} folds: give 1 to {experiment.n_folds}"
        )
    if n_members < 1:
        raise ValueError(f"the number of networks is {n_members}, must be at least 1")
    with locked(run_dir):
        devices = [device.name for device in tf.config.list_physical_devices()]
        start_run(run_dir, config, experiment.dataset_description(), devices)
        todo = [
            (fold, member)
            for fold in range(n_folds)
            for member in range(n_members)
            if not (member_dir(run_dir, fold, member) / "model.keras").exists()
        ]
        session = _Session(run_dir, config, experiment, n_members, n_folds)
        unit = f" {config.DATASET_SIZES.partition('_per_')[0]}"  # galaxies, or images
        with tqdm(total=session.galaxies_of(todo), unit=unit, unit_scale=True, disable=not progress) as bar:
            display = _Display(bar, session)
            if strategy == "mirrored" or (strategy == "auto" and tf.config.list_physical_devices("GPU")):
                trainer = _Trainer(experiment_class, config, run_dir, data_dir, choose_strategy("mirrored"))
                for task in todo:
                    trainer(task, partial(display, task))
            elif todo:
                n_workers = min(n_jobs or len(os.sched_getaffinity(0)), len(todo))
                groups = tasks_of_processes(todo, n_workers)
                share = IS_POSSIBLE and experiment.columns
                with experiment.columns.shared_memory() if share else contextlib.nullcontext() as memory:
                    train = _SingleThreadTrainer(memory, experiment_class, config, run_dir, data_dir)
                    used = run_workers(groups, n_workers, train, lambda _, sent: display(*sent))
                    session.workers_memory = used + (memory.used() / 1e9 if memory else 0)
        session.write()
    return len(todo)


def tasks_of_processes(todo, n_workers):
    """Networks that one process trains in turn, those of one fold: it starts and reads the galaxies only once.

    Parameters
    ----------
    todo : list of (int, int)
        Fold and member of each network, fold by fold.
    n_workers : int

    Returns
    -------
    list of list of (int, int)
        The networks of a fold in as many equal parts as there are workers, or one network a part.
    """
    parts = []
    for _, tasks in groupby(todo, key=itemgetter(0)):
        tasks = list(tasks)
        size = -(-len(tasks) // n_workers)
        parts += [tasks[at : at + size] for at in range(0, len(tasks), size)]
    return parts


class _Trainer:
    """Trains one network after another; caches the galaxies of a fold for its members."""

    def __init__(self, experiment_class, config, run_dir, data_dir, strategy):
        self.config, self.run_dir, self.strategy = config, run_dir, strategy
        self.experiment = experiment_class(config, data_dir)
        self.fold_index, self.fold = None, None

    def __call__(self, task, send):
        """Train network (fold, member); `send` is given its progress and finally its last epoch and seconds."""
        fold, member = task
        start = time.monotonic()
        keras.backend.clear_session()  # the graphs of many networks, and the galaxies they hold, would stay in memory
        if fold != self.fold_index:
            self.fold = None  # frees the cache of the fold before
            self.fold_index, self.fold = fold, self.experiment.fold(fold)
        folder, seed = member_dir(self.run_dir, fold, member), member_seed(self.config.seed, fold, member)
        try:
            history = fit(self.fold, folder, seed, self.strategy, on_batch=lambda *batch: send(batch))
        except tf.errors.OpError as error:
            if "No space left" in error.message:
                raise OSError(reason_and_remedy(OSError(error.message), folder)) from error
            raise RuntimeError(
                f"{folder}: TensorFlow failed ({error.message}); if a file of {self.experiment.builder.data_dir} is "
                "damaged, build the dataset again with --overwrite"
            ) from error
        send((history[-1], time.monotonic() - start))


class _SingleThreadTrainer:
    """Trains networks in turn, in a worker process with one thread."""

    def __init__(self, memory, *arguments):
        self.memory, self.arguments = memory, arguments

    def __call__(self, tasks, send):
        """Train networks (fold, member); `send` is given (task, what a `_Trainer` sends)."""
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        trainer = _Trainer(*self.arguments, choose_strategy("none"))
        if self.memory:
            trainer.experiment.columns.share(self.memory)
        for task in tasks:
            trainer(task, lambda message, task=task: send((task, message)))


class _Display:
    """Progress bar of the networks in training, and one line for each finished network."""

    def __init__(self, bar, session):
        self.bar, self.session, self.running = bar, session, {}

    def __call__(self, task, message):
        name = self.session.experiment.member_name(*task)
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
            shown = [key for key in last if "loss" in key or "validation" in key]
            scores = [f"{key.replace('_', ' ')} {last[key]:.4f}" for key in shown]
            self.bar.write(f"{name}: {', '.join(scores)}, {seconds:.0f} s")


def member_seed(seed, fold, member):
    """Seed of one network: adding a member or a fold changes no other."""
    return int(np.random.SeedSequence([seed, fold, member]).generate_state(1)[0] >> 1)


def counterpart(paths, config_seed, fold, seed, run_dir, is_shared=False, first=0):
    """Network of another run that a network starts from: the one of the same fold and number.

    Parameters
    ----------
    paths : list of Path
        Finished networks of that run in the fold, in order.
    config_seed, fold : int
    seed : int
        From `member_seed`, of the network that is to be trained.
    run_dir : path-like
        The other run, for messages.
    is_shared : bool
        Whether its first network is the start of all.
    first : int
        Which of `paths`, in turn, is the one of number 0.

    Raises
    ------
    ValueError
        If that run has no network of this number.
    """
    seeds = [member_seed(config_seed, fold, member) for member in range(len(paths))]
    if seed in seeds or is_shared and paths:
        return paths[0 if is_shared else (seeds.index(seed) + first) % len(paths)]
    raise ValueError(
        f"{run_dir}: has {len(paths)} finished networks of fold {fold}, and each network starts from the one of its "
        "number; ask for no more, or finish that run"
    )


class _Session:
    """Record of one `train` command in `sessions.json`: networks requested, and time and memory used so far."""

    def __init__(self, run_dir, config, experiment, n_members, n_folds):
        self.run_dir, self.config, self.experiment = run_dir, config, experiment
        self.n_members, self.n_folds = n_members, n_folds
        self.start, self.n_trained, self.workers_memory = time.time(), 0, 0.0
        self.earlier = read_sessions(run_dir)
        self.write()

    def galaxies_of(self, todo):
        """Number of galaxies left to train on, over all networks and epochs."""
        iterations = 0
        for fold, member in todo:
            history = read_history(member_dir(self.run_dir, fold, member))
            iterations += self._length(fold)[0] - (history[-1]["iterations"] if history else 0)
        return iterations * self.config.data.batch_size

    def network_finished(self):
        self.n_trained += 1
        self.write()

    def _length(self, fold):
        return training_length(self.config, self.experiment.n_training(fold))

    def write(self):
        own_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
        session = {
            "started": datetime.fromtimestamp(self.start, UTC).isoformat(timespec="seconds"),
            "n_members": self.n_members,
            "n_folds": self.n_folds,
            "n_epochs": self._length(0)[1],
            "n_training": [self.experiment.n_training(fold) for fold in range(self.n_folds)],
            "n_trained": self.n_trained,
            "seconds": round(time.time() - self.start, 1),
            "peak_memory_gb": round(own_memory + self.workers_memory, 2),
        }
        write_sessions(self.run_dir, [*self.earlier, session])
