"""Files of predictions that are reported together, by the names that the page calls them."""

from photoz_morph.blend.baselines.tuning import METRICS
from photoz_morph.blend.predictions import read_blend_predictions
from photoz_morph.datasets.reading import content_hash

PREDICTIONS = "predictions.fits"
BASELINE = "baseline_sep"


def files_of(paths):
    """Files by their names: that of the folder of a run, or that of another file.

    Raises
    ------
    FileNotFoundError
        If a run has no predictions.
    ValueError
        If two have the same name.
    """
    paths = [path / PREDICTIONS if path.is_dir() else path for path in paths]
    names = [path.parent.name if path.name == PREDICTIONS else path.stem for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two predictions of a report are named {', '.join(twice)}; rename the folder or file of one")
    for path in paths:
        if path.name == PREDICTIONS and not path.exists():
            raise FileNotFoundError(f"{path}: no such file; predict the test images of {path.parent} first")
    return dict(zip(names, paths))


def configs_of(files):
    """Text of the config of each run, by its name."""
    configs = {name: path.with_name("config.yaml") for name, path in files.items()}
    return {name: path.read_text() for name, path in configs.items() if path.exists()}


def read_sep(folder, is_needed):
    """Predictions of `sep` by the metric it was tuned for, and the reason why there are none.

    Raises
    ------
    FileNotFoundError
        If there are none and they are needed.
    """
    found = {metric: read_blend_predictions(path) for metric in METRICS if (path := folder / f"{metric}.fits").exists()}
    if found:
        return found, ""
    reason = f"{folder}: no predictions of sep in it, `blend baseline` of the dataset writes them"
    if is_needed:
        raise FileNotFoundError(f"{reason}; give their folder with --baseline")
    return {}, reason


def check_dataset(name, meta, builder):
    """Raise a ValueError if predictions are of another dataset."""
    data_id, own = meta.get("data_id"), content_hash(builder)
    if data_id and own and data_id != own:
        raise ValueError(f"{name}: predictions of dataset {data_id}, {builder.data_dir} is {own}; predict its images")
