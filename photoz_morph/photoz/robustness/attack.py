"""The smallest change of few detector pixels that moves the redshifts of test galaxies, saved shard by shard.

Ensemble and single network are attacked on the same galaxies, the first test galaxy of each parent, so that they can
be compared galaxy by galaxy. The image is changed in the unit of the stacks, before anything the networks do to it.
"""

import dataclasses
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.datasets import reading
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.files import run_calibrations
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.robustness.attack_files import attack_format
from photoz_morph.photoz.robustness.criteria import CRITERIA, LOWER, UPPER, Criterion
from photoz_morph.photoz.robustness.networks import AttackedNetworks, RedshiftTarget
from photoz_morph.photoz.robustness.noise import check_noise, stack_noise
from photoz_morph.photoz.splits import open_run_dataset
from photoz_morph.robustness.few_pixels.hits import MEASURES, Hits
from photoz_morph.robustness.few_pixels.laplacian import caught_pixels, unseen_limits
from photoz_morph.robustness.few_pixels.smallest import SmallestOptions, smallest_changes
from photoz_morph.runs.attacks import write_shard
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version

ENSEMBLE = "ensemble"


@dataclasses.dataclass(frozen=True)
class AttackPlan:
    """Settings of an attack.

    Attributes
    ----------
    options : SmallestOptions
    criterion : {"z_phot", "interval"}
        See `criteria`.
    measure : {"electrons", "sigma"}
        What is made small: the electrons of all hits together, or the largest in standard deviations of the sky.
    unseen : bool
        Whether only changes count that a mask as L.A.Cosmic's would not catch.
    n_galaxies : int
        As far as the fold has so many parents.
    fold : int, optional
        Test fold; by default the first that is finished.
    network : int or None
        The single network beside the ensemble, from 0; None for the ensemble alone.
    uncalibrated : bool
        Whether to attack the mean of the members' PDFs although the run is calibrated.
    seed : int
    """

    options: SmallestOptions = SmallestOptions()
    criterion: str = "z_phot"
    measure: str = "electrons"
    unseen: bool = False
    n_galaxies: int = 100
    fold: int | None = None
    network: int | None = 0
    uncalibrated: bool = False
    seed: int = 0

    def __post_init__(self):
        for name, choices in (("criterion", CRITERIA), ("measure", MEASURES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if self.n_galaxies < 1:
            raise ValueError(f"n_galaxies is {self.n_galaxies}; give 1 or more")

    @property
    def name(self):
        """Default name of the attack, to which that of the victim is added."""
        parts = [self.criterion, self.measure, self.options.search, f"{self.options.n_hits}px"]
        parts += [name for name in ("unseen", "uncalibrated") if getattr(self, name)]
        parts += [] if self.fold is None else [f"fold{self.fold}"]
        return "_".join(parts)


def attack_run(run_dir, plan=None, name=None, data_dir=None, out_dir=None, progress=True):
    """Attack the ensemble and a single network of a fold on the same galaxies; finished shards are kept.

    Parameters
    ----------
    run_dir : path-like
    plan : AttackPlan, optional
    name : str, optional
        Of the folders, to which `_ensemble` or `_network1` is added; by default `plan.name`.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    out_dir : path-like, optional
        Where the folders are made; by default RUN/attacks.
    progress : bool

    Returns
    -------
    list of Path
        Folder of each victim: the ensemble, if there is one, and the single network.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, has no finished network, or the dataset is missing.
    ValueError
        If the run has no such fold or network, the survey's description lacks what the measure needs, no galaxy's
        redshift can be moved, or a folder holds another attack.
    """
    plan = plan or AttackPlan()
    name = name or plan.name
    if Path(name).name != name:
        raise ValueError(f"name of the attack is {name!r}; give one without a slash, it is a folder in RUN/attacks")
    config, trained_on = read_run(run_dir, PhotozConfig)
    victims = _victims(run_dir, config, trained_on, plan)
    builder = open_run_dataset(config, trained_on, data_dir)
    sample = _Sample(builder, config, victims, plan)
    out_dir = Path(out_dir or Path(run_dir) / "attacks")
    folders = [out_dir / f"{name}_{victim.name}" for victim in victims]
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(locked(folder, "give another --name"))
        jobs, files = [], attack_format()
        for victim, folder in zip(victims, folders):
            files.start(folder, _settings(plan, victim, sample))
            shards = files.shards(folder, len(sample))
            jobs += [(victim, shard) for shard in shards if not files.is_finished(shard[0])]
        todo = sum(stop - start for _, (_, start, stop) in jobs)
        with tqdm(total=todo, desc="attack", unit=" attacks", disable=not progress) as bar:
            for victim, (path, start, stop) in jobs:
                table, images = _attack_galaxies(config, victim, sample, slice(start, stop), plan, bar.update)
                table.meta |= {"run": Path(run_dir).resolve().name, "code": code_version()}
                write_shard(path, table, images, config.survey.image_unit)
    return folders


@dataclasses.dataclass
class _Victim:
    """Networks to attack, their name, and where they come from."""

    name: str
    fold: int
    networks: AttackedNetworks
    provenance: dict
    z_phot: np.ndarray | None = None


def _victims(run_dir, config, trained_on, plan):
    """The ensemble of a fold, if there are several networks, and the single network."""
    members = finished_members(run_dir, PhotozConfig)
    fold = min(members) if plan.fold is None else plan.fold
    if fold not in members:
        raise ValueError(f"{run_dir}: no finished network of fold {fold}; give one of {', '.join(map(str, members))}")
    paths = members[fold]
    if plan.network is not None and not 0 <= plan.network < len(paths):
        raise ValueError(f"{run_dir}: fold {fold} has no network {plan.network + 1}; give 1 to {len(paths)}")
    calibrations = {} if plan.uncalibrated else run_calibrations(run_dir, {fold: paths}, config.redshift)
    victims = []
    if len(paths) > 1 or plan.network is None or calibrations:
        provenance, calibrator = run_provenance(trained_on, paths), None
        if calibrations:
            provenance["calib_id"] = calibrations[fold].facts["calib_id"]
            calibrator = calibrations[fold].calibrator
        networks = AttackedNetworks(paths, config.redshift, calibrator)
        victims.append(_Victim(ENSEMBLE, fold, networks, {**provenance, "n_member": len(paths)}))
    if plan.network is not None:
        path = paths[plan.network]
        provenance = {**run_provenance(trained_on, [path]), "n_member": 1}
        victims.append(
            _Victim(f"network{plan.network + 1}", fold, AttackedNetworks([path], config.redshift), provenance)
        )
    return victims


class _Sample:
    """The galaxies to attack, each of a parent of its own, with their PDFs by each victim."""

    def __init__(self, builder, config, victims, plan):
        split = f"fold_{victims[0].fold}"
        columns = reading.read_columns(builder, split)
        self.origin = builder.info.metadata["origin"]
        is_first = np.zeros(len(columns["obj_id"]), bool)
        is_first[np.unique(columns["group_id"], return_index=True)[1]] = True
        chosen, images, pdfs, n_read, self.n_left_out = [], [], [[] for _ in victims], 0, 0
        for batch in dataset.image_batches(builder, split, BATCH_SIZE, observing=config.model.observing):
            batch = {name: values.numpy() for name, values in batch.items()}
            rows = n_read + np.flatnonzero(is_first[n_read : n_read + len(batch["image"])])
            own, n_read = rows - n_read, n_read + len(batch["image"])
            if len(own) == 0:
                continue
            facts = {name: values[own] for name, values in batch.items()}
            answers, can = [], np.isfinite(facts["image"]).all(axis=(1, 2, 3))
            for victim in victims:
                victim.networks.set_galaxies(facts)
                answers.append(victim.networks.pdfs(np.arange(len(own)), facts["image"]))
                z_phot = config.redshift.expectation(answers[-1])
                can &= Criterion(plan.criterion, config.redshift, z_phot, columns["z_spec"][rows]).applies(answers[-1])
            taken = can & (np.cumsum(can) <= plan.n_galaxies - len(chosen))
            last = np.flatnonzero(taken)[-1] if len(chosen) + taken.sum() >= plan.n_galaxies else len(rows) - 1
            self.n_left_out += int(np.sum(~can[: last + 1]))
            chosen.extend(rows[taken].tolist())
            images.append(facts["image"][taken])
            for kept, answer in zip(pdfs, answers):
                kept.append(answer[taken])
            if len(chosen) >= plan.n_galaxies:
                break
        if not chosen:
            raise ValueError(
                f"{builder.data_dir}: no galaxy of {split} has a 68 % interval that holds z_spec by all networks; "
                "train longer, or take --criterion z_phot"
            )
        self.columns = {name: values[chosen] for name, values in columns.items()}
        self.images = np.concatenate(images)
        self.pdfs = {victim.name: np.concatenate(kept) for victim, kept in zip(victims, pdfs)}
        self.noise = stack_noise(config.survey, self.columns)
        check_noise(self.noise, config.survey, plan.measure, plan.unseen)

    def __len__(self):
        return len(self.images)


def _settings(plan, victim, sample):
    """Settings that identify an attack."""
    settings = dataclasses.asdict(plan) | {"victim": victim.name, "fold": victim.fold}
    ids = {name: victim.provenance[name] for name in ("model_id", "data_id", "calib_id") if name in victim.provenance}
    return settings | ids | {"galaxies": sample.columns["obj_id"].tolist()}


def _attack_galaxies(config, victim, sample, rows, plan, on_done):
    """Table, and images before and after, of some galaxies."""
    original, noise = sample.images[rows], sample.noise.rows(rows)
    columns = {name: values[rows] for name, values in sample.columns.items()}
    before, grid = sample.pdfs[victim.name][rows], config.redshift
    criterion = Criterion(plan.criterion, grid, grid.expectation(before), np.asarray(columns["z_spec"], float))
    victim.networks.set_galaxies(columns)
    hits = [_hits(image, noise.rows(index), plan) for index, image in enumerate(original)]
    seeds = [[plan.seed, int(obj_id)] for obj_id in columns["obj_id"]]
    found = smallest_changes(RedshiftTarget(victim.networks, criterion), hits, seeds, plan.options, on_done)
    attacked = np.concatenate([
        own.image[None].astype(np.float32) if one.changes is None else one.changes.applied(own.image)
        for own, one in zip(hits, found)
    ])  # fmt: skip
    after = victim.networks.pdfs(np.arange(len(attacked)), attacked)
    moved = np.array([one.changes is not None for one in found])
    moved &= criterion.margins(np.arange(len(after)), after) < 0  # of the image as it is saved
    attacked[~moved] = original[~moved]
    after = np.where(moved[:, None], after, before)
    table = Table({name: columns[name] for name in ("obj_id", "group_id", "z_spec")})
    table["fold"], table["moved"] = victim.fold, moved
    _add_hits(table, found, moved, plan.options.n_hits)
    _add_sizes(table, noise, original, attacked)
    for suffix, pdf in (("", before), ("_attacked", after)):
        table[f"z_phot{suffix}"] = grid.expectation(pdf)
        table[f"z_lower{suffix}"], table[f"z_upper{suffix}"] = grid.quantile(pdf, LOWER), grid.quantile(pdf, UPPER)
        table[f"pdf{suffix}"] = pdf.astype(np.float32)
    table["queries"], table["slopes"] = [one.queries for one in found], [one.slopes for one in found]
    # Not as a unit: FITS has no word for nanomaggies.
    table["hit_change"].description = f"added to the pixel [{config.survey.image_unit}]"
    options = dataclasses.asdict(plan.options)
    table.meta = {
        "victim": victim.name, "criteria": plan.criterion, "measure": plan.measure, "unseen": plan.unseen,
        "survey": config.survey.name, "bands": ",".join(config.survey.bands), "origin": sample.origin,
        "leftout": sample.n_left_out, "srchseed": plan.seed, "z_min": grid.z_min, "z_max": grid.z_max, **options,
        **victim.provenance,
    }  # fmt: skip
    return table, {"original": original, "attacked": attacked}


def _hits(image, noise, plan):
    """Hits that a galaxy may receive; `noise` is its own."""
    down = np.where(np.isfinite(noise.sky), np.maximum(image + noise.sky, 0), np.inf)  # to a pixel without electrons
    up, is_allowed = np.inf, None
    if plan.unseen:
        per_electron = np.where(np.isfinite(noise.electrons_per_unit), 1 / noise.electrons_per_unit, 0.0)
        facts = {"sky_sigma": noise.sky_sigma, "flux_per_electron": per_electron}
        up, lowest = unseen_limits(image, **facts)
        down = np.minimum(down, lowest)
        is_allowed = partial(_is_unseen, caught_before=_caught(image, facts), facts=facts)
    return Hits(image, noise.per_unit(plan.measure), plan.measure, up, down, is_allowed)


def _caught(image, facts):
    return caught_pixels(image[None], **{name: values[None] for name, values in facts.items()})[0]


def _is_unseen(image, caught_before, facts):
    """True if the mask of a changed image has no pixel that the mask of the image as it is has not."""
    return not np.any(_caught(image, facts) & ~caught_before)


def _add_hits(table, found, moved, n_hits):
    """Columns of the hits."""
    places = np.full((len(found), n_hits, 3), -1, np.int16)
    change = np.zeros((len(found), n_hits), np.float32)
    for row in np.flatnonzero(moved):
        changes = found[row].changes
        places[row, : changes.places.shape[1]] = changes.places[0]
        change[row, : changes.amounts.shape[1]] = changes.amounts[0]
    table["n_hits"] = np.sum(places[..., 0] >= 0, axis=1)
    for number, name in enumerate(("hit_row", "hit_column", "hit_band")):
        table[name] = places[..., number]
    table["hit_change"] = change


def _add_sizes(table, noise, original, attacked):
    """Columns of the size of the change, and whether a mask would catch it."""
    change = np.abs(attacked.astype(float) - original)
    moved = np.asarray(table["moved"])
    electrons = np.einsum("nijb,nb->n", change, noise.electrons_per_unit)
    sigma = np.max(change.max(axis=(1, 2)) / noise.sky_sigma, axis=1)
    table["electrons"], table["sigma"] = (np.where(moved, values, np.nan) for values in (electrons, sigma))
    caught = np.zeros(len(change), bool)
    if np.isfinite(noise.sky_sigma).all():
        per_electron = np.where(np.isfinite(noise.electrons_per_unit), 1 / noise.electrons_per_unit, 0.0)
        masks = [caught_pixels(images, noise.sky_sigma, per_electron) for images in (original, attacked)]
        caught = np.any(masks[1] & ~masks[0], axis=(1, 2, 3))
    table["caught"] = caught & moved
