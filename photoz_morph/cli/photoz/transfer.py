"""The command `photoz transfer`: networks of another run learn on, perhaps on another survey with few labels."""

from pathlib import Path

import click

from photoz_morph.cli.few_labels import (
    few_label_configs,
    from_option,
    labels_option,
    make_runs,
    modes_option,
    repeats_option,
    source_configs,
    with_mode,
)
from photoz_morph.cli.options import (
    UserPath,
    data_dir_option,
    echo,
    jobs_option,
    quiet_option,
    remarks,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.cli.photoz.prediction import predictions_of
from photoz_morph.cli.runs import read_config, train_run
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.argument("config", type=UserPath())
@from_option
@modes_option
@click.option("--ensemble", type=click.IntRange(min=1),
              help="Number of networks per fold; by default those of RUN, with --labels 1.")  # fmt: skip
@click.option("--cv", type=click.IntRange(min=1),
              help="Number of test folds; by default those of RUN, with --labels 1.")  # fmt: skip
@labels_option
@repeats_option
@data_dir_option
@click.option("--run-dir", type=UserPath(), help="Run folder, or with --labels their folder; by default runs/NAME.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def transfer(
    config, source, modes, ensemble, cv, labels, repeats, data_dir, run_dir, seed, strategy, jobs, overrides, quiet
):  # fmt: skip
    """Train networks that start from those of RUN on the survey and dataset of CONFIG.

    Each starts from the one of the same fold and number. The network is that of RUN: its bands are mapped to those of
    the survey by name, its pixels and noise kept. CONFIG says what learns (transfer.mode), data and training; an
    adaptation works as in `photoz train`. With --labels, training sets of several sizes are compared with training from
    random weights and with RUN as it is, into a page, its figure and few_labels.json. If it is interrupted, run the
    same command again.
    """
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.runs.folder import check_source, finished_members

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = with_mode(read_config(config, PhotozConfig, seed, overrides), modes, labels)
    check_source(source, "photoz")
    members = finished_members(source, PhotozConfig)
    check_writable(run_dir)
    quiet_tensorflow()
    from photoz_morph.photoz.experiment import PhotozExperiment
    from photoz_morph.photoz.transfer.source import no_redshifts_yet, transferred_config
    from photoz_morph.training.starts import save_starts

    config = transferred_config(config, source)
    ensemble = ensemble or (1 if labels else min(map(len, members.values())))
    cv = cv or (1 if labels else len(members))

    def check(config):
        """Everything that training would refuse, before any network is trained."""
        experiment = PhotozExperiment(config, data_dir)
        for fold in range(cv):
            experiment.check_start(fold, ensemble)

    def train(config, run_dir, next_command=None):
        train_run(PhotozExperiment, config, run_dir, data_dir, ensemble, cv, strategy, jobs, quiet, next_command)

    if not labels:
        config.check()
        check(config)
        train(config, run_dir)
        return
    n_networks = min(map(len, members.values()))
    configs = few_label_configs(config, labels, repeats, modes or (config.transfer.mode,), n_networks)
    for n in labels:  # in the modes and repeats of a number nothing differs that could be refused
        check(next(found for key, found in configs.items() if key[1] == n))
    reason = no_redshifts_yet(config)
    folders = make_runs(
        {} if reason else source_configs(configs),
        configs,
        run_dir,
        save_start=lambda found, folder: save_starts(PhotozExperiment, found, folder, data_dir, ensemble, cv),
        train=lambda found, folder: train(found, folder, "the next of them, or the curve"),
        predict=lambda folder: predictions_of(folder, quiet, data_dir),
        quiet=quiet,
    )
    from photoz_morph.photoz.report_run import report_few_labels

    with remarks(quiet):
        page = report_few_labels(folders, source, run_dir, reason, not quiet)
    echo(f"Few-label curve in {page}.", quiet)
