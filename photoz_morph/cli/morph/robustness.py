"""The robustness commands of `morph`: attack, latent, perturb."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import defence_option, run_data_option, runs_argument
from photoz_morph.cli.options import echo, quiet_option
from photoz_morph.training.quiet import quiet_tensorflow

DEFAULT_RUNS = ("runs/morph_regular", "runs/morph_mmd")


@click.command()
@runs_argument
@click.option("--images", default=150, show_default=True, type=click.IntRange(min=1),
              help="Galaxies: the first test galaxies that all networks get right.")  # fmt: skip
@click.option("--search", default="lattice", show_default=True,
              type=click.Choice(["lattice", "saliency", "evolution", "random"]),
              help="evolution is published; saliency needs gradients; random is always made beside.")  # fmt: skip
@click.option("--max-queries", default=3200, show_default=True, type=click.IntRange(min=1),
              help="Images shown to the network, for each galaxy at most.")  # fmt: skip
@click.option("--bounds", default="data", show_default=True,
              help="Values a pixel may take: data (range of the test images), paper ([0, 1] of its scaling), "
              "sigma:NUMBER (of the sky) or electrons:NUMBER.")  # fmt: skip
@click.option("--domain", default="Y10", show_default=True, type=click.Choice(["Y10", "Y1"]), help="Which images.")
@click.option("--targeted", is_flag=True, help="Try one wrong class after the other, as published, instead of any.")
@click.option("--objective", default="margin", show_default=True, type=click.Choice(["margin", "probability"]),
              help="What the search lowers; probability is published and flat where the network is sure.")  # fmt: skip
@click.option("--success", default="flip", show_default=True, type=click.Choice(["flip", "paper"]),
              help="Another class, or the published thresholds on probabilities.")  # fmt: skip
@click.option("--population", default=400, show_default=True, type=click.IntRange(min=5), help="Of --search evolution.")
@click.option("--network", default=1, show_default=True, type=click.IntRange(min=1), help="Which seed of each run.")
@defence_option
@click.option("--precision", default="float32", show_default=True, type=click.Choice(["float32", "bfloat16"]),
              help="Of the questions; flips are confirmed in float32.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the search.")
@click.option("--name", help="Of the folder RUN/attacks/NAME; by default search, depth and bounds.")
@run_data_option
@quiet_option
def attack(runs, images, domain, bounds, network, defence, precision, seed, name, data_dir, quiet, **options):
    """Change the class of test galaxies of RUNS by one pixel, the same galaxies in all.

    Without RUNS those of the two arms, runs/morph_regular and runs/morph_mmd, which are trained first if they are not
    there. Finished galaxies are kept: the same command goes on where it stopped.
    """
    quiet_tensorflow()
    runs = _named(runs) or _default_runs(quiet)
    from photoz_morph.morph.report.tables.attacks import attack_markdown
    from photoz_morph.morph.report.tables.scores import DATA_NAMES
    from photoz_morph.morph.robustness.attack import AttackPlan, attack_runs, count_flips_on_disk
    from photoz_morph.morph.robustness.attack_files import read_attack
    from photoz_morph.robustness.one_pixel.attack import AttackOptions
    from photoz_morph.runs.scores import ORIGINS

    plan = AttackPlan(AttackOptions(**options), images, bounds, domain, network - 1, defence, precision, seed)
    folders = attack_runs(runs.values(), plan, name, data_dir, progress=not quiet)
    tables = {run: {folder.name: read_attack(folder)[0]} for run, folder in zip(runs, folders)}
    first = next(iter(next(iter(tables.values())).values()))
    echo(attack_markdown(tables, DATA_NAMES[ORIGINS[first.meta["origin"]]]), quiet)
    for run, folder in zip(runs.values(), folders):
        still, flipped = count_flips_on_disk(run, folder)
        echo(f"{folder}: {flipped} flipped; of their images read back from disk {still} are still flipped.", quiet)
    echo(f"Next: morph latent {' '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--attack", "attack_name", metavar="NAME",
              help="Attack in RUN/attacks/NAME; by default the first of Y10 images by the first seed.")  # fmt: skip
@click.option("--every-seed", is_flag=True, help="Also measure from Y10 to Y1 by every seed.")
@defence_option
@run_data_option
@quiet_option
def latent(runs, attack_name, every_seed, defence, data_dir, quiet):
    """Latent distances and margins of RUNS, raw and in units of the class separation, in the layout of Table 2.

    Results go to RUN/latent.json. Without RUNS runs/morph_regular and runs/morph_mmd.
    """
    quiet_tensorflow()
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.defences import with_defence
    from photoz_morph.morph.report.tables.latents import latent_markdown, seed_verdicts
    from photoz_morph.morph.report.tables.scores import DATA_NAMES
    from photoz_morph.morph.robustness.latent_files import read_latent, seed_ratio, write_latent
    from photoz_morph.morph.robustness.latent_scores import compare_latents
    from photoz_morph.morph.robustness.latents import latent_run as run_latent
    from photoz_morph.morph.robustness.latents import measure_run
    from photoz_morph.runs.folder import read_run
    from photoz_morph.runs.scores import ORIGINS

    latents, measurements, runs = {}, {}, _named(runs or DEFAULT_RUNS)
    attack_name = attack_name or _common_attack(runs.values(), defence)
    if attack_name is None:
        echo("No attack on the first seed's Y10 images in all runs: only distances from Y10 to Y1; make one with "
            "`morph attack`.", quiet)  # fmt: skip
    for name, run in runs.items():
        folder = run / "attacks" / attack_name if attack_name else None
        measured = measurements[name] = measure_run(run, folder, data_dir, defence, progress=not quiet)
        found = run_latent(run, folder, data_dir, every_seed, defence, progress=not quiet, measurements=measured)
        path = with_defence(run / "latent.json", read_run(run, MorphConfig)[0], defence)
        if not every_seed and path.exists():
            earlier = read_latent(path)
            found["seeds"] = earlier["seeds"] if earlier["head"] == found["head"] else None  # of the same networks
        latents[name] = found
        write_latent(found, path)
    first, *others = latents
    ratios = {run: compare_latents(measurements[first], measurements[run]) for run in others}
    data = DATA_NAMES[ORIGINS[measurements[first].table.meta["origin"]]]
    echo(latent_markdown(latents, data, ratios), quiet)
    if every_seed:
        seeds = {run: seed_ratio(latents[first]["seeds"], latents[run]["seeds"]) for run in others}
        echo("".join(f"- {sentence}\n" for sentence in seed_verdicts(latents, seeds)), quiet)
    echo(f"In {path.name} of each run. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--kind", "kinds", multiple=True, help="Perturbation; several times. All by default.")
@click.option("--images", type=click.IntRange(min=2), help="Test galaxies; 500 by default.")
@defence_option
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--overwrite", is_flag=True, help="Throw earlier results away.")
@run_data_option
@quiet_option
def perturb(runs, kinds, images, defence, seed, overwrite, data_dir, quiet):
    """Accuracy of RUNS under detector defects, compression, a wrong background, worse seeing, less exposure.

    Severities are in electrons, sky sigma, years or arcsec. Results go to RUN/perturbations.json, kind by kind; the
    same command goes on where it stopped. Without RUNS runs/morph_regular and runs/morph_mmd.
    """
    quiet_tensorflow()
    from photoz_morph.morph.report.tables.perturbations import perturbation_markdown
    from photoz_morph.morph.report.tables.scores import DATA_NAMES
    from photoz_morph.morph.robustness.perturb import perturb_run

    runs = _named(runs or DEFAULT_RUNS)
    found = {
        name: perturb_run(run, kinds or None, images, data_dir, defence, seed, overwrite, progress=not quiet)
        for name, run in runs.items()
    }
    echo(perturbation_markdown(found, DATA_NAMES[next(iter(found.values()))["data"]]), quiet)
    echo(f"In each run's folder. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


def _default_runs(quiet):
    """The runs of the two arms, trained if they are not there."""
    from photoz_morph.cli.morph.training import train
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import finished_members

    context = click.get_current_context()
    for run in map(Path, DEFAULT_RUNS):
        try:
            finished_members(run, MorphConfig)
        except FileNotFoundError:
            echo(f"No finished network in {run}: training one of {run.name}.yaml, ten minutes or so on a core.", quiet)
            context.invoke(train, config=f"{run.name}.yaml", run_dir=str(run), quiet=quiet)
    return _named(DEFAULT_RUNS)


def _named(runs):
    """Run folders by their names, which must differ."""
    named = {Path(run).resolve().name: Path(run) for run in runs}
    if len(named) < len(runs):
        raise ValueError(f"two of the runs {', '.join(runs)} have one name; give each once, or rename a folder")
    return named


def _common_attack(runs, defence):
    """Name of the first attack on the first seed's Y10 images that all runs have; None if there is none."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack_settings
    from photoz_morph.runs.folder import read_run

    names = []
    for run in runs:
        wanted = {"member": 0, "domain": "Y10", "defence": defence or read_run(run, MorphConfig)[0].defence.test_time}
        folders = [path for path in find_attacks(run) if wanted.items() <= read_attack_settings(path).items()]
        names.append([folder.name for folder in folders])
    return next((name for name in names[0] if all(name in others for others in names)), None)
