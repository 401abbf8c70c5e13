"""Explain the classes of a morphology run: chosen or picked test galaxies, by one network and the other seeds."""

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
from photoz_morph.explain.sky import baseline, galaxy_masks, measure_sky
from photoz_morph.morph import dataset
from photoz_morph.morph.classify import load_classifiers
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.explanation.galaxies import CHOSEN, flipped_pixels, look_at, picked
from photoz_morph.morph.explanation.known_truth import measure_known_truth
from photoz_morph.runs.folder import finished_members, read_run, run_provenance
from photoz_morph.system.locks import locked
from photoz_morph.system.provenance import code_version

TARGETS = ("logit", "probability", "margin", "entropy")
METHODS = ("integrated_gradients", "smooth_grad", "grad_cam", "occlusion")
PREDICTED, TRUE = "predicted", "true"
TRUTH = ("mass_ratio", "separation", "time_myr", "axis_ratio", "bulge_to_total", "intended_type", "gini", "m20")


@dataclasses.dataclass(frozen=True)
class ExplainPlan:
    """What is explained, and how.

    Attributes
    ----------
    methods : tuple of str
        Keys of `explain.methods.METHODS`.
    target : str
        One of `TARGETS`.
    of : str
        Class of the target: "predicted", "true", or the name of one.
    depth : {"Y10", "Y1"}
    n_galaxies : int
    obj_ids : tuple of int
        Galaxies to explain instead of picked ones.
    network : int
        Seed whose maps are shown, from 0; the others vote.
    n_seen : int
        Test galaxies among which some are picked.
    n_known : int
        Simulated mergers that are taken apart, see `known_truth`.
    encounters : str, optional
        Folder of their encounters; by default one in the folder of the explanations.
    anatomy : bool
        Whether to examine what the filters see, make images, and map the latent space.
    settings : Settings
    """

    methods: tuple = METHODS
    target: str = "margin"
    of: str = PREDICTED
    depth: str = "Y10"
    n_galaxies: int = 8
    obj_ids: tuple = ()
    network: int = 0
    n_seen: int = 1000
    n_known: int = 0
    anatomy: bool = True
    encounters: str | None = None
    settings: Settings = Settings(size=10, stride=5)

    def __post_init__(self):
        for name, choices in (("target", TARGETS), ("depth", ("Y10", "Y1"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    @property
    def name(self):
        """Default name of the folder."""
        return "_".join([self.target, self.of.replace(" ", "_"), self.depth])


def class_target(name, classes):
    """Target of logits by its name, for a class of each galaxy; see `ExplainPlan.target`."""
    if name == "entropy":
        return targets.entropy("logits", from_logits=True)
    made = {"logit": targets.class_logit, "probability": targets.class_probability, "margin": targets.logit_margin}
    return made[name](np.asarray(classes))


def explain_run(run_dir, plan=None, name=None, data_dir=None, out_dir=None, progress=True):
    """Explain test galaxies of a run; methods that are finished are kept.

    Parameters
    ----------
    run_dir : path-like
    plan : ExplainPlan, optional
    name : str, optional
        Of the folder; by default that of the target, its class and the depth.
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
        If the run has no such network, class or galaxy, there is no such method or target, the galaxies are not at both
        depths, or the folder holds other explanations.
    """
    plan = plan or ExplainPlan()
    methods = chosen_methods(plan.methods)
    config, trained_on = read_run(run_dir, MorphConfig)
    if plan.of not in (PREDICTED, TRUE, *config.class_names):
        raise ValueError(f"class is {plan.of!r}; give {PREDICTED}, {TRUE}, or one of {', '.join(config.class_names)}")
    name = name or plan.name
    if Path(name).name != name:
        raise ValueError(f"name is {name!r}; give one without a slash, it is a folder in RUN/explanations")
    paths = finished_members(run_dir, MorphConfig)[0]
    if not 0 <= plan.network < len(paths):
        raise ValueError(f"{run_dir}: no network {plan.network + 1}; give 1 to {len(paths)}")
    builder = dataset.open_run_dataset(trained_on, data_dir)
    dataset.require_pairs(builder, "explain")
    folder, provenance = Path(out_dir or Path(run_dir) / "explanations") / name, run_provenance(trained_on, paths)
    with locked(folder, "give another --name"):
        settings = dataclasses.asdict(plan) | {**provenance, "survey": config.survey}
        for later in ("methods", "n_known", "encounters", "anatomy"):  # more may be added later
            del settings[later]
        start_folder(folder, settings)
        networks = load_classifiers(run_dir, float32=True)
        networks.insert(0, networks.pop(plan.network))
        flipped = flipped_pixels(run_dir, plan.depth.lower(), plan.network)
        show = partial(tqdm, desc="look", unit=" batches", disable=not progress)
        seen, reasons = _sample(builder, networks, config, plan, flipped, show)
        images = seen.images.astype(np.float32)
        inputs = {"image": images}
        if "domain" in networks[0].input:
            inputs["domain"] = np.full(len(images), dataset.DOMAINS.index(plan.depth.lower()), np.int32)
        masks = galaxy_masks(images)
        filling = baseline(inputs, masks=masks, seed=plan.settings.seed)
        classes = _classes(seen, plan.of, config.class_names)
        scores = [Score(network, class_target(plan.target, classes)) for network in networks]
        ids = Table({"obj_id": seen.columns["obj_id"], "copy": seen.columns["copy"], "reason": reasons})
        if not is_stored(folder, GALAXIES):
            table = _galaxies_table(ids, seen, classes, flipped, scores, inputs, filling)
            table.meta |= {
                "chain": "morph", "run": Path(run_dir).resolve().name, "target": plan.target, "of": plan.of,
                "depth": plan.depth, "network": plan.network + 1, "n_member": len(paths),
                "classes": ",".join(config.class_names), "origin": builder.info.metadata["origin"],
                "code": code_version(), **provenance,
            }  # fmt: skip
            arrays = {"image": images, "filling": filling["image"], "mask": masks}
            write_stored(folder, GALAXIES, table, arrays)
        bands = ("g", "r", "i") if images.shape[-1] == 3 else tuple(map(str, range(images.shape[-1])))
        explain_galaxies(folder, ids, inputs, filling, scores, methods, plan.settings, bands, progress)
        if plan.anatomy and has_convolutions(networks[0]):
            _examine(folder, ids, inputs, filling, scores[0], builder, config, plan, progress)
        if plan.n_known:
            measure_known_truth(folder, builder, networks[0], plan.depth.lower(), config.data.classes, plan.n_known,
                                plan.encounters, progress=progress)  # fmt: skip
    return folder


def _examine(folder, ids, inputs, filling, score, builder, config, plan, progress):
    """What the layers see among many test galaxies."""
    network = score.network
    seen = look_at(builder, [network], config.data.classes, plan.depth.lower(), plan.n_seen)
    given = {"image": seen.images.astype(np.float32)}
    if "domain" in inputs:
        given["domain"] = np.full(len(seen), inputs["domain"][0], np.int32)
    names = np.array([*config.class_names, ""])
    facts = Table({"obj_id": seen.columns["obj_id"], "label": names[seen.columns["label"]]})
    facts["predicted"] = names[seen.probabilities[0].argmax(axis=1)]
    facts["flux_r"] = seen.images[..., min(1, seen.images.shape[-1] - 1)].sum(axis=(1, 2))
    layer = plan.settings.layer or last_maps(network)
    examine(folder, ids, inputs, filling, given, facts, seen.latents, score, layer, plan.settings.seed, progress)


def _sample(builder, networks, config, plan, flipped, progress):
    """Galaxies that are explained, and why each."""
    seen = look_at(builder, networks, config.data.classes, plan.depth.lower(), plan.n_seen, plan.obj_ids, progress)
    if plan.obj_ids:
        return seen, [CHOSEN] * len(seen)
    reasons = picked(seen, set(flipped), plan.n_galaxies, plan.settings.seed)
    return seen.rows(list(reasons)), list(reasons.values())


def _classes(seen, of, names):
    """Class whose target is explained, of each galaxy; the predicted one where the true one is unknown."""
    predicted = seen.probabilities[0].argmax(axis=1)
    if of == PREDICTED:
        return predicted
    if of == TRUE:
        return np.where(seen.columns["label"] >= 0, seen.columns["label"], predicted)
    return np.full(len(seen), names.index(of))


def _galaxies_table(ids, seen, classes, flipped, scores, inputs, filling):
    """Table of the galaxies with their answers."""
    table = Table(ids, copy=True)
    for name in ("group_id", "label", *TRUTH):
        if name in seen.columns:
            table[name] = seen.columns[name]
    table["class_explained"] = classes
    table["probability_members"] = np.moveaxis(seen.probabilities, 0, 1).astype(np.float32)
    table["probability_other_depth"] = seen.other.astype(np.float32)
    table["flipped_pixel"] = [flipped.get(int(obj_id), (-1, -1, -1))[:2] for obj_id in seen.columns["obj_id"]]
    table["target_members"] = np.stack([score(inputs) for score in scores], axis=1)
    table["target"], table["target_filling"] = table["target_members"][:, 0], scores[0]({**inputs, **filling})
    table["sky_sigma"] = measure_sky(inputs["image"])[1].astype(np.float32)
    return table
