"""Attacks by one pixel or a few on the test galaxies of morphology runs, saved shard by shard.

Several runs are attacked on the same galaxies, the first of the test set that every network classifies correctly, so
that arms can be compared galaxy by galaxy. The attack changes the image in nJy, before the scaling inside the network,
so that an attacked image can be saved, read back and classified again.
"""

import dataclasses
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from astropy.table import Table
from keras import ops
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.metrics.classification import predicted_class
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers, network_inputs
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts
from photoz_morph.morph.predictions import DOMAINS
from photoz_morph.morph.robustness.attack_files import (
    attack_shards,
    is_finished,
    read_attack,
    start_attack,
    write_attack_shard,
)
from photoz_morph.morph.robustness.network_queries import compiled, scaling_softening, visible_range
from photoz_morph.morph.robustness.pixel_queries import pixel_queries
from photoz_morph.robustness.one_pixel.attack import AttackOptions, edited_images, one_pixel_attack
from photoz_morph.robustness.one_pixel.bounds import check_bounds, pixel_bounds
from photoz_morph.robustness.one_pixel.searches import Edits
from photoz_morph.robustness.perturbations.observing import observing_context
from photoz_morph.runs.folder import finished_members, is_same_dataset, read_run, run_provenance, weights_hash
from photoz_morph.surveys import get_survey
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version

BATCH_SIZE = 64
BASELINE_STREAM = 1  # the random numbers of the baseline differ from those of the attack
IDENTITY = ("obj_id", "group_id", "copy")


@dataclasses.dataclass(frozen=True)
class AttackPlan:
    """Target and settings of an attack.

    Attributes
    ----------
    options : AttackOptions
    n_images : int
        Number of galaxies, as far as the test set has so many that are correctly classified.
    bounds : str
        See `pixel_bounds`.
    domain : {"Y10", "Y1"}
        Depth of the image to attack.
    member : int
        Number of the network of each run, from 0.
    defence : {"none", "d4", "median"}, optional
        Test-time defence of the networks; by default that of each run's config.
    precision : {"float32", "bfloat16"}
        Of the queries; flips are confirmed in float32.
    seed : int
    """

    options: AttackOptions = AttackOptions()
    n_images: int = 150  # Ciprijanovic et al. (2021)
    bounds: str = "data"
    domain: str = "Y10"
    member: int = 0
    defence: str | None = None
    precision: str = "float32"
    seed: int = 0

    @property
    def has_baseline(self):
        """True if an attack with random pixels differs from this one and can serve as its baseline."""
        return self.options.search != "random"

    @property
    def name(self):
        """Default name of the attack folder."""
        parts = [self.options.search, self.domain.lower(), self.bounds.replace(":", "")]
        parts += [f"{self.options.pixels}pixels"] if self.options.pixels > 1 else []
        parts += [part for part in ("targeted" if self.options.targeted else None, self.defence) if part]
        return name_of_network("_".join(parts), self.member)


def name_of_network(name, member):
    """Name of the attack on a network, counted from 0, among those on all networks: NAME, NAME_network2 ..."""
    return f"{name}_network{member + 1}" if member else name


