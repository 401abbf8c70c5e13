"""The robustness command of `photoz`: attack."""

from pathlib import Path

import click

from photoz_morph.cli.options import UserPath, echo, quiet_option, run_argument
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

RANGES = {"electrons": (10.0, 1e5), "sigma": (1.0, 1e4)}  # of the size of a change


@click.command()
@run_argument
@click.option("--galaxies", default=100, show_default=True, type=click.IntRange(min=1),
              help="Galaxies to attack: the first test galaxy of each parent.")  # fmt: skip
@click.option("--criterion", default="z_phot", show_default=True, type=click.Choice(["z_phot", "interval"]),
              help="To be moved: z_phot by more than 0.05 (1 + z_phot), or the 68 % interval off z_spec.")  # fmt: skip
@click.option("--measure", default="electrons", show_default=True, type=click.Choice(["electrons", "sigma"]),
              help="What is made small: electrons of all hits, or the largest hit in sigma of the sky.")  # fmt: skip
@click.option("--pixels", "n_hits", default=3, show_default=True, type=click.IntRange(min=1),
              help="Maximum number of pixels changed, each in one band.")  # fmt: skip
@click.option("--search", default="gradient", show_default=True, type=click.Choice(["gradient", "lattice", "random"]),
              help="Search: white box, black box, or random pixels as a baseline.")  # fmt: skip
@click.option("--unseen", is_flag=True, help="Only changes that a cosmic-ray mask as L.A.Cosmic's does not catch.")
@click.option("--largest", type=click.FloatRange(min=0, min_open=True),
              help="Largest change, in electrons (100,000 by default) or sigma (10,000).")  # fmt: skip
@click.option("--max-queries", default=3200, show_default=True, type=click.IntRange(min=1),
              help="Maximum number of queries of the networks per galaxy.")  # fmt: skip
@click.option("--fold", type=click.IntRange(min=0), help="Test fold; by default the first that is finished.")
@click.option("--network", default=1, show_default=True, type=click.IntRange(min=0),
              help="Network attacked beside the ensemble, counted from 1; 0 for none.")  # fmt: skip
@click.option("--maximask", is_flag=True,
              help="Also ask the program MaxiMask, if it is installed, which changes it would mask.")  # fmt: skip
@click.option("--uncalibrated", is_flag=True, help="The mean of the members' PDFs, although RUN is calibrated.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the search.")
@click.option("--name", help="Name of the folders RUN/attacks/NAME_ensemble and NAME_network1.")
@click.option("--out", type=UserPath(), help="Folder of the attacks; by default RUN/attacks, which the report reads.")
@click.option("--data-dir", type=UserPath(),
              help="Prepared dataset; by default the one RUN was trained on.")  # fmt: skip
@quiet_option
def attack(run, galaxies, criterion, measure, n_hits, search, unseen, largest, max_queries, fold, network, maximask,
           uncalibrated, seed, name, out, data_dir, quiet):  # fmt: skip
    """Attack the redshifts of RUN: find the smallest change of few pixels that moves them.

    The ensemble of a fold and a single network are attacked on the same galaxies. If interrupted, run the same command
    again: it resumes after the last finished shard.
    """
    lowest, highest = RANGES[measure]
    if largest is not None and largest <= lowest:
        raise click.UsageError(f"--largest is {largest:g}; give more than {lowest:g} {measure}")
    check_writable(Path(out or run))
    quiet_tensorflow()
    from photoz_morph.photoz.robustness.maximask import ask_maximask, check_maximask

    if maximask:
        check_maximask()
    from photoz_morph.photoz.report.tables.attacks import attack_markdown
    from photoz_morph.photoz.robustness.attack import AttackPlan, attack_run
    from photoz_morph.photoz.robustness.attack_files import read_attack
    from photoz_morph.report.text import DATA_NAMES
    from photoz_morph.robustness.few_pixels.smallest import SmallestOptions
    from photoz_morph.runs.scores import ORIGINS

    options = SmallestOptions(search, n_hits, lowest, largest or highest, max_queries=max_queries)
    plan = AttackPlan(options, criterion, measure, unseen, galaxies, fold, network - 1 if network else None,
                      uncalibrated, seed)  # fmt: skip
    folders = attack_run(run, plan, name, data_dir, out, progress=not quiet)
    for folder in folders if maximask else ():
        ask_maximask(folder)
    tables = {folder.name: read_attack(folder)[0] for folder in folders}
    first = next(iter(tables.values()))
    echo(attack_markdown(tables, DATA_NAMES[ORIGINS[first.meta["origin"]]]), quiet)
    echo(f"Attacks in {' and '.join(map(str, folders))}. Next: photoz report {run}", quiet)
