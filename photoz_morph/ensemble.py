"""Members x folds: which networks a run trains, one after the other, into a run folder."""

import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph import pipeline
from photoz_morph.run_folder import member_dir, start_run
from photoz_morph.training import choose_strategy, fit

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
    start_run(run_dir, config, dataset, [device.name for device in tf.config.list_logical_devices()])
    strategy = choose_strategy(strategy)
    todo = [
        (fold, member)
        for fold in range(n_folds)
        for member in range(n_members)
        if not (member_dir(run_dir, fold, member) / "model.keras").exists()
    ]
    total = sum(_galaxies_to_see(config, builder, fold) for fold, _ in todo)
    with tqdm(total=total, unit=" galaxies", unit_scale=True, disable=not progress, mininterval=1) as bar:
        data = _FoldData(config, builder)
        for fold, member in todo:
            start = time.monotonic()
            train, validation, sample = data.of(fold)

            def show(epoch, n_epochs, loss, n_galaxies):
                bar.set_description(
                    f"fold {fold + 1}/{n_folds} member {member + 1}/{n_members} epoch {epoch}/{n_epochs} "
                    f"loss {loss:.3f}",
                    refresh=False,
                )
                bar.update(n_galaxies)

            seed = member_seed(config.seed, fold, member)
            keras.backend.clear_session()  # thirty graphs would otherwise stay in memory
            history = fit(config, member_dir(run_dir, fold, member), train, validation, sample, seed, strategy, show)
            if progress:
                bar.write(
                    f"fold {fold + 1} member {member + 1}: loss {history[-1]['loss']:.3f}, validation loss "
                    f"{history[-1]['validation_loss']:.3f}, sigma_MAD {history[-1]['validation_sigma_mad']:.4f}, "
                    f"{time.monotonic() - start:.0f} s"
                )
    return len(todo)


def member_seed(seed, fold, member):
    """Seed of one network: adding a member or a fold changes no other."""
    return int(np.random.SeedSequence([seed, fold, member]).generate_state(1)[0] >> 1)


def _galaxies_to_see(config, builder, fold):
    """Galaxies one network of a fold is shown in all its epochs, for the progress bar."""
    splits = pipeline.cross_validation_splits(builder, fold, config.data.n_validation)
    steps = pipeline.n_galaxies(builder, splits.train) // config.data.batch_size
    return (config.train.iterations or config.train.epochs * steps) * config.data.batch_size


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
