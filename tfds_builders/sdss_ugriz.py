"""TFDS dataset of the stacks of a survey and their table, with one split per fold; `photoz build` writes it."""

import functools
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from photoz_morph.catalogs.folds import N_FOLDS, assign_fold, storage_order
from photoz_morph.catalogs.per_band import PER_BAND, PER_GALAXY, check_quantities, gather, per_galaxy
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS, survey_to_dict
from photoz_morph.system.provenance import code_version, image_facts
from tfds_builders.examples import ExampleBuilder, build_parts, check_ids

FOLDS = tuple(f"fold_{fold}" for fold in range(N_FOLDS))


class SdssUgriz(ExampleBuilder):
    """Stacks of galaxies with spectroscopic redshift, in splits `fold_0` ... `fold_4`: *ugriz* of SDSS.

    `builder_class` gives the same builder for the bands and stamps of any other survey.

    A galaxy's fold is the stable hash of its `group_id`, so all copies of a galaxy share a split and a galaxy keeps
    its fold when others are added. Inside a fold the galaxies of a group are stored side by side, and the groups in
    the order of another hash (`folds.storage_order`), so that a slice of a fold is a choice of groups. The galaxies
    come from the partitions of a source (`photoz_morph.sources`), by default from what `manual_dir` holds.
    """

    splits = FOLDS
    facts = {"origin": "stacked"}  # or "simulated": every number made from the dataset repeats it
    survey = SDSS
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make shards with `photoz simulate` or `photoz stack`."

    def _info(self):
        per_band = tfds.features.Tensor(shape=(self.survey.n_bands,), dtype=np.float32)
        # The numbers of SDSS are those of the paper; its datasets never held them.
        described = {} if self.survey == SDSS else {"survey": survey_to_dict(self.survey)}
        # As bytes: a TFRecord's list of floats has single precision only, 0.1" at RA 350.
        double = tfds.features.Tensor(shape=(), dtype=np.float64, encoding="bytes")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    # Raw bytes are written 14 times faster than a list of floats and take no more space.
                    "image": tfds.features.Tensor(shape=self.survey.image_shape, dtype=np.float32, encoding="bytes"),
                    "ebv": np.float32,  # [mag]
                    "z_spec": double,
                    "obj_id": np.int64,
                    "group_id": np.int64,
                    "ra": double,  # [deg]
                    "dec": double,  # [deg]
                    # NaN where the table of the stacks has no such column; see ARCHITECTURE.md, section 4.
                    **{name: per_band for name in PER_BAND},
                    **{name: np.float32 for name in PER_GALAXY},
                }
            ),
            supervised_keys=None,
            metadata=tfds.core.MetadataDict(order="group_id", **self.facts, **described),
            disable_shuffling=True,  # sort by the key, not by its hash
            citation="Pasquet et al. 2019, A&A 621, A26",
        )

    def _split_generators(self, dl_manager):
        if not (self._examples or self._pipeline):
            partitions = open_source(dl_manager.manual_dir, self.survey).partitions
            read = functools.partial(partition_examples, bands=self.survey.bands)
            self._examples = lambda split: (found for partition in partitions for found in read(partition, (split,)))
        return super()._split_generators(dl_manager)


def partition_examples(partition, splits=FOLDS, *, bands, only=None, unlabelled=False):
    """Iterate over the usable galaxies of one partition in some folds: name of the split, key of the order, example.

    With the first fold, what is read is compared with its checksums; once is enough.

    Parameters
    ----------
    partition : object
        Of a source; see `photoz_morph.sources.source`.
    splits : sequence of str
        Names of folds.
    bands : tuple of str
        Bands of the survey.
    only : ndarray of int, optional
        `obj_id` of the galaxies that may be used, sorted.
    unlabelled : bool
        Whether to take galaxies without `z_spec`, too.
    """
    table = partition.read_table()
    wanted = usable(table, unlabelled) & _is_wanted(table, only)
    rows = np.flatnonzero(wanted & np.isin(np.array(FOLDS)[assign_fold(table["group_id"])], splits))
    with_checksum = FOLDS[0] in splits
    if len(rows) == 0 and not with_checksum:
        return
    images, table = partition.read(rows, with_checksum)
    quantities = _quantities(table, bands, partition.name)
    keys, fold_of = storage_order(table["group_id"], table["obj_id"]), assign_fold(table["group_id"])
    for index in np.flatnonzero(table["flag"] == 0):  # a pixel that is not finite is found only now
        row = table[index]
        example = {name: row[name].item() for name in ("ebv", "z_spec", "obj_id", "group_id", "ra", "dec")}
        example |= {name: values[index] for name, values in quantities.items()}
        example["image"] = images[index]
        yield FOLDS[fold_of[index]], keys[index], example


def _is_wanted(table, only):
    """True for the galaxies of a choice, shape (n,)."""
    return np.ones(len(table), bool) if only is None else np.isin(table["obj_id"], only)


def builder_class(survey):
    """Builder class of the dataset of a survey, whose name is `survey.dataset_name`."""
    if survey == SDSS:
        return SdssUgriz
    facts = {"name": survey.dataset_name, "survey": survey, "__module__": __name__}
    return type("".join(map(str.title, survey.dataset_name.split("_"))), (SdssUgriz,), facts, skip_registration=True)


