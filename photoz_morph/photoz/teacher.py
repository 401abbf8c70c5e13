"""The ensemble of a run as the teacher of one network, whose target is its mean PDF (Hinton et al. 2015).

One network costs a sixth of an ensemble of six wherever it is used. Like its pupil, the teacher of a fold was trained
on the other folds, so no test galaxy is known to either. The mean PDF is that of the galaxies as they are; the pupil
sees them augmented.
"""

import numpy as np
import tensorflow as tf

from photoz_morph.catalogs.depth import at_depth
from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE, load_members
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.runs.folder import finished_members, read_run


class Teacher:
    """A run whose networks teach.

    Parameters
    ----------
    run_dir : path-like
    config : PhotozConfig
        Of the pupil.
    builder : tfds builder
        Its dataset.

    Raises
    ------
    FileNotFoundError
        If there is no such run, or none of its networks is finished.
    ValueError
        If its redshifts, survey or dataset are others than the pupil's, or it knows galaxies that validate the pupil.
    """

    def __init__(self, run_dir, config, builder):
        self.run_dir, self._builder = run_dir, builder
        self._config, trained_on = read_run(run_dir, PhotozConfig)
        self._members = finished_members(run_dir, PhotozConfig)
        self.observing = self._config.model.observing
        for key in ("redshift", "survey"):
            if getattr(self._config, key) != getattr(config, key):
                raise ValueError(f"{run_dir}: was trained with another {key} than the network that it is to teach")
        if self._config.data.n_validation < config.data.n_validation:
            raise ValueError(
                f"{run_dir}: was trained with data.n_validation {self._config.data.n_validation}, so it knows some of "
                f"the {config.data.n_validation} that are to validate the network that it teaches; give no more"
            )
        same_sizes = trained_on["galaxies_per_fold"] == dataset.split_sizes(builder)
        hashes = trained_on.get("content_hash"), reading.content_hash(builder)
        if not same_sizes or (None not in hashes and hashes[0] != hashes[1]):
            raise ValueError(
                f"{run_dir}: was trained on other galaxies than {builder.data_dir} has, so it may know those of a test "
                "fold; give the dataset of that run"
            )

    def pdfs(self, fold, split, depth, columns):
        """Mean PDFs of the training galaxies of a fold.

        Parameters
        ----------
        fold : int
        split : str
            Split expression of the galaxies.
        depth : {"all", "deep", "shallow"}
        columns : KeptGalaxies
            From `dataset.training_columns`, with the teacher's observing conditions.

        Returns
        -------
        TaughtPdfs
        """
        if fold not in self._members:
            raise ValueError(f"{self.run_dir}: no network of fold {fold} is finished, to teach that of this fold")
        members = load_members(self._members[fold])
        predict = tf.function(lambda batch: tf.add_n([member(batch) for member in members]), reduce_retracing=True)
        batches = dataset.image_batches(self._builder, split, BATCH_SIZE, depth, columns, self.observing)
        pdf = np.concatenate([predict(batch).numpy() / len(members) for batch in batches])
        values = columns(split)
        return TaughtPdfs(values["obj_id"][at_depth(values["n_frames"], depth)], pdf)


class TaughtPdfs:
    """Target PDFs of galaxies by their `obj_id`.

    Parameters
    ----------
    obj_id : ndarray, shape (n,)
    pdf : ndarray, shape (n, n_bins)
    """

    def __init__(self, obj_id, pdf):
        order = np.argsort(obj_id)
        self._obj_id, self._pdf = np.asarray(obj_id)[order], np.asarray(pdf, np.float32)[order]

    def __call__(self, batch):
        """Targets of a batch of galaxies, tensor of shape (n, n_bins)."""
        # A tensor of all PDFs would be copied into the graph of every epoch.
        pdf = tf.numpy_function(
            lambda obj_id: self._pdf[np.searchsorted(self._obj_id, obj_id)], [batch["obj_id"]], tf.float32
        )
        return tf.ensure_shape(pdf, (None, self._pdf.shape[1]))
