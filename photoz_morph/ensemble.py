"""Members x folds: which networks a run trains, one after the other, into a run folder."""

import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph import pipeline
from photoz_morph.run_folder import locked, member_dir, read_history, read_sessions, start_run, write_sessions
from photoz_morph.training import choose_strategy, fit, training_length

N_ADAPTATION = 2000  # training galaxies the whitening of the aperture fluxes is measured on; our choice


def train_ensemble(config, run_dir, data_dir, n_members, n_folds, strategy="auto", progress=True):
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
        See `choose_strategy`.
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
        start_run(run_dir, config, dataset, [device.name for device in tf.config.list_logical_devices()])
        todo = [
            (fold, member)
            for fold in range(n_folds)
            for member in range(n_members)
            if not (member_dir(run_dir, fold, member) / "model.keras").exists()
        ]
        session = _Session(run_dir, config, builder, n_members, n_folds)
        with tqdm(total=session.galaxies_of(todo), unit=" galaxies", unit_scale=True, disable=not progress) as bar:
            _train_members(todo, config, run_dir, builder, choose_strategy(strategy), bar, session)
    return len(todo)


def _train_members(todo, config, run_dir, builder, strategy, bar, session):
    """Train the networks (fold, member) one after the other, and show where it stands."""
    data = _FoldData(config, builder)
    for fold, member in todo:
        start = time.monotonic()
        train, validation, sample = data.of(fold)

        def show(epoch, n_epochs, loss, n_galaxies):
            where = f"fold {fold + 1}/{session.n_folds} member {member + 1}/{session.n_members} epoch {epoch}/{n_epochs}"
            bar.set_description(f"{where} loss {loss:.3f}", refresh=False)
            bar.update(n_galaxies)

        seed = member_seed(config.seed, fold, member)
        keras.backend.clear_session()  # thirty graphs would otherwise stay in memory
        last = fit(config, member_dir(run_dir, fold, member), train, validation, sample, seed, strategy, show)[-1]
        session.network_finished()
        if not bar.disable:
            bar.write(
                f"fold {fold + 1} member {member + 1}: loss {last['loss']:.3f}, validation loss "
                f"{last['validation_loss']:.3f}, sigma_MAD {last['validation_sigma_mad']:.4f}, "
                f"{time.monotonic() - start:.0f} s"
            )


def member_seed(seed, fold, member):
    """Seed of one network: adding a member or a fold changes no other."""
    return int(np.random.SeedSequence([seed, fold, member]).generate_state(1)[0] >> 1)


class _Session:
    """What one `photoz train` was asked for and has taken so far, kept in `sessions.json`."""

    def __init__(self, run_dir, config, builder, n_members, n_folds):
        self.run_dir, self.config, self.builder = run_dir, config, builder
        self.n_members, self.n_folds = n_members, n_folds
        self.start, self.n_trained = time.time(), 0
        self.earlier = read_sessions(run_dir)
        self._write()

    def galaxies_of(self, todo):
        """Galaxies the networks are still to be shown."""
        iterations = 0
        for fold, member in todo:
            history = read_history(member_dir(self.run_dir, fold, member))
            iterations += self._length(fold)[0] - (history[-1]["iterations"] if history else 0)
        return iterations * self.config.data.batch_size

    def network_finished(self):
        self.n_trained += 1
        self._write()

    def _length(self, fold):
        splits = pipeline.cross_validation_splits(self.builder, fold, self.config.data.n_validation)
        return training_length(self.config, pipeline.n_galaxies(self.builder, splits.train))

    def _write(self):
        session = {
            "started": datetime.fromtimestamp(self.start, UTC).isoformat(timespec="seconds"),
            "n_members": self.n_members,
            "n_folds": self.n_folds,
            "n_epochs": self._length(0)[1],
            "n_trained": self.n_trained,
            "seconds": round(time.time() - self.start, 1),
            "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),  # kB on Linux
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
        sample = next(pipeline.image_batches(builder, splits.train, N_ADAPTATION).as_numpy_iterator())
        sample = {"images": sample["image"], "ebv": sample["ebv"]}
        return train, validation, sample
