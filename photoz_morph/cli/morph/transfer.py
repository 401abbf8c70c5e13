"""The command `morph transfer`: classifiers of another run learn on, perhaps on other images with few labels."""

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
from photoz_morph.cli.morph.data import data_dir_option
from photoz_morph.cli.morph.prediction import predictions_of
from photoz_morph.cli.options import (
    UserPath,
    echo,
    jobs_option,
    quiet_option,
    remarks,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.cli.runs import read_config, train_run
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.argument("config", type=UserPath())
@from_option
@modes_option
@click.option("--seeds", "--ensemble", "seeds", type=click.IntRange(min=1),
              help="Number of networks; by default those of RUN, with --labels 1.")  # fmt: skip
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
    config, source, modes, seeds, labels, repeats, data_dir, run_dir, seed, strategy, jobs, overrides, quiet
):  # fmt: skip
    """Train classifiers that start from those of RUN on the dataset of CONFIG.

    Each starts from the one of the same number. Network and scaling are those of RUN. CONFIG says what learns
    (transfer.mode), whose labels are learnt (data.labels_of) and how; an adaptation works as in `morph train`. With
    --labels, training sets of several sizes are compared with training from random weights and with RUN as it is, into
    a page, its figure and few_labels.json. If it is interrupted, run the same command again.
    """
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import check_source, finished_members

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = with_mode(read_config(config, MorphConfig, seed, overrides), modes, labels)
    check_source(source, "morph")
    members = finished_members(source, MorphConfig)[0]
    check_writable(run_dir)
    quiet_tensorflow()
    from photoz_morph.morph.experiment import MorphExperiment
    from photoz_morph.morph.transfer import transferred_config
    from photoz_morph.training.starts import save_starts
    from photoz_morph.transfer.settings import no_outputs_yet

    config = transferred_config(config, source)
    seeds = seeds or (1 if labels else len(members))

    def train(config, run_dir, next_command=None):
        train_run(MorphExperiment, config, run_dir, data_dir, seeds, 1, strategy, jobs, quiet, next_command)

    if not labels:
        config.check()
        MorphExperiment(config, data_dir).check_start(seeds)
        train(config, run_dir)
        return
    if seeds > 1:
        raise click.UsageError("--labels trains one network a run, and as many runs as --repeats; leave out --seeds")
    configs = few_label_configs(config, labels, repeats, modes or (config.transfer.mode,), len(members))
    chosen = {key[1:]: found for key, found in configs.items() if found.transfer.source}
    for found in chosen.values():  # a mode changes nothing that could be refused
        MorphExperiment(found, data_dir).check_start(seeds)
    reason = no_outputs_yet(config.transfer)
    folders = make_runs(
        {} if reason else source_configs(configs),
        configs,
        run_dir,
        save_start=lambda found, folder: save_starts(MorphExperiment, found, folder, data_dir, seeds, 1),
        train=lambda found, folder: train(found, folder, "the next of them, or the curve"),
        predict=lambda folder: predictions_of(folder, quiet, data_dir),
        quiet=quiet,
    )
    from photoz_morph.morph.report_run import report_few_labels

    with remarks(quiet):
        page = report_few_labels(folders, source, config.data.labels_of, run_dir, reason, not quiet)
    echo(f"Few-label curve in {page}.", quiet)
