"""TFDS dataset of the stacks of a survey and their table, with one split per fold; `photoz build` writes it."""

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from photoz_morph.catalogs.folds import N_FOLDS, assign_fold, storage_order
from photoz_morph.catalogs.per_band import PER_BAND, PER_GALAXY, check_quantities, gather, per_galaxy
from photoz_morph.shards.stacks import find_shards, read_catalog, read_shard, survey_of, survey_of_folder
from photoz_morph.surveys import SDSS, survey_to_dict
from photoz_morph.system.provenance import code_version, header_facts, joined_facts
from tfds_builders.prepare import ContentHash, example_digest, prepare


class SdssUgriz(tfds.core.GeneratorBasedBuilder):
    """Stacks of galaxies with spectroscopic redshift, in splits `fold_0` ... `fold_4`: *ugriz* of SDSS.

    `builder_class` gives the same builder for the bands and stamps of any other survey.

    A galaxy's fold is the stable hash of its `group_id`, so all copies of a galaxy share a split and a galaxy keeps
    its fold when others are added. Inside a fold the galaxies of a group are stored side by side, and the groups in
    the order of another hash (`folds.storage_order`), so that a slice of a fold is a choice of groups. `manual_dir` is
    a folder of shards (`photoz_morph.shards.stacks`), simulated or stacked.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    survey = SDSS
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Make shards with `photoz simulate` or `photoz stack`."

    def __init__(self, *, origin="stacked", facts=None, on_galaxy=None, pipeline=None, **kwargs):
        self.origin = origin  # "simulated" or "stacked": every number made from the dataset repeats it
        self.facts = facts or {}  # of the images; see `system.provenance`
        self.on_galaxy = on_galaxy or (lambda: None)  # called once a galaxy, for a progress bar
        self.pipeline = pipeline  # a BeamBuild that makes the examples, or None: this process does
        self._content = ContentHash()
        super().__init__(**kwargs)

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
            metadata=tfds.core.MetadataDict(origin=self.origin, order="group_id", **self.facts, **described),
            disable_shuffling=True,  # sort by the key, not by its hash
            citation="Pasquet et al. 2019, A&A 621, A26",
        )

    def _split_generators(self, dl_manager):
        if self.pipeline:
            return self.pipeline.generators([f"fold_{fold}" for fold in range(N_FOLDS)], self.data_dir)
        paths = find_shards(dl_manager.manual_dir)
        return {f"fold_{fold}": self._generate_examples(paths, fold) for fold in range(N_FOLDS)}

    def _generate_examples(self, paths, fold):
        for path in paths:
            for split, key, example in shard_examples(path, (fold,), with_checksum=fold == 0):  # once is enough
                self.on_galaxy()
                self._content.add(split, example)
                yield key, example
        self.info.metadata["content_hash"] = self._content.hexdigest()

    def _process_pipeline_result(self, pipeline_result):
        self._content.add_digest(self.pipeline.digest(self.data_dir))
        self.info.metadata["content_hash"] = self._content.hexdigest()


def shard_examples(path, folds=range(N_FOLDS), with_checksum=True):
    """Iterate over the usable galaxies of one shard in some folds: name of the split, key of the order, example."""
    table, header = read_catalog(path)
    rows = np.flatnonzero(usable(table) & np.isin(assign_fold(table["group_id"]), folds))
    images, table, _ = read_shard(path, rows, with_checksum=with_checksum)
    quantities = _quantities(table, survey_of(path, header).bands, path)
    keys = storage_order(table["group_id"], table["obj_id"])
    for index, (fold, key, image, row) in enumerate(zip(assign_fold(table["group_id"]), keys, images, table)):
        example = {name: row[name].item() for name in ("ebv", "z_spec", "obj_id", "group_id", "ra", "dec")}
        example |= {name: values[index] for name, values in quantities.items()}
        example["image"] = image
        yield f"fold_{fold}", key, example


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


def usable(table):
    """True for rows with a good stack, a spectroscopic redshift and E(B-V); shape (n,)."""
    return (table["flag"] == 0) & np.isfinite(table["z_spec"]) & np.isfinite(table["ebv"])


def build(stacks_dir, data_dir, overwrite=False, progress=True, pipeline=None):
    """Build the dataset from a folder of shards.

    Parameters
    ----------
    stacks_dir : path-like
        Folder of shards.
    data_dir : path-like
        The dataset is written to data_dir/sdss_ugriz/1.0.0, or the `dataset_name` of the stacks' survey.
    overwrite : bool
        Whether to replace an existing dataset.
    progress : bool
        Whether to show a progress bar.
    pipeline : callable, optional
        (partitions, read, digest, number of examples) to the `photoz_morph.beam.build.BeamBuild` that makes the
        examples; by default this process does.

    Returns
    -------
    dict of str to int
        Galaxies in the dataset, and rows left out for each reason.

    Raises
    ------
    FileNotFoundError
        If there are no shards.
    ValueError
        If the dataset exists, a shard is broken or of another survey, two rows share an obj_id, simulated and
        stacked shards are mixed, no row is usable, or a fold would be empty. An existing dataset is kept on error.
    """
    paths, survey = find_shards(stacks_dir), survey_of_folder(stacks_dir)
    origin, facts, counts = _check_catalogs(paths, survey)
    if pipeline:
        pipeline = pipeline([path.absolute() for path in paths], shard_examples, example_digest, counts["galaxies"])
    with tqdm(total=counts["galaxies"], desc="build", unit=" galaxies", disable=not progress or bool(pipeline)) as bar:
        builder_of = builder_class(survey)
        builder = builder_of(
            origin=origin, facts=facts, on_galaxy=bar.update, pipeline=pipeline, data_dir=data_dir
        )
        prepare(builder, stacks_dir, overwrite, pipeline)
    return counts


def _check_catalogs(paths, survey):
    """Origin of the shards, facts of their images and counts of rows, after the checks that need no pixels."""
    origins, facts, ids, groups, seen = set(), [], [], [], {"flagged": 0, "without z_spec": 0, "without E(B-V)": 0}
    for path in paths:
        table, header = read_catalog(path)
        if survey_of(path, header) != survey:
            different = survey_of(path, header).difference(survey) or "the descriptions differ"
            raise ValueError(
                f"{path}: stacks of another survey than those of {paths[0].name} ({different}); keep them in folders "
                "of their own"
            )
        check_quantities(table, survey.bands, path)  # before TFDS, whose message would be the whole example
        origins.add(header["ORIGIN"])
        facts.append({key: value for key, value in header_facts(header).items() if key != "survey"})  # described whole
        seen["flagged"] += int(np.sum(table["flag"] != 0))
        seen["without z_spec"] += int(np.sum((table["flag"] == 0) & ~np.isfinite(table["z_spec"])))
        seen["without E(B-V)"] += int(np.sum((table["flag"] == 0) & ~np.isfinite(table["ebv"])))
        ids.append(np.asarray(table["obj_id"])[usable(table)])
        groups.append(np.asarray(table["group_id"])[usable(table)])
    ids = np.concatenate(ids)
    values, repeats = np.unique(ids, return_counts=True)
    if np.any(repeats > 1):
        raise ValueError(f"{paths[0].parent}: obj_id {values[repeats > 1][0]} occurs twice; drop one of its rows")
    if len(origins) > 1:
        raise ValueError(f"{paths[0].parent}: simulated and stacked shards in one folder; keep them apart")
    if len(ids) == 0:
        raise ValueError(f"{paths[0].parent}: none of {sum(seen.values())} rows is usable ({seen})")
    groups = np.unique(np.concatenate(groups))
    per_fold = np.bincount(assign_fold(groups), minlength=N_FOLDS)
    if min(per_fold) == 0:  # TFDS writes no empty split
        raise ValueError(
            f"{paths[0].parent}: {len(groups)} different galaxies fall in {np.sum(per_fold > 0)} of {N_FOLDS} folds; "
            "give more galaxies, a dataset needs some in each"
        )
    return origins.pop(), {**joined_facts(facts), "code": code_version()}, {"galaxies": len(ids), **seen}