def attack_runs(run_dirs, plan=None, name=None, data_dir=None, progress=True):
    """Attack the same galaxies in several runs; finished shards are kept.

    Parameters
    ----------
    run_dirs : sequence of path-like
    plan : AttackPlan, optional
    name : str, optional
        Name of the folder RUN/attacks/NAME; by default `plan.name`.
    data_dir : path-like, optional
        Prepared dataset; by default the one of the first run.
    progress : bool

    Returns
    -------
    list of Path
        Attack folder of each run; see `attack_files.read_attack`.

    Raises
    ------
    ValueError
        If the runs have different datasets or classes, no galaxy is correctly classified by all networks, or a folder
        holds another attack.
    """
    plan = plan or AttackPlan()
    check_bounds(plan.bounds)
    runs = [_Run(Path(run_dir), plan) for run_dir in run_dirs]
    for run in runs[1:]:
        same = {"dataset": run.is_on_dataset_of(runs[0]), "classes": run.classes == runs[0].classes}
        for what, is_same in same.items():
            if not is_same:
                raise ValueError(f"{run.path}: not the same {what} as {runs[0].path}; attack the runs separately")
    builder = dataset.open_run_dataset(runs[0].dataset, data_dir)
    dataset.require_pairs(builder, "the attack")
    sample = _Sample(builder, runs, plan)
    name = name or plan.name
    if Path(name).name != name:
        raise ValueError(f"name of the attack is {name!r}; give one without a slash, it is a folder in RUN/attacks")
    folders = [run.path / "attacks" / name for run in runs]
    for run in runs:
        run.prepare(sample, plan)  # invalid requests fail before anything is written
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(locked(folder, "give another --name"))
        _attack_all(runs, folders, sample, plan, progress)
    return folders


def _attack_all(runs, folders, sample, plan, progress):
    """Attack the galaxies that the folders lack."""
    jobs = []
    for run, folder in zip(runs, folders):
        start_attack(folder, _settings(plan, run, sample))
        shards = attack_shards(folder, len(sample.label))
        jobs.append([shard for shard in shards if not is_finished(shard[0])])
    # Every galaxy is attacked twice, the second time with random pixels.
    todo = sum(stop - start for shards in jobs for _, start, stop in shards) * (1 + plan.has_baseline)
    with tqdm(total=todo, desc="attack", unit=" attacks", disable=not progress) as bar:
        for run, shards in zip(runs, jobs):
            for path, start, stop in shards:
                rows = slice(start, stop)
                write_attack_shard(path, *_attack_galaxies(run, sample, rows, plan, bar.update))


def count_flips_on_disk(run_dir, folder):
    """Count the flips of an attack that the whole network confirms on the images read back from disk.

    Parameters
    ----------
    run_dir, folder : path-like

    Returns
    -------
    still : int
    flipped : int
    """
    table, images = read_attack(folder)
    meta, flipped = table.meta, np.asarray(table["flipped"], bool)
    network = load_classifiers(run_dir, meta["defence"], float32=True)[meta["seed_number"] - 1]
    domain = list(DOMAINS).index(meta["domain"])
    if not flipped.any():
        return 0, 0
    logits, _ = _outputs(network, domain)(images["attacked"][flipped])
    given = predicted_class(logits)
    still = (given >= 0) & (given != np.asarray(table["label"])[flipped])
    return int(still.sum()), int(flipped.sum())


class _Run:
    """One run: its config, dataset and the network to attack."""

    def __init__(self, path, plan):
        self.path = path
        self.config, self.dataset = read_run(path, MorphConfig)
        members = finished_members(path, MorphConfig)[0]
        if not 0 <= plan.member < len(members):
            raise ValueError(f"{path}: no network {plan.member + 1}; give 1 to {len(members)}, or train more seeds")
        self.network = load_classifiers(path, plan.defence, float32=True)[plan.member]
        self.weights = weights_hash(members[plan.member])
        self.provenance = run_provenance(self.dataset, [members[plan.member]])
        self.outputs = [_outputs(self.network, domain) for domain in range(len(DOMAINS))]

    def is_on_dataset_of(self, other):
        """True if both runs were trained on the same dataset."""
        same = self.dataset.get("content_hash") == other.dataset.get("content_hash")
        return same and is_same_dataset(self.dataset, other.dataset)

    def prepare(self, sample, plan):
        """Set the bounds and the queries, which are compiled once for all galaxies."""
        softening, context = scaling_softening(self.network, sample.domain), None
        if check_bounds(plan.bounds)[1] is not None:
            context = observing_context(self.dataset, self.config.survey, int(plan.domain.removeprefix("Y")))
        visible = visible_range(self.network, sample.domain)
        self.bounds = pixel_bounds(plan.bounds, sample.low, sample.high, softening, context, visible)
        self.queries = pixel_queries(self.network, sample.images[sample.domain][:1], sample.domain, plan.precision)

    @property
    def classes(self):
        """Class names."""
        return self.config.class_names