def _quantities(table, bands, source):
    """Values of `PER_BAND`, shape (n, n_bands), and `PER_GALAXY`, shape (n,), float32; NaN where there are none."""
    found = {name: gather(table, name, bands, source) for name in PER_BAND}
    found |= {name: per_galaxy(table, name, source) for name in PER_GALAXY}
    shapes = dict.fromkeys(PER_BAND, (len(table), len(bands)))
    return {
        name: np.full(shapes.get(name, len(table)), np.nan, np.float32) if values is None else values.astype(np.float32)
        for name, values in found.items()
    }


def usable(table, unlabelled=False):
    """True for rows with a good stack, E(B-V) and, unless `unlabelled`, a spectroscopic redshift; shape (n,)."""
    return (table["flag"] == 0) & (np.isfinite(table["z_spec"]) | unlabelled) & np.isfinite(table["ebv"])


def build(
    source, data_dir, overwrite=False, progress=True, pipeline=None, survey=None, origin=None, only=None,
    unlabelled=False,
):  # fmt: skip
    """Build the dataset from galaxy images of any format.

    Parameters
    ----------
    source : path-like
        Folder of shards, or what else `photoz_morph.sources.formats.open_source` takes, which has `survey` and `origin`
        too.
    data_dir : path-like
        The dataset is written to data_dir/sdss_ugriz/1.0.0, or the `dataset_name` of the stacks' survey.
    overwrite : bool
        Whether to replace an existing dataset.
    progress : bool
        Whether to show a progress bar.
    pipeline : callable, optional
        (partitions, read, digest, number of examples) to the `photoz_morph.beam.build.BeamBuild` that makes the
        examples; by default this process does.
    survey : Survey or str, optional
    origin : str, optional
    only : ndarray of int, optional
        `obj_id` of the galaxies that may be used; by default all.
    unlabelled : bool
        Whether to keep galaxies without `z_spec`, for pre-training.

    Returns
    -------
    dict of str to int
        Galaxies in the dataset, and rows left out for each reason.

    Raises
    ------
    FileNotFoundError
        If there are no images.
    ValueError
        If the dataset exists, a file is broken or of another survey, two rows share an obj_id, simulated and stacked
        shards are mixed, no row is usable, or a fold would be empty. An existing dataset is kept on error.
    """
    # Workers of a pipeline may have another working folder.
    opened = open_source(Path(source).absolute() if pipeline else source, survey, origin)
    only = None if only is None else np.sort(np.asarray(only, np.int64))
    counts = _check_tables(opened, source, only, unlabelled)
    read = functools.partial(partition_examples, bands=opened.survey.bands, only=only, unlabelled=unlabelled)
    # Rows that are flagged for their pixels are not known before these are read.
    is_known = all(getattr(partition, "knows_flags", False) for partition in opened.partitions)
    total = counts["galaxies"] if is_known or not pipeline else None
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    builder = build_parts(
        builder_class(opened.survey), {"origin": opened.origin, **_facts(opened)}, opened.partitions, read, total,
        folder, data_dir, overwrite, progress, pipeline,
    )  # fmt: skip
    n_galaxies = sum(split.num_examples for split in builder.info.splits.values())
    counts["flagged"] += counts["galaxies"] - n_galaxies
    return counts | {"galaxies": n_galaxies}


def _facts(source):
    """Facts of the images and the code, for the metadata, which describe the survey as a whole."""
    facts = image_facts(source.survey, **source.facts, code=code_version())
    return {key: value for key, value in facts.items() if key not in ("survey", "size")}


def _check_tables(source, path, only, unlabelled):
    """Counts of rows, after the checks that need no pixels."""
    ids, groups, seen = [], [], {"flagged": 0, "without z_spec": 0, "without E(B-V)": 0}
    if only is not None:
        seen["not selected"] = 0
    for partition in source.partitions:
        table = partition.read_table()
        # Before TFDS, whose message would be the whole example.
        check_quantities(table, source.survey.bands, getattr(partition, "path", path))
        wanted = _is_wanted(table, only)
        if only is not None:
            seen["not selected"] += int(np.sum(~wanted))
        good = wanted & (np.asarray(table["flag"]) == 0)
        seen["flagged"] += int(np.sum(wanted & ~good))
        seen["without z_spec"] += int(np.sum(good & ~np.isfinite(table["z_spec"]))) * (not unlabelled)
        seen["without E(B-V)"] += int(np.sum(good & ~np.isfinite(table["ebv"])))
        taken = usable(table, unlabelled) & wanted
        ids.append(np.asarray(table["obj_id"])[taken])
        groups.append(np.asarray(table["group_id"])[taken])
    ids = np.concatenate(ids)
    check_ids(path, ids, "drop one of its rows")
    if len(ids) == 0:
        raise ValueError(f"{path}: none of {source.n_rows} rows is usable ({seen})")
    groups = np.unique(np.concatenate(groups))
    per_fold = np.bincount(assign_fold(groups), minlength=N_FOLDS)
    if min(per_fold) == 0:  # TFDS writes no empty split
        raise ValueError(
            f"{path}: {len(groups)} different galaxies fall in {np.sum(per_fold > 0)} of {N_FOLDS} folds; give more "
            "galaxies, a dataset needs some in each"
        )
    return {"galaxies": len(ids), **seen}
