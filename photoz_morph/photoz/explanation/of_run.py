"""Explain the redshifts of a run: chosen or picked test galaxies, one network of their fold and its ensemble."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.explain import targets
from photoz_morph.explain.anatomy import examine, has_convolutions
from photoz_morph.explain.files import GALAXIES, is_stored, start_folder, write_stored
from photoz_morph.explain.galaxies import explain_galaxies
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.methods import Settings, chosen_methods, last_maps
from photoz_morph.explain.patterns.layer_outputs import feature_maps
from photoz_morph.explain.sky import baseline, galaxy_masks, measure_sky
from photoz_morph.models.loading import in_float32, load_members
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.explanation.galaxies import CHOSEN, fold_of, look_at, picked
from photoz_morph.photoz.explanation.known_truth import measure_known_truth
from photoz_morph.photoz.splits import open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version

TARGETS = ("mean", "median", "width", "entropy")
METHODS = ("integrated_gradients", "smooth_grad", "occlusion", "band_occlusion")
LATENT_LAYER = "FC2"  # whose outputs the redshift follows from
TRUTH = ("z_true", "r_e", "axis_ratio", "bulge_to_total", "is_early", "n_neighbours", "petro_r", "defects")


@dataclasses.dataclass(frozen=True)
class ExplainPlan:
    """What is explained, and how.

    Attributes
    ----------
    methods : tuple of str
        Keys of `explain.methods.METHODS`.
    target : str
        One of `TARGETS`, or "interval:LOW:HIGH", the probability that the PDF gives to an interval of redshift.
    n_galaxies : int
    obj_ids : tuple of int
        Galaxies to explain instead of picked ones.
    network : int
        Member whose maps are shown, from 0; the others of the fold vote.
    fold : int, optional
        By default the first that is finished, or that of the galaxies.
    n_seen : int
        Test galaxies among which some are picked.
    n_known : int
        Simulated test galaxies, one of each parent, that are taken apart and changed, see `known_truth`.
    anatomy : bool
        Whether to examine what the filters see, make images, and map the latent space.
    settings : Settings
    """

    methods: tuple = METHODS
    target: str = "mean"
    n_galaxies: int = 8
    obj_ids: tuple = ()
    network: int = 0
    fold: int | None = None
    n_seen: int = 1000
    n_known: int = 0
    anatomy: bool = True
    settings: Settings = Settings()

    @property
    def name(self):
        """Default name of the folder."""
        return self.target.replace(":", "_")


def redshift_target(name, grid):
    """Target of a PDF by its name.

    Parameters
    ----------
    name : str
        See `ExplainPlan.target`.
    grid : RedshiftGrid

    Returns
    -------
    callable
        See `explain.targets`.

    Raises
    ------
    ValueError
        If there is no such target.
    """
    made = {
        "mean": lambda: targets.pdf_mean(grid.midpoints), "median": lambda: targets.pdf_median(grid.edges),
        "width": lambda: targets.pdf_width(grid.edges), "entropy": targets.entropy,
    }  # fmt: skip
    if name in made:
        return made[name]()
    kind, *ends = name.split(":")
    try:
        low, high = map(float, ends)
    except ValueError:
        kind = ""
    if kind != "interval":
        known = ", ".join(TARGETS)
        raise ValueError(f"target is {name!r}; give {known}, or interval:LOW:HIGH, such as interval:0.1:0.2")
    return targets.interval_mass(grid.edges, low, high)


def explain_run(run_dir, plan=None, name=None, data_dir=None, out_dir=None, progress=True):
    """Explain test galaxies of a run; methods that are finished are kept.

    Parameters
    ----------
    run_dir : path-like
    plan : ExplainPlan, optional
    name : str, optional
        Of the folder; by default that of the target.
    data_dir : path-like, optional
        Prepared dataset; by default the one the run was trained on.
    out_dir : path-like, optional
        Where the folder is made; by default RUN/explanations.
    progress : bool

    Returns
    -------
    Path
        The folder, see `explain.files`.

    Raises
    ------
    FileNotFoundError
        If the folder is not a run folder, has no finished network, or the dataset is missing.
    ValueError
        If the run has no such fold, network or galaxy, there is no such method or target, or the folder holds other
        explanations.
    """
    plan = plan or ExplainPlan()
    methods = chosen_methods(plan.methods)
    config, trained_on = read_run(run_dir, PhotozConfig)
    target = redshift_target(plan.target, config.redshift)
    name = name or plan.name
    if Path(name).name != name:
        raise ValueError(f"name is {name!r}; give one without a slash, it is a folder in RUN/explanations")
    members = finished_members(run_dir, PhotozConfig)
    builder = open_run_dataset(config, trained_on, data_dir)
    folder = Path(out_dir or Path(run_dir) / "explanations") / name
    fold = fold_of(builder, members, plan.obj_ids) if plan.obj_ids else plan.fold
    fold = min(members) if fold is None else fold
    if fold not in members:
        raise ValueError(f"{run_dir}: no finished network of fold {fold}; give one of {', '.join(map(str, members))}")
    paths = members[fold]
    if not 0 <= plan.network < len(paths):
        raise ValueError(f"{run_dir}: fold {fold} has no network {plan.network + 1}; give 1 to {len(paths)}")
    provenance = run_provenance(trained_on, paths)
    with locked(folder, "give another --name"):
        settings = dataclasses.asdict(plan) | {"fold": fold, **provenance, "survey": config.survey.name}
        del settings["methods"], settings["n_known"], settings["anatomy"]  # more may be added later
        start_folder(folder, settings)
        networks = [in_float32(network) for network in load_members(paths)]
        networks.insert(0, networks.pop(plan.network))
        show = partial(tqdm, desc="look", unit=" batches", disable=not progress)
        seen, reasons = _sample(builder, fold, networks, config, plan, show)
        inputs = {tensor.name: seen.inputs[tensor.name] for tensor in networks[0].inputs}
        masks = galaxy_masks(inputs["image"])
        filling = baseline(inputs, scalars={"ebv": 0.0}, masks=masks, seed=plan.settings.seed)
        scores = [Score(network, target) for network in networks]
        ids = Table({"obj_id": seen.columns["obj_id"], "reason": reasons})
        if not is_stored(folder, GALAXIES):
            table = _galaxies_table(ids, seen, config.redshift, scores, inputs, filling)
            table.meta |= {
                "chain": "photoz", "run": Path(run_dir).resolve().name, "target": plan.target, "fold": fold,
                "network": plan.network + 1, "n_member": len(paths), "survey": config.survey.name,
                "bands": ",".join(config.survey.bands), "origin": builder.info.metadata["origin"],
                "z_min": config.redshift.z_min, "z_max": config.redshift.z_max, "code": code_version(), **provenance,
            }  # fmt: skip
            arrays = {"image": inputs["image"], "filling": filling["image"], "mask": masks}
            write_stored(folder, GALAXIES, table, arrays)
        explain_galaxies(folder, ids, inputs, filling, scores, methods, plan.settings, config.survey.bands, progress)
        if plan.anatomy and has_convolutions(networks[0]):
            _examine(folder, ids, inputs, filling, scores[0], builder, fold, config, plan, progress)
        if plan.n_known:
            if builder.info.metadata["origin"] != "simulated":
                raise ValueError(f"{builder.data_dir}: galaxies are {builder.info.metadata['origin']}; --science needs "
                                 "simulated ones, whose truth is known")  # fmt: skip
            known = look_at(builder, fold, networks[:1], config.model.observing, plan.n_known, one_of_each=True)
            mean = Score(networks[0], redshift_target("mean", config.redshift))
            measure_known_truth(folder, known, mean, config, progress=progress)
    return folder


def _examine(folder, ids, inputs, filling, score, builder, fold, config, plan, progress):
    """What the layers see among many test galaxies."""
    network = score.network
    seen = look_at(builder, fold, [network], config.model.observing, plan.n_seen)
    given = {name: seen.inputs[name] for name in inputs}
    latents = feature_maps(network, LATENT_LAYER, given)
    facts = Table({name: seen.columns[name] for name in ("obj_id", "z_spec", "ebv")})
    facts["z_phot"] = config.redshift.expectation(seen.pdfs[0])
    if "petro_r" in seen.columns:
        facts["petro_r"] = seen.columns["petro_r"]
    layer = plan.settings.layer or last_maps(network)
    examine(folder, ids, inputs, filling, given, facts, latents, score, layer, plan.settings.seed, progress)


def _sample(builder, fold, networks, config, plan, progress):
    """Galaxies that are explained, and why each."""
    seen = look_at(
        builder, fold, networks, config.model.observing, plan.n_seen, plan.obj_ids, one_of_each=not plan.obj_ids,
        progress=progress,
    )  # fmt: skip
    if plan.obj_ids:
        return seen, [CHOSEN] * len(seen)
    reasons = picked(seen, config.redshift, plan.n_galaxies, plan.settings.seed)
    return seen.rows(list(reasons)), list(reasons.values())


def _galaxies_table(ids, seen, grid, scores, inputs, filling):
    """Table of the galaxies with their answers."""
    table = Table(ids, copy=True)
    for name in ("group_id", "z_spec", "ebv", *TRUTH):
        if name in seen.columns:
            table[name] = seen.columns[name]
    table["pdf"], table["pdf_ensemble"] = (pdf.astype(np.float32) for pdf in (seen.pdfs[0], seen.pdfs.mean(axis=0)))
    for suffix, pdf in (("", seen.pdfs[0]), ("_ensemble", seen.pdfs.mean(axis=0))):
        table[f"z_phot{suffix}"] = grid.expectation(pdf)
    table["target_members"] = np.stack([score(inputs) for score in scores], axis=1)
    table["target"], table["target_filling"] = table["target_members"][:, 0], scores[0]({**inputs, **filling})
    table["sky_sigma"] = measure_sky(inputs["image"])[1].astype(np.float32)
    table["target"].description = "what is explained, by the network whose maps are shown"
    table["target_filling"].description = "the same without the galaxy, at E(B-V) 0"
    return table