class _Sample:
    """The galaxies to attack: both images of each, and the pixel range of the whole test set."""

    def __init__(self, builder, runs, plan):
        self.domain = list(DOMAINS).index(plan.domain)
        self.origin = builder.info.metadata["origin"]
        columns = reading.read_columns(builder, "test")
        label = dataset.class_index(columns["label"], runs[0].config.data.classes)
        chosen, self.n_wrong, images = self._choose(builder, runs, label, plan.n_images)
        if not chosen:
            raise ValueError(f"{builder.data_dir}: no test galaxy is correctly classified by all runs; train longer")
        self.columns = {name: columns[name][chosen] for name in IDENTITY}
        self.label, self.images = label[chosen], images

    def _choose(self, builder, runs, label, n_images):
        """Rows of the first galaxies that all networks classify correctly, the number of misclassified galaxies before
        the last of them, and the Y10 and Y1 images. Sets `low` and `high`, shape (n_bands,), from all images."""
        chosen, images, n_wrong, n_read = [], ([], []), 0, 0
        self.low, self.high = np.inf, -np.inf
        batches = zip(*(dataset.domain_images(builder, "test", domain, BATCH_SIZE).as_numpy_iterator()
                        for domain in dataset.DOMAINS))  # fmt: skip
        for pair in batches:
            self.low = np.minimum(self.low, pair[self.domain].min(axis=(0, 1, 2)))
            self.high = np.maximum(self.high, pair[self.domain].max(axis=(0, 1, 2)))
            rows = np.arange(n_read, n_read + len(pair[0]))
            n_read += len(rows)
            if len(chosen) >= n_images:
                continue
            given = [predicted_class(run.outputs[self.domain](pair[self.domain])[0]) for run in runs]
            right = np.all([classes == label[rows] for classes in given], axis=0)
            right &= np.cumsum(right) <= n_images - len(chosen)
            last = np.flatnonzero(right)[-1] if len(chosen) + right.sum() >= n_images else len(rows) - 1
            n_wrong += int(np.sum(~right[: last + 1]))
            chosen.extend(rows[right].tolist())
            for kept, batch in zip(images, pair):
                kept.append(batch[right])
        return chosen, n_wrong, [np.concatenate(kept) for kept in images]

    @property
    def galaxies(self):
        """[obj_id, copy] of each galaxy."""
        return np.stack([self.columns["obj_id"], self.columns["copy"]], axis=1).tolist()


def _settings(plan, run, sample):
    """Settings that identify an attack."""
    defence = plan.defence or run.config.defence.test_time
    plan = dataclasses.asdict(plan) | {"defence": defence}
    if plan["options"]["pixels"] == 1:
        del plan["options"]["pixels"]  # which the settings of earlier attacks do not hold: they resume as well
    plan["weights"] = run.weights
    return plan | {"galaxies": sample.galaxies, "low": sample.low.tolist(), "high": sample.high.tolist()}


def _attack_galaxies(run, sample, rows, plan, on_done):
    """Table and images before and after the attack, shape (n, rows, columns, n_bands), for some rows of the sample."""
    original, label = sample.images[sample.domain][rows], sample.label[rows]
    bounds, queries = run.bounds, run.queries
    queries.set_images(original)
    identity = list(zip(sample.columns["obj_id"][rows].tolist(), sample.columns["copy"][rows].tolist()))
    attack = one_pixel_attack(
        queries, label, [[plan.seed, 0, *who] for who in identity], bounds, plan.options, on_done
    )
    baseline = attack
    if plan.has_baseline:
        options = dataclasses.replace(plan.options, search="random")
        seeds = [[plan.seed, BASELINE_STREAM, *who] for who in identity]
        baseline = one_pixel_attack(queries, label, seeds, bounds, options, on_done)
    attacked = original.copy()
    won = np.flatnonzero(attack.flipped)
    attacked[won] = edited_images(original[won], Edits(attack.pixels[won], attack.values[won]))
    return _table(run, sample, rows, plan, attack, baseline, attacked), original, attacked


