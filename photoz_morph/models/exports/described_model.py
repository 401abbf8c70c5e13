"""An export loaded with its description, what those of all chains have in common."""

from pathlib import Path

from photoz_morph.models.exports.saved_model import load_saved_model, model_hash, read_description
from photoz_morph.system.provenance import code_version, described_facts


class DescribedModel:
    """A SavedModel with its `estimator.json`.

    Parameters
    ----------
    folder : path-like
        From an `export`.
    task : {"photoz", "morph", "blend"}
        Chain that it must be of.
    needed : sequence of str
        Keys that its description must have.

    Attributes
    ----------
    folder : Path
    description : dict
        Content of `estimator.json`.
    model_id : str
        See `saved_model.model_hash`.
    trained_on : dict
        Facts of the training images, see `system.provenance.described_facts`.

    Raises
    ------
    FileNotFoundError
        If `folder` holds no exported model.
    ValueError
        If the model is damaged, of another chain, or its description lacks a key.
    """

    def __init__(self, folder, task, needed=()):
        self.folder, path = Path(folder), Path(folder) / "estimator.json"
        self.description = read_description(folder, task)
        if self.description.get("task", task) != task:  # the oldest exports do not say
            raise ValueError(f"{path}: not a model of {task}; give the folder of a `{task} export`")
        missing = [key for key in needed if key not in self.description]
        if missing:
            raise ValueError(f"{path}: {', '.join(missing)} missing; export the model again")
        self._understand()
        self._model = load_saved_model(folder)
        self.model_id = self.description.get("model_id") or model_hash(folder)  # older exports do not say
        self.trained_on = described_facts(self.description)

    def _understand(self):
        """What a chain reads and checks of the description, before the networks are loaded."""

    def __reduce__(self):
        return type(self), (self.folder.absolute(),)  # another process loads it

    def provenance(self):
        """Keys of the model for the header of what it gives; see `system.provenance`."""
        return {
            "code": code_version(), "model_id": self.model_id, "data_id": self.description.get("data_id") or "",
            **{key: self.trained_on[key] for key in ("survey", "bands", "unit") if key in self.trained_on},
        }  # fmt: skip
