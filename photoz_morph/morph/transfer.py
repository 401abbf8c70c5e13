"""The run whose classifiers a transfer starts from: checks, and weights for images of another size or unit.

The split of a galaxy is a hash of its `group_id`, so the test galaxies of one dataset are unknown to the networks of
another one, if the same galaxy has the same `group_id` in both.
"""

from dataclasses import replace
from pathlib import Path

import keras

from photoz_morph.config import differing_keys
from photoz_morph.models.loading import load_members
from photoz_morph.morph.config import MorphConfig
from photoz_morph.runs.folder import check_source, finished_members, read_run, weights_hash
from photoz_morph.training.ensemble import counterpart, member_seed
from photoz_morph.transfer.sizes import centred_rows

HEAD = "logits"


def transferred_config(config, run_dir):
    """Config of a transfer: that given, with the network and the scaling of a run.

    Parameters
    ----------
    config : MorphConfig
    run_dir : path-like
        The run to start from.

    Returns
    -------
    MorphConfig

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run, or its networks do not fit the config.
    """
    check_source(run_dir, "morph")
    source = read_run(run_dir, MorphConfig)[0]
    transfer = replace(config.transfer, source=str(Path(run_dir).resolve()))
    changed = replace(config, model=source.model, scaling=source.scaling, transfer=transfer)
    try:
        changed.check()
    except ValueError as error:
        raise ValueError(f"{run_dir}: {error}") from error
    return changed


class Source:
    """The run that the networks of a config start from.

    Parameters
    ----------
    config : MorphConfig
        From `transferred_config`.
    builder : tfds builder
        Of its dataset.

    Attributes
    ----------
    keeps_scaling : bool
        Whether images are in the unit of those of the source, so that a fainter one stays a fainter one.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run with finished networks, or they are other ones or of other classes.
    """

    def __init__(self, config, builder):
        self.run_dir, self.config = config.transfer.source, config
        check_source(self.run_dir, "morph")
        self._config, self._trained_on = read_run(self.run_dir, MorphConfig)
        self._paths = finished_members(self.run_dir, MorphConfig)[0]
        keys = [key for key in differing_keys(self._config, config) if key.startswith(("model.", "scaling."))]
        norms = [choice.train.batch_norm == "domain" for choice in (self._config, config)]
        keys += ["train.batch_norm"] * (norms[0] != norms[1])
        if keys:
            raise ValueError(
                f"{self.run_dir}: its networks have another {', '.join(keys)}; a transfer takes the network of its "
                "source: give the same"
            )
        if self._config.class_names != config.class_names and config.transfer.head == "source":
            raise ValueError(
                f"{self.run_dir}: was trained on the classes {', '.join(self._config.class_names)}; give the same "
                "data.classes, or set transfer.head=new"
            )
        self.keeps_scaling = str(self._trained_on["name"]).split("/")[0] == builder.name

    def description(self):
        """What the run folder says of the start of its networks."""
        return {
            "run": str(Path(self.run_dir).resolve()),
            "dataset": self._trained_on["name"],
            "data_id": self._trained_on.get("content_hash") or "",
            "weights": [weights_hash(path) for path in self._paths],
        }

    def check(self, n_members):
        """Raise a ValueError if there is no start for one of the networks, before any is trained."""
        for member in range(n_members):
            self._path(member_seed(self.config.seed, 0, member))

    def give_weights(self, classifier, seed):
        """Give a classifier the weights of the network that it starts from.

        Parameters
        ----------
        classifier : keras.Model
        seed : int
            Of its training.

        Raises
        ------
        ValueError
            If the saved network cannot be read, or is of images of other bands.
        """
        path = self._path(seed)
        source = load_members([path])[0]
        old, new = (network.input["image"].shape[1:] for network in (source, classifier))
        if old[-1] != new[-1]:
            raise ValueError(f"{path}: is of images in {old[-1]} bands, those of the dataset have {new[-1]}")
        for layer in classifier.layers:
            if layer.name == HEAD and self.config.transfer.head == "new":
                continue
            weights = source.get_layer(layer.name).get_weights()
            if weights and isinstance(layer, keras.layers.Dense) and weights[0].shape != layer.kernel.shape:
                flat = next(each.name for each in source.layers if isinstance(each, keras.layers.Flatten))
                sides = [network.get_layer(flat).input.shape[1:] for network in (source, classifier)]
                weights[0] = centred_rows(weights[0], *sides)
            layer.set_weights(weights)

    def _path(self, seed):
        first = self.config.transfer.first
        return counterpart(self._paths, self.config.seed, 0, seed, self.run_dir, first=first)