def _table(run, sample, rows, plan, attack, baseline, attacked):
    """Results of the attack and its baseline, both of type Attacks: one row per galaxy."""
    label, flipped = sample.label[rows], attack.flipped
    original = sample.images[sample.domain][rows]
    table = Table({name: sample.columns[name][rows] for name in IDENTITY} | {"label": label, "flipped": flipped})
    table["row"], table["column"] = np.moveaxis(attack.pixels, -1, 0)
    galaxy = np.arange(len(label)).reshape(-1, *[1] * (attack.pixels.ndim - 2))
    old = original[galaxy, attack.pixels[..., 0], attack.pixels[..., 1]]
    table["old_value"] = np.where(np.isnan(attack.values), np.nan, old).astype(np.float32)
    table["new_value"] = attack.values
    outputs = {
        "y10": run.outputs[0](sample.images[0][rows]),
        "y1": run.outputs[1](sample.images[1][rows]),
        "attacked": run.outputs[sample.domain](attacked),
    }
    logits, latent = ({name: output[part] for name, output in outputs.items()} for part in (0, 1))
    table["attacked_class"] = np.where(flipped, predicted_class(logits["attacked"]), -1)
    table["queries"], table["unconfirmed"] = attack.queries, attack.n_unconfirmed
    table["margin_before"] = _margin(logits[list(DOMAINS.values())[sample.domain]], label)
    table["margin_after"] = np.where(flipped, _margin(logits["attacked"], label), np.nan)
    table["random_flipped"], table["random_queries"] = baseline.flipped, baseline.queries
    for quantity, values in (("latent", latent), ("logits", logits)):
        values["attacked"] = np.where(flipped[:, None], values["attacked"], np.nan).astype(np.float32)
        for name, array in values.items():
            table[f"{quantity}_{name}"] = array
    for name in ("old_value", "new_value"):
        table[name].unit = None if sample.origin == "released" else "nJy"  # their unit is unknown
    options = dataclasses.asdict(plan.options)
    table.meta = {
        "survey": run.config.survey, "origin": sample.origin, "classes": ",".join(run.classes),
        "adaptation": run.config.adaptation.name, "config": run.path.name, "run": run.path.name,
        "seed_number": plan.member + 1, "search_seed": plan.seed, "bounds": plan.bounds, "domain": plan.domain,
        "precision": plan.precision,
        "n_looked_at": len(sample.label) + sample.n_wrong, "n_wrong": sample.n_wrong,
        **options, **defence_facts(run.config, plan.defence),
        **run.provenance, "bands": ",".join(get_survey(run.config.survey).bands),
        "unit": str(table["new_value"].unit or "unknown"), "code": code_version(),
    }  # fmt: skip
    return table


def _margin(logits, label):
    """Logit of the label minus the largest other logit, shape (n,)."""
    own = np.take_along_axis(logits, label[:, None], axis=1)[:, 0]
    others = np.where(np.arange(logits.shape[1]) == label[:, None], -np.inf, logits)
    return own - others.max(axis=1)


def _outputs(network, domain):
    """Function from images to logits and latents, shapes (n, n_classes) and (n, n_latent)."""
    answer = compiled(lambda images: network(network_inputs(network, images, domain), training=False))

    def outputs(images):
        parts = [answer(images[i : i + BATCH_SIZE]) for i in range(0, len(images), BATCH_SIZE)]
        return tuple(
            np.concatenate([ops.convert_to_numpy(part[name]) for part in parts]) for name in ("logits", "latent")
        )

    return outputs
