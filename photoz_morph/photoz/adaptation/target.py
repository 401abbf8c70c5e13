"""Target galaxies of an adaptation: another dataset, or another depth of the dataset that is trained on.

Their redshifts are not read. The network of a fold sees no target galaxy of that fold, whose number follows from
`group_id`: no parent of a galaxy that tests it, in either dataset, has been shown to it.
"""

from photoz_morph.datasets import reading
from photoz_morph.datasets.kept_galaxies import KeptGalaxies
from photoz_morph.photoz import dataset
from photoz_morph.photoz.splits import cross_validation_splits


class TargetGalaxies:
    """Unlabelled galaxies that a config adapts its networks to.

    Parameters
    ----------
    config : PhotozConfig
        With an `adaptation`.
    source : tfds builder
        Dataset that is trained on.

    Raises
    ------
    FileNotFoundError
        If there is no dataset in `adaptation.target_dir`.
    ValueError
        If it is of other stacks or other folds, or lacks an observing condition that the network is told.
    """

    def __init__(self, config, source):
        self.config, folder = config, config.adaptation.target_dir
        self.is_another = folder is not None
        self.builder = dataset.open_dataset(folder, config.survey) if self.is_another else source
        n_folds = [len(dataset.split_sizes(builder)) for builder in (source, self.builder)]
        if n_folds[0] != n_folds[1]:
            raise ValueError(
                f"{self.builder.data_dir}: has {n_folds[1]} folds, {source.data_dir} has {n_folds[0]}; build it again"
            )
        observing = config.model.observing
        missing = [name for name in observing if name not in self.builder.info.features]
        if missing:
            raise ValueError(
                f"{self.builder.data_dir}: has no {missing[0]}, which the network is told; build it again, or leave it "
                "out of model.observing"
            )
        self._columns = KeptGalaxies(self.builder, ("obj_id", "ebv", "n_frames", *observing))

    def description(self):
        """What tells the target dataset apart, for the run folder; None if it is the dataset of the training."""
        if not self.is_another:
            return None
        return {
            "name": self.builder.info.full_name,
            "galaxies_per_fold": dataset.split_sizes(self.builder),
            "content_hash": reading.content_hash(self.builder),
        }

    def batches(self, fold):
        """Batches without labels of the galaxies that the networks of a fold may see.

        Parameters
        ----------
        fold : int
            The test fold.

        Returns
        -------
        PhotozBatches

        Raises
        ------
        ValueError
            If there are fewer than a batch.
        """
        config, depth = self.config, self.config.adaptation.target_depth
        # Galaxies that validate a network on the source are of another dataset, or are left out here, too.
        n_validation = 0 if self.is_another else config.data.n_validation
        split = cross_validation_splits(self.builder, fold, n_validation).train
        found = dataset.PhotozBatches(
            self.builder, split, None, config.data.batch_size, depth=depth, columns=self._columns,
            observing=config.model.observing, augmentations=dataset.augmentations_of(config),
        )  # fmt: skip
        if found.steps_per_epoch == 0:
            of_depth = "" if depth == "all" else f"{depth} "
            raise ValueError(
                f"{self.builder.data_dir}: {found.n_galaxies} {of_depth}galaxies to adapt the networks of fold {fold} "
                f"to, fewer than data.batch_size, {found.batch_size}; give more, or lower it"
            )
        return found
