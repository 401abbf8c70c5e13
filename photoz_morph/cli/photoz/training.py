"""The training commands of `photoz`: pretrain, train, distill, status, summary."""

import json
from pathlib import Path

import click

from photoz_morph.cli.options import (
    DEFAULT_CONFIG,
    UserPath,
    data_dir_option,
    echo,
    jobs_option,
    quiet_option,
    run_argument,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.cli.photoz.data import build_dataset
from photoz_morph.cli.photoz.evaluation import evaluate
from photoz_morph.cli.photoz.prediction import predictions_of
from photoz_morph.cli.runs import build_in_subprocess, dataset_or_default, echo_status, read_config, train_run
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=UserPath())


@click.command()
@config_argument
@click.option("--ensemble", default=6, show_default=True, type=click.IntRange(min=1),
              help="Number of networks per fold.")  # fmt: skip
@click.option("--cv", default=5, show_default=True, type=click.IntRange(min=1),
              help="Number of test folds, of the dataset's 5.")  # fmt: skip
@data_dir_option
@click.option("--run-dir", type=UserPath(), help="Run folder; by default runs/NAME, after the config.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def train(config, ensemble, cv, data_dir, run_dir, seed, strategy, jobs, overrides, quiet):
    """Train an ensemble for each fold of a cross-validation.

    CONFIG is a YAML file, or the name of one that ships with the package. If training is interrupted, run the same
    command again: it resumes at the last epoch. If --data-dir holds no dataset, the embedded default is simulated and
    built there first.
    """
    from photoz_morph.photoz.config import PhotozConfig

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = read_config(config, PhotozConfig, seed, overrides)
    check_writable(run_dir)  # the simulation comes before it is filled
    quiet_tensorflow()
    from photoz_morph.photoz.experiment import PhotozExperiment, initial_weights

    for fold in range(cv):
        initial_weights(config, fold)  # of the last fold, too, before the first is trained
    _dataset_or_default(config, data_dir, quiet)
    train_run(PhotozExperiment, config, run_dir, data_dir, ensemble, cv, strategy, jobs, quiet)


@click.command()
@config_argument
@click.option("--out", default="runs/pretrained", show_default=True, type=UserPath(),
              help="Run folder of the networks.")  # fmt: skip
@click.option("--cv", default=5, show_default=True, type=click.IntRange(min=1),
              help="Number of test folds, of the dataset's 5.")  # fmt: skip
@data_dir_option
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def pretrain(config, out, cv, data_dir, seed, strategy, jobs, overrides, quiet):
    """Pre-train a network for each fold on galaxies with and without redshift.

    Two views of a galaxy are to be recognised among others, colours and known redshifts to be predicted. --data-dir is
    a dataset of `photoz build --unlabelled`, or any other. The network of a fold sees neither that fold nor the one
    that validation galaxies come from. `photoz train --set train.initial_weights=OUT` then starts from the networks. If
    it is interrupted, run the same command again.
    """
    from photoz_morph.photoz.config import PhotozConfig

    config = read_config(config, PhotozConfig, seed, overrides)
    check_writable(out)
    quiet_tensorflow()
    from photoz_morph.photoz.pretraining.experiment import PretrainingExperiment

    then = f"photoz train --set train.initial_weights={out}"
    train_run(PretrainingExperiment, config, out, data_dir, 1, cv, strategy, jobs, quiet, then)


@click.command()
@run_argument
@click.option("--out", required=True, type=UserPath(), help="Run folder of the new networks.")
@click.option("--data-dir", type=UserPath(), help="Prepared dataset; by default the one RUN was trained on.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def distill(run, out, data_dir, seed, strategy, jobs, overrides, quiet):
    """Train one network for each fold of RUN on the mean PDF of the fold's ensemble.

    The new networks have the config of RUN, and cost one member of an ensemble wherever they are used. They are
    predicted and scored like any run, beside RUN on the same galaxies. If interrupted, run the same command again.
    """
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.runs.folder import finished_members, read_run

    if Path(out).resolve() == Path(run).resolve():
        raise click.UsageError("--out is RUN itself; give another folder")
    data_dir = data_dir or read_run(run, PhotozConfig)[1]["path"]
    members = {fold: len(paths) for fold, paths in finished_members(run, PhotozConfig).items()}
    if sorted(members) != list(range(len(members))) or len(set(members.values())) > 1:
        counts = ", ".join(f"fold_{fold} {count}" for fold, count in sorted(members.items()))
        raise ValueError(f"{run}: not all networks are finished ({counts}); finish the training")
    given = [*overrides, "train.label_sigma=0", f"train.teacher={json.dumps(str(Path(run).resolve()))}"]
    config = read_config(Path(run) / "config.yaml", PhotozConfig, seed, given)
    check_writable(out)
    quiet_tensorflow()
    from photoz_morph.photoz.experiment import PhotozExperiment

    train_run(PhotozExperiment, config, out, data_dir, 1, len(members), strategy, jobs, quiet)
    for folder in (out, run):
        predictions_of(Path(folder), quiet, data_dir)
    click.get_current_context().invoke(evaluate, predictions=out, against=run, quiet=quiet)


@click.command()
@run_argument
def status(run):
    """Show the progress of RUN and the training time left."""
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.runs.progress import run_status

    def name(entry):
        return f"fold {entry['fold']} member {entry['member']}"

    echo_status(run_status(run, PhotozConfig), name, "validation_sigma_mad")


@click.command()
@config_argument
@set_option
def summary(config, overrides):
    """Print the layers and parameter counts of the network of CONFIG, also as the paper counts them."""
    from photoz_morph.config import load_config
    from photoz_morph.photoz.config import PhotozConfig

    config = load_config(config, PhotozConfig, overrides)
    quiet_tensorflow()
    from photoz_morph.models.inception_photoz import (
        paper_parameter_count,
        trainable_parameter_count,
    )
    from photoz_morph.models.registry import build_model

    model = build_model(config)
    model.summary(line_length=110, print_fn=click.echo)
    click.echo(f"kernel weights of the convolutions, FC1 and FC2 (the paper's count): {paper_parameter_count(model):,}")
    click.echo(f"trainable parameters in all: {trainable_parameter_count(model):,}")


def _dataset_or_default(config, data_dir, quiet):
    """Simulate and build the embedded default if there is no dataset and the config asks for one."""
    from photoz_morph.photoz.dataset import open_dataset, split_sizes
    from photoz_morph.surveys import SDSS

    n_galaxies, survey = config.simulation.n_galaxies, config.survey

    def describe(builder):
        n_found = sum(split_sizes(builder))
        if n_galaxies in (None, n_found) or survey != SDSS:
            return None
        return (
            f"{data_dir} holds a dataset of {n_found} galaxies: training on it, not on the simulation of the config "
            f"({n_galaxies}); for that one give another --data-dir."
        )

    def make():
        _check_sizes(config)
        from photoz_morph.simulation.sdss.sample import simulate_sample

        stacks, deep_fraction = Path(data_dir) / "stacks", config.simulation.deep_fraction
        echo(f"No dataset in {data_dir}: making the embedded default there, {n_galaxies} simulated SDSS galaxies.",
             quiet)  # fmt: skip
        simulate_sample(stacks, n_galaxies, config.simulation.seed, progress=not quiet, deep_fraction=deep_fraction)
        build_in_subprocess(build_dataset, str(stacks), data_dir, False, quiet)

    def open_it(folder):
        return open_dataset(folder, survey)

    dataset_or_default(n_galaxies, data_dir, open_it, describe, make if survey == SDSS else None, quiet)


def _check_sizes(config):
    """Raise a ValueError if the simulation is too small to train on, before minutes are spent on it."""
    from photoz_morph.catalogs.folds import N_FOLDS

    n_galaxies, data = config.simulation.n_galaxies, config.data
    if data.n_validation >= n_galaxies / N_FOLDS:
        raise ValueError(
            f"data.n_validation is {data.n_validation}, a fold of {n_galaxies} simulated galaxies has about "
            f"{n_galaxies // N_FOLDS}; lower it or raise simulation.n_galaxies"
        )
    if data.train_fraction * n_galaxies < data.batch_size:
        raise ValueError(
            f"data.train_fraction {data.train_fraction} of {n_galaxies} simulated galaxies is less than a batch of "
            f"{data.batch_size}; raise simulation.n_galaxies or lower data.batch_size"
        )
