"""What the morphology report reads from run folders."""

from photoz_morph.models.layers.defences import DEFENCES
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import with_defence
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import read_morph_predictions
from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack
from photoz_morph.morph.robustness.latent_files import read_latent, seed_ratio
from photoz_morph.morph.robustness.perturbation_scores import read_perturbations
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.runs.progress import read_history, read_sessions
from photoz_morph.system.json_files import read_json


def read_results(run_dir):
    """What `morph_report` needs of one run."""
    config, dataset = read_run(run_dir, MorphConfig)
    members = finished_members(run_dir, MorphConfig)[0]
    table = read_morph_predictions(run_dir / "predictions.fits")
    sessions = read_sessions(run_dir)
    environment = read_json(run_dir / "environment.json")
    facts = {
        "galaxies for training, validation, test": ", ".join(map(str, dataset["galaxies_per_split"])),
        "mocks": ", ".join(f"{name} {value}" for name, value in dataset.get("mocks", {}).items()),
        "epochs": str(config.train.epochs),
        "training time [min]": f"{sum(session['seconds'] for session in sessions) / 60:.1f}",
        "peak memory [GB]": f"{max(session['peak_memory_gb'] for session in sessions)}",
        "versions": ", ".join(f"{name} {environment[name]}" for name in ("photoz-morph", "tensorflow", "keras")),
        "devices": ", ".join(environment["devices"]),
    }
    return {
        "name": run_dir.name,
        "config": (run_dir / "config.yaml").read_text(),
        "table": table,
        "scores": evaluate_morph(table),
        "histories": [read_history(path.parent) for path in members],
        "facts": facts,
        "attacks": _read_attacks(run_dir),
        "latent": _if_there(read_latent, run_dir / "latent.json"),
        "defended": _read_defended(run_dir, config),
        "perturbations": _if_there(read_perturbations, run_dir / "perturbations.json"),
    }


def _read_attacks(run_dir):
    """Table and images of each finished attack on a run, by the name of its folder."""
    return {folder.name: read_attack(folder) for folder in find_attacks(run_dir)}


def _read_defended(run_dir, config):
    """Scores and latent distances behind each other test-time defence that the run was predicted with."""
    found = {}
    for name in DEFENCES:
        path = with_defence(run_dir / "predictions.fits", config, name)
        if name != config.defence.test_time and path.exists():
            latent = _if_there(read_latent, with_defence(run_dir / "latent.json", config, name))
            found[name] = {"scores": evaluate_morph(read_morph_predictions(path)), "latent": latent}
    return found


def _if_there(read, path):
    """What a reader finds in a file that need not be there."""
    return read(path) if path.exists() else None


def seed_ratios(runs):
    """How far Y1 lies from Y10 in each run but the first, over the first, with the scatter of seeds where measured."""
    seeds = {run["name"]: run["latent"]["seeds"] for run in runs if run["latent"] and run["latent"]["seeds"]}
    first = runs[0]["name"]
    return {name: seed_ratio(seeds[first], found) for name, found in seeds.items() if name != first and first in seeds}
