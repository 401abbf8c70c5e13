"""Runs on few labels, for the transfer commands of both chains: networks that learn on, and others from random weights.

Each method, number of labels and repeat is a run folder of its own, DIR/METHOD_N_REPEAT, resumed like any other.
Repeats differ in the seed, in which galaxies have labels, the same for all methods, and in the network of the source
that they start from, one after the other, so that intervals have the scatter of its seeds, too. DIR/source_0_REPEAT has
the networks that learn on as they are before their first step, which no label has reached.
"""

from dataclasses import replace
from pathlib import Path

import click

from photoz_morph.cli.options import UserPath, echo

SCRATCH, SOURCE = "scratch", "source"


def numbers_of(text):
    """Numbers of labels from text such as 100,500,2000, rising; None if there is none."""
    if text is None:
        return None
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise click.UsageError(f"--labels is {text!r}; give numbers of galaxies, such as 100,500,2000")
    return numbers


labels_option = click.option(
    "--labels", metavar="N,N,...", callback=lambda ctx, param, value: numbers_of(value),
    help="Train on so many labelled galaxies instead of all, and show the scores beside training from random weights.",
)  # fmt: skip
repeats_option = click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(min=1),
    help="With --labels: trainings of each size, with other seeds and labelled galaxies and the next network of RUN.",
)  # fmt: skip
modes_option = click.option(
    "--mode", "modes", multiple=True, type=click.Choice(["all", "blocks", "frozen", "lora"]),
    help="What learns, instead of transfer.mode; with --labels it may be given several times.",
)  # fmt: skip
from_option = click.option(
    "--from", "source", required=True, metavar="RUN", type=UserPath(), help="Run folder whose networks are the start."
)


def with_mode(config, modes, labels):
    """Config of a transfer with the mode that an option names, which several do only for a few-label curve.

    Raises
    ------
    click.UsageError
        If several modes are given and no numbers of labels.
    """
    if labels or not modes:
        return config
    if len(modes) > 1:
        raise click.UsageError("--mode is given several times, which goes with --labels; give one")
    return replace(config, transfer=replace(config.transfer, mode=modes[0]))


def few_label_configs(config, labels, repeats, modes, n_networks):
    """Configs of all runs of a few-label curve.

    Parameters
    ----------
    config : PhotozConfig or MorphConfig
        Of the transfer.
    labels : list of int
    repeats : int
    modes : sequence of str
    n_networks : int
        Networks of the source, of each fold: repeat r, from 0, starts from the one `transfer.first` + r, modulo their
        number.

    Returns
    -------
    dict of (str, int, int) to config
        By method, a mode or "scratch", number of labels, and repeat from 1.

    Raises
    ------
    ValueError
        If two choices contradict each other.
    """
    starts = {mode: replace(config.transfer, mode=mode) for mode in modes}
    starts[SCRATCH] = type(config.transfer)()
    configs = {}
    for method, transfer in starts.items():
        for n in labels:
            for repeat in range(repeats):
                data = replace(config.data, n_labels=n, labels_part=repeat)
                start = transfer if method == SCRATCH else _with_first(transfer, repeat, n_networks)
                found = replace(config, seed=config.seed + repeat, data=data, transfer=start)
                found.check()
                configs[method, n, repeat + 1] = found
    return configs


def _with_first(transfer, repeat, n_networks):
    """Transfer of a repeat. Of a single network it is that of every other repeat: runs that began before go on."""
    return replace(transfer, first=(transfer.first + repeat) % n_networks)


def source_configs(configs):
    """Configs whose networks, before their first step, are those of the source on the new galaxies.

    Parameters
    ----------
    configs : dict
        From `few_label_configs`.

    Returns
    -------
    dict of (str, int, int) to config
        By "source", 0 and repeat: those with most labels, whose images tell the typical observing conditions. Before
        the first step the modes do not differ.
    """
    method, n_labels, _ = max((key for key in configs if key[0] != SCRATCH), key=lambda key: key[1])
    return {(SOURCE, 0, key[2]): found for key, found in configs.items() if key[:2] == (method, n_labels)}


def make_runs(starts, configs, run_dir, save_start, train, predict, quiet):
    """Make all runs of a few-label curve, or resume them, and predict each.

    Parameters
    ----------
    starts, configs : dict
        From `source_configs`, or empty, and `few_label_configs`.
    run_dir : path-like
        Folder of the run folders.
    save_start, train : callable
        Make a run of a config in a folder: the networks before their first step, and trained ones.
    predict : callable
        Predicts the run in a folder.
    quiet : bool

    Returns
    -------
    dict of (str, int, int) to Path
        Run folders.
    """
    repeats, folders = max(key[2] for key in configs), {}
    for key, config in (starts | configs).items():
        method, n_labels, repeat = key
        folders[key] = folder = Path(run_dir) / "_".join(map(str, key))
        what = "source without labels" if method == SOURCE else f"{method}, {n_labels} labels"
        echo(f"{folder}: {what}, repeat {repeat} of {repeats}.", quiet)
        (save_start if method == SOURCE else train)(config, folder)
        predict(folder)
    return folders
