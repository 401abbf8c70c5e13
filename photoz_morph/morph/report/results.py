"""Results in the morphology report, and their reading from run folders."""

from dataclasses import dataclass, field

from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import with_defence
from photoz_morph.morph.evaluation.depth import read_depth
from photoz_morph.morph.predictions import read_morph_predictions
from photoz_morph.morph.report.latent_results import LatentResults
from photoz_morph.morph.report.style import RUN_STYLES
from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack
from photoz_morph.morph.robustness.latent_files import read_latent
from photoz_morph.morph.robustness.perturbation_scores import read_perturbations
from photoz_morph.morph.selection import calibration, ranking
from photoz_morph.report.text import DATA_NAMES
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.runs.progress import read_history, read_sessions
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.json_files import read_json

MAX_RUNS = len(RUN_STYLES)


@dataclass(frozen=True)
class MorphResults:
    """Contents of the report of one to three runs on the same galaxies.

    Attributes
    ----------
    runs : list of dict
        Each with `name`; `config`, its text; `table`, from `read_morph_predictions`; `scores`, from `evaluate_morph`;
        `histories`, a list with the rows (list of dict of numbers) of each seed; and, where known, `facts`, a dict of
        str to text for the provenance, `attacks`, a dict of name to (table, images) from `read_attack`, `latent`, from
        `read_latent`, `perturbations`, from `read_perturbations`, `depth`, from `read_depth`, `selection`, from
        `rank_runs`, `calibration`, from `calibrate_run`, and `defended`, a dict of test-time defences other than the
        run's own to `scores` and `latent` behind them.
    origin : str
        A key of `runs.scores.ORIGINS`.
    comparison : dict, optional
        From `compare_morph`, of the first two runs.
    examples : dict, optional
        `image_y10`, `image_y1`, shape (k, height, width, 3) in g, r, i [image unit], and `label`, shape (k,); of
        composites `image_simulated`, `label_simulated`, `image_real` and `label_real`.
    sample : dict, optional
        `gini`, `m20`, `label`, `label_g`, `intended_type` of all galaxies; labels index `mocks.labels.CLASS_NAMES`.
    reference : dict, optional
        `gini`, `m20` and `name` of other galaxies, drawn as contours.
    note : str
        Reason why there are no examples.
    others : list of dict
        Further runs for the table of defences.
    latents : LatentResults
        Of the runs, from `latent_results`.
    pixel_windows : dict of str to ChurchWindow
        Of the images of the galaxy of `latents.triplets`, by the name of the run.
    perturbed : dict, optional
        One galaxy under every perturbation: `image`, `examples` and `kinds` of `perturbation_sheet`.
    seed_ratios : dict of str to dict
        From `latent_files.seed_ratio`, by the name of each run but the first.
    baselines : dict of str to dict
        Predictions without a network of the same galaxies, by their name: `scores` from `evaluate_morph`, and
        `comparisons`, from `compare_morph` of the baseline with each run, by the name of the run.
    baseline_note : str
        Reason why there are none.
    """

    runs: list
    origin: str
    comparison: dict | None = None
    examples: dict | None = None
    sample: dict | None = None
    reference: dict | None = None
    note: str = ""
    others: list = field(default_factory=list)
    latents: LatentResults = field(default_factory=LatentResults)
    pixel_windows: dict = field(default_factory=dict)
    perturbed: dict | None = None
    seed_ratios: dict = field(default_factory=dict)
    baselines: dict = field(default_factory=dict)
    baseline_note: str = ""

    @property
    def scores(self):
        """Scores by the name of their run."""
        return {run["name"]: run["scores"] for run in self.runs}

    @property
    def all_scores(self):
        """Scores of the runs, then of the baselines, by their names."""
        return self.scores | {name: part["scores"] for name, part in self.baselines.items()}

    @property
    def domains(self):
        """Names of source and target, such as Y10 and Y1."""
        return tuple(self.runs[0]["scores"]["domains"])

    @property
    def is_real(self):
        """True if the galaxies are real, not simulated."""
        return ORIGINS[self.origin] == "real"

    @property
    def data(self):
        """Name of the galaxies, such as "simulated galaxies"."""
        return DATA_NAMES[ORIGINS[self.origin]]

    def check(self):
        """Refuse runs that do not belong together.

        Raises
        ------
        ValueError
            If there are too many runs, two share a name, or they differ in galaxies, classes or origin.
        """
        names = [run["name"] for run in self.runs]
        if not 1 <= len(names) <= MAX_RUNS or len(set(names)) < len(names):
            names = ", ".join(names) or "none"
            raise ValueError(f"a report takes 1 to {MAX_RUNS} runs of different names, got {names}")
        shown = [*names, *(run["name"] for run in self.others), *self.baselines]
        twice = sorted({name for name in shown if shown.count(name) > 1})
        if twice:
            raise ValueError(f"two runs of a report are named {', '.join(twice)}; rename the folder of one")
        first = self.runs[0]["scores"]
        for run in [*self.runs, *self.others]:
            origin = run["table"].meta["origin"]
            if origin != self.origin:
                raise ValueError(f"{run['name']}: origin is {origin}, not {self.origin}")
        scored = self.all_scores | {run["name"]: run["scores"] for run in self.others}
        for name, scores in scored.items():
            for key in ("n_galaxies", "n_groups", "classes"):
                if scores[key] != first[key]:
                    raise ValueError(
                        f"{name}: {key} is {scores[key]}, that of {names[0]} is {first[key]}; report runs of one "
                        "dataset together"
                    )


def read_run_results(run_dir):
    """Read what the report shows of one run, all but its scores.

    Parameters
    ----------
    run_dir : Path

    Returns
    -------
    dict
        As in `MorphResults.runs`, without `scores`; in `defended` the predictions, `table`, stand in their place.
    """
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
        "histories": [read_history(path.parent) for path in members],
        "facts": facts,
        "attacks": _read_attacks(run_dir),
        "latent": _read_if_present(read_latent, run_dir / "latent.json"),
        "defended": _read_defended(run_dir, config),
        "perturbations": _read_if_present(read_perturbations, run_dir / "perturbations.json"),
        "depth": _read_if_present(read_depth, run_dir / "depth.json"),
        "selection": _read_if_present(ranking.read_selection, run_dir / ranking.FILE),
        "calibration": _read_if_present(calibration.read_calibration, run_dir / calibration.FILE),
    }


def _read_attacks(run_dir):
    """Table and images of each finished attack on a run, by the name of its folder."""
    return {folder.name: read_attack(folder) for folder in find_attacks(run_dir)}


def _read_defended(run_dir, config):
    """Predictions and latent distances behind each other test-time defence that the run was predicted with."""
    found = {}
    for name in MorphConfig.CHOICES["defence.test_time"]:
        path = with_defence(run_dir / "predictions.fits", config, name)
        if name != config.defence.test_time and path.exists():
            latent = _read_if_present(read_latent, with_defence(run_dir / "latent.json", config, name))
            found[name] = {"table": read_morph_predictions(path), "latent": latent}
    return found


def _read_if_present(read, path):
    """Contents of a file, or None where it is missing."""
    return read(path) if path.exists() else None
