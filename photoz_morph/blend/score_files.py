"""Scores of files of predictions, each with the truth of the images that it is of."""

from pathlib import Path

from photoz_morph.blend.dataset import open_dataset, read_scenes
from photoz_morph.blend.deblended import is_deblended_file, read_deblended
from photoz_morph.blend.deblending_scores import evaluate_deblended, middle_detections
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.blend.maps.predictions import answer_of, read_map_predictions
from photoz_morph.blend.maps.scores import evaluate_answers
from photoz_morph.blend.maps.truth import read_truth
from photoz_morph.blend.predictions import read_blend_predictions
from photoz_morph.datasets.reading import content_hash
from photoz_morph.system.json_files import read_json

DATA_DIR = "blend_data"  # where no run says which dataset it was


def evaluate_files(path, against=(), data_dir=None, purity=0.95, radius=4.0, n_bootstrap=1000, seed=0):
    """Score a file of predictions, and others of the same images.

    Parameters
    ----------
    path : path-like
        Sources found in images, deblended galaxies, or maps, fields or parameters.
    against : dict of str to path-like
        Name -> file. Beside deblended galaxies, sources found in the same pairs may stand: those in the middle count.
    data_dir : path-like, optional
        Prepared dataset; by default that of the run folder in which the file is, or blend_data.
    purity, radius, n_bootstrap, seed
        As of `evaluation.evaluate_blend`.

    Returns
    -------
    dict
        As from `evaluation.evaluate_blend`, `deblending_scores.evaluate_deblended` or `maps.scores.evaluate_answers`;
        with others also `against`, their scores by name.

    Raises
    ------
    ValueError
        If the files are of different datasets or images, or of another dataset than that in `data_dir`.
    """
    if answer_of(path):
        return _evaluate_answers(path, dict(against), data_dir, n_bootstrap, seed)
    is_deblended = is_deblended_file(path)
    first = (read_deblended if is_deblended else read_blend_predictions)(path)
    meta = first.meta if is_deblended else first.table.meta
    scenes = None

    def truths():
        """Scenes of the images, read once and only if they are needed."""
        nonlocal scenes
        if scenes is None:
            builder = open_dataset(data_dir or _dataset_of_run(path) or DATA_DIR, meta["dataset"])
            _check_dataset(path, meta, builder)
            scenes = list(read_scenes(builder, meta.get("split", "test")))
        return scenes

    if is_deblended:
        scores = evaluate_deblended(first, n_bootstrap, seed)
    else:
        scores = evaluate_blend(first, truths(), purity, radius, n_bootstrap, seed)
    others = {}
    for name, other in dict(against).items():
        if is_deblended and is_deblended_file(other):
            table = read_deblended(other)
            _check_same(path, meta, other, table.meta)
            others[name] = evaluate_deblended(table, n_bootstrap, seed)
            continue
        if not is_deblended and is_deblended_file(other):
            raise ValueError(f"{other}: holds deblended galaxies, {path} sources; compare files of one kind")
        predictions = read_blend_predictions(other)
        _check_same(path, meta, other, predictions.table.meta)
        if is_deblended:
            others[name] = evaluate_deblended(middle_detections(predictions, truths(), radius), n_bootstrap, seed)
        else:
            others[name] = evaluate_blend(predictions, truths(), purity, radius, n_bootstrap, seed)
    return scores | ({"against": others} if others else {})


def _evaluate_answers(path, against, data_dir, n_bootstrap, seed):
    """Scores of maps, fields or parameters; arguments of `evaluate_files`."""
    predictions = {name: read_map_predictions(file) for name, file in {None: path, **against}.items()}
    first = predictions.pop(None)
    meta = first.table.meta
    for name, other in predictions.items():
        if other.answer != first.answer:
            raise ValueError(f"{against[name]}: holds {other.answer}, {path} {first.answer}; compare files of one kind")
        _check_same(path, meta, against[name], other.table.meta)
    builder = open_dataset(data_dir or _dataset_of_run(path) or DATA_DIR, meta["dataset"])
    _check_dataset(path, meta, builder)
    truth = read_truth(builder, first.answer, meta["split"])
    scores = evaluate_answers(first, truth, n_bootstrap, seed)
    others = {name: evaluate_answers(other, truth, n_bootstrap, seed) for name, other in predictions.items()}
    return scores | ({"against": others} if others else {})


def _dataset_of_run(path):
    """Path of the dataset of the run folder in which a file is, None if it is in none."""
    description = Path(path).resolve().parent / "dataset.json"
    return read_json(description, ("path",))["path"] if description.exists() else None


def _check_dataset(path, meta, builder):
    """Raise a ValueError unless the predictions are of images of this dataset."""
    found = content_hash(builder)
    if meta.get("data_id") and found != meta["data_id"]:
        raise ValueError(
            f"{path}: predictions for images of content {meta['data_id'][:8]}, {builder.data_dir} has {found[:8]}; "
            "give the dataset with --data-dir"
        )


def _check_same(path, meta, other, other_meta):
    """Raise a ValueError unless two files are of the same images."""
    for key, default in (("dataset", None), ("data_id", None), ("split", "test")):
        values = meta.get(key, default), other_meta.get(key, default)
        if values[0] != values[1]:
            raise ValueError(
                f"{other}: {key} is {str(values[1])[:16]}, that of {path} {str(values[0])[:16]}; compare predictions "
                "of the same images"
            )
