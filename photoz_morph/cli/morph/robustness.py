"""The robustness commands of `morph`: attack, latent, perturb, depth."""

from pathlib import Path

import click

from photoz_morph.cli.morph.options import defence_option, run_data_option, runs_argument
from photoz_morph.cli.options import UserPath, echo, own_output, quiet_option
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

DEFAULT_RUNS = ("runs/morph_regular", "runs/morph_mmd")


@click.command()
@runs_argument
@click.option("--images", default=150, show_default=True, type=click.IntRange(min=1),
              help="Galaxies to attack: the first test galaxies that all networks classify correctly.")  # fmt: skip
@click.option("--search", default="lattice", show_default=True,
              type=click.Choice(["lattice", "saliency", "evolution", "random", "sparse-rs", "sparse-pgd"]),
              help="Search; evolution, sparse-rs and sparse-pgd are published, saliency and sparse-pgd need gradients, "
              "random always runs beside.")  # fmt: skip
@click.option("--pixels", default=1, show_default=True, type=click.IntRange(1, 100),
              help="Number of pixels that may change.")  # fmt: skip
@click.option("--max-queries", default=3200, show_default=True, type=click.IntRange(min=1),
              help="Maximum number of queries of the network per galaxy.")  # fmt: skip
@click.option("--bounds", default="data", show_default=True,
              help="Allowed pixel values: data (range of the test images), paper ([0, 1] of its scaling), "
              "sigma:NUMBER (of the sky) or electrons:NUMBER; less where the network clips its images.")  # fmt: skip
@click.option("--domain", default="Y10", show_default=True, type=click.Choice(["Y10", "Y1"]),
              help="Depth of the images.")  # fmt: skip
@click.option("--targeted", is_flag=True,
              help="Try each wrong class in turn, as published, instead of any class at once.")  # fmt: skip
@click.option("--objective", default="margin", show_default=True, type=click.Choice(["margin", "probability"]),
              help="Quantity to minimise; probability is published, but flat for a certain network.")  # fmt: skip
@click.option("--success", default="flip", show_default=True, type=click.Choice(["flip", "paper"]),
              help="Criterion: another class, or the published thresholds on probabilities.")  # fmt: skip
@click.option("--population", default=400, show_default=True, type=click.IntRange(min=5),
              help="Population of --search evolution.")  # fmt: skip
@click.option("--network", type=click.IntRange(min=1),
              help="Network of each run, counted from 1; the first by default.")  # fmt: skip
@click.option("--all-seeds", is_flag=True,
              help="Attack every network of each run in turn, and give intervals over them.")  # fmt: skip
@defence_option
@click.option("--precision", default="float32", show_default=True, type=click.Choice(["float32", "bfloat16"]),
              help="Precision of the queries; flips are confirmed in float32.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the search.")
@click.option("--name", help="Name of the folder RUN/attacks/NAME; by default search, depth and bounds.")
@run_data_option
@quiet_option
def attack(
    runs, images, domain, bounds, network, all_seeds, defence, precision, seed, name, data_dir, quiet, **options
):  # fmt: skip
    """Attack the test galaxies of RUNS: change their class by changing one pixel, or a few.

    All RUNS are attacked on the same galaxies; with --all-seeds these are other ones for each number of a network. By
    default RUNS are the two arms, runs/morph_regular and runs/morph_mmd,
    which are trained first if missing. If interrupted, run the same command again: it resumes after the last finished
    galaxy.
    """
    if all_seeds and network:
        raise click.UsageError("--all-seeds attacks every network; leave out --network")
    quiet_tensorflow()
    runs = _named(runs) or _default_runs(quiet)
    for run in runs.values():
        check_writable(run)
    from photoz_morph.morph.report.tables.attack_seeds import seed_markdown
    from photoz_morph.morph.report.tables.attacks import attack_markdown
    from photoz_morph.morph.robustness.attack import AttackPlan, attack_runs, count_flips_on_disk, name_of_network
    from photoz_morph.morph.robustness.attack_files import read_attack
    from photoz_morph.report.text import DATA_NAMES
    from photoz_morph.robustness.one_pixel.attack import AttackOptions
    from photoz_morph.runs.scores import ORIGINS

    members, every = range(_n_networks(runs.values())) if all_seeds else [(network or 1) - 1], {}
    for member in members:
        plan = AttackPlan(AttackOptions(**options), images, bounds, domain, member, defence, precision, seed)
        own_name = name_of_network(name, member) if all_seeds and name else name
        folders = attack_runs(runs.values(), plan, own_name, data_dir, progress=not quiet)
        tables = {run: {folder.name: read_attack(folder)[0]} for run, folder in zip(runs, folders)}
        data = DATA_NAMES[ORIGINS[next(iter(next(iter(tables.values())).values())).meta["origin"]]]
        echo(attack_markdown(tables, data), quiet)
        for run, folder in zip(runs.values(), folders):
            still, flipped = count_flips_on_disk(run, folder)
            echo(f"{folder}: {flipped} flipped; of their images read back from disk {still} are still flipped.", quiet)
        for run, of_run in tables.items():
            every.setdefault(run, {}).update(of_run)
    if len(members) > 1:
        echo(seed_markdown(every, data), quiet)
    echo(f"Next: morph latent {' '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--attack", "attack_name", metavar="NAME",
              help="Attack in RUN/attacks/NAME; by default the first on Y10 images and the first seed.")  # fmt: skip
@click.option("--every-seed", is_flag=True, help="Also measure the distances from Y10 to Y1 for every seed.")
@defence_option
@run_data_option
@quiet_option
def latent(runs, attack_name, every_seed, defence, data_dir, quiet):
    """Measure latent-space distances and margins of RUNS, in the layout of the paper's Table 2.

    Lengths are given raw and in units of the class separation. Results are written to RUN/latent.json. By default RUNS
    are runs/morph_regular and runs/morph_mmd.
    """
    quiet_tensorflow()
    from photoz_morph.morph.report.tables.latents import latent_markdown, seed_verdicts
    from photoz_morph.morph.robustness.attack_files import common_attack
    from photoz_morph.morph.robustness.latent_files import seed_ratio
    from photoz_morph.morph.robustness.latents import latent_runs
    from photoz_morph.report.text import DATA_NAMES

    runs = _named(runs or DEFAULT_RUNS)
    _own(runs, "latent.json")
    attack_name = attack_name or common_attack(runs.values(), defence)
    if attack_name is None:
        echo("No attack on the first seed's Y10 images is common to all runs: measuring only the distances from Y10 to "
             "Y1; make one with `morph attack`.", quiet)  # fmt: skip
    latents, ratios = latent_runs(runs, attack_name, data_dir, every_seed, defence, progress=not quiet)
    first, *others = latents
    echo(latent_markdown(latents, DATA_NAMES[latents[first]["data"]], ratios), quiet)
    if every_seed:
        seeds = {run: seed_ratio(latents[first]["seeds"], latents[run]["seeds"]) for run in others}
        echo("".join(f"- {sentence}\n" for sentence in seed_verdicts(latents, seeds)), quiet)
    echo(f"Results in the folder of each run. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--kind", "kinds", multiple=True, help="Perturbation; may be repeated. All by default.")
@click.option("--images", type=click.IntRange(min=2), help="Number of test galaxies; 500 by default.")
@defence_option
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the perturbations.")
@click.option("--overwrite", is_flag=True, help="Discard earlier results.")
@run_data_option
@quiet_option
def perturb(runs, kinds, images, defence, seed, overwrite, data_dir, quiet):
    """Measure the accuracy of RUNS under perturbed images.

    The perturbations are detector defects, compression, a wrong background, worse seeing and less exposure. Severities
    are in electrons, sky sigma, years or arcsec. Results are written to RUN/perturbations.json after each kind; if
    interrupted, run the same command again to resume. By default RUNS are runs/morph_regular and runs/morph_mmd.
    """
    quiet_tensorflow()
    from photoz_morph.morph.report.tables.perturbations import perturbation_markdown
    from photoz_morph.morph.robustness.perturb import perturb_run
    from photoz_morph.report.text import DATA_NAMES

    runs = _named(runs or DEFAULT_RUNS)
    _own(runs, "perturbations.json")
    found = {
        name: perturb_run(run, kinds or None, images, data_dir, defence, seed, overwrite, progress=not quiet)
        for name, run in runs.items()
    }
    echo(perturbation_markdown(found, DATA_NAMES[next(iter(found.values()))["data"]]), quiet)
    echo(f"Results in the folder of each run. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


@click.command()
@runs_argument
@click.option("--years", multiple=True, type=click.FloatRange(0, 10, min_open=True), default=(0.5, 1, 2, 5, 10),
              show_default=True, help="Years of observation; may be repeated.")  # fmt: skip
@click.option("--scenes", type=UserPath(),
              help="Folder of the scenes the dataset was made from; by default scenes beside the dataset.")  # fmt: skip
@click.option("--mocks", type=UserPath(),
              help="Folder that keeps the mocks of each depth; by default depths beside the dataset.")  # fmt: skip
@defence_option
@click.option("--overwrite", is_flag=True, help="Discard earlier results; the mocks are kept.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes that observe; all cores by default.")  # fmt: skip
@run_data_option
@quiet_option
def depth(runs, years, scenes, mocks, defence, overwrite, processes, data_dir, quiet):
    """Measure the accuracy of RUNS, every seed, against the years of observation.

    The noiseless test galaxies are observed after each number of years, once for all RUNS, which must be trained on one
    dataset. Results are written to RUN/depth.json after each depth; if interrupted, run the same command again to
    resume. By default RUNS are runs/morph_regular and runs/morph_mmd.
    """
    quiet_tensorflow()
    from photoz_morph.morph.report.tables.depth import depth_markdown
    from photoz_morph.morph.robustness.depth import depth_run, mock_test_galaxies
    from photoz_morph.report.text import DATA_NAMES

    runs = _named(runs or DEFAULT_RUNS)
    _own(runs, "depth.json")
    found = {}
    for name, run in runs.items():
        folder = mock_test_galaxies(run, years, scenes, mocks, data_dir, processes, progress=not quiet)
        found[name] = depth_run(run, folder, years, defence, 0, overwrite, progress=not quiet)
    echo(depth_markdown(found, DATA_NAMES[next(iter(found.values()))["data"]]), quiet)
    echo(f"Results in the folder of each run. Next: morph report {' --against '.join(map(str, runs.values()))}", quiet)


def _own(runs, name):
    """Own the results of that name in each run folder; refuse before the work one where they could not be written."""
    for run in runs.values():
        if run.is_dir():  # else its absence is the error
            own_output(run / name, "give other RUNS")


def _n_networks(runs):
    """Number of networks that each run has; refused if it differs, as the runs are compared network by network."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import finished_members

    counts = {str(run): len(finished_members(run, MorphConfig)[0]) for run in runs}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{run} {number}" for run, number in counts.items())
        raise ValueError(f"--all-seeds: the runs have different numbers of networks ({found}); train as many seeds of "
                         "each, or attack the runs separately")  # fmt: skip
    return next(iter(counts.values()))


def _default_runs(quiet):
    """Runs of the two arms, trained if missing."""
    from photoz_morph.cli.morph.training import train
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import finished_members

    context = click.get_current_context()
    for run in map(Path, DEFAULT_RUNS):
        try:
            finished_members(run, MorphConfig)
        except FileNotFoundError:
            echo(f"No finished network in {run}: training one of {run.name}.yaml, about ten minutes on a core.", quiet)
            context.invoke(train, config=f"{run.name}.yaml", run_dir=str(run), quiet=quiet)
    return _named(DEFAULT_RUNS)


def _named(runs):
    """Run folders by their names, which must differ."""
    named = {Path(run).resolve().name: Path(run) for run in runs}
    if len(named) < len(runs):
        raise ValueError(f"two of the runs {', '.join(runs)} have the same name; give each once, or rename a folder")
    return named
