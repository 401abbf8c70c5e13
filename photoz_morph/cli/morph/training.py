"""The training commands of `morph`: train, status, summary."""

from pathlib import Path

import click

from photoz_morph.cli.morph.data import build_dataset, data_dir_option, mock, simulate
from photoz_morph.cli.options import (
    UserPath,
    echo,
    jobs_option,
    quiet_option,
    run_argument,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.cli.runs import build_in_subprocess, dataset_or_default, echo_status, read_config, train_run
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow

DEFAULT_CONFIG = "morph_mmd.yaml"

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=UserPath())


@click.command()
@config_argument
@click.option("--seeds", "--ensemble", "seeds", default=1, show_default=True, type=click.IntRange(min=1),
              help="Number of networks, each with its own seed; scored one by one and as an ensemble, whose "
              "probabilities are their mean.")  # fmt: skip
@data_dir_option
@click.option("--run-dir", type=UserPath(), help="Run folder; by default runs/NAME, after the config.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def train(config, seeds, data_dir, run_dir, seed, strategy, jobs, overrides, quiet):
    """Train the classifier of CONFIG with several seeds.

    CONFIG is a YAML file, or the name of one that ships with the package. If training is interrupted, run the same
    command again: it resumes at the last epoch. If --data-dir holds no dataset, the embedded default is simulated,
    observed and built there first.
    """
    from photoz_morph.morph.config import MorphConfig

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = read_config(config, MorphConfig, seed, overrides)
    check_writable(run_dir)  # the simulation comes before it is filled
    quiet_tensorflow()
    _dataset_or_default(config, data_dir, quiet)
    from photoz_morph.morph.experiment import MorphExperiment

    train_run(MorphExperiment, config, run_dir, data_dir, seeds, 1, strategy, jobs, quiet)


@click.command()
@run_argument
def status(run):
    """Show the progress of RUN and the training time left."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.progress import run_status

    echo_status(run_status(run, MorphConfig), lambda entry: f"seed {entry['member'] + 1}", "validation_accuracy")


@click.command()
@config_argument
@set_option
def summary(config, overrides):
    """Print the layers and the number of trainable parameters of the network of CONFIG."""
    from photoz_morph.config import load_config
    from photoz_morph.morph.config import MorphConfig

    config = load_config(config, MorphConfig, overrides)
    quiet_tensorflow()
    from photoz_morph.models.inception_photoz import trainable_parameter_count
    from photoz_morph.morph.experiment import new_classifier

    model = new_classifier(config)
    model.summary(line_length=110, print_fn=click.echo)
    click.echo(f"trainable parameters: {trainable_parameter_count(model):,}")


def _dataset_or_default(config, data_dir, quiet):
    """Simulate, observe and build the embedded default if there is no dataset and the config asks for one."""
    from photoz_morph.morph.dataset import open_dataset, split_sizes

    n_galaxies, seed = config.simulation.n_galaxies, config.simulation.seed

    def describe(builder):
        return f"Dataset: {sum(split_sizes(builder))} {builder.info.metadata['origin']} galaxies in {data_dir}."

    def make():
        echo(f"No dataset in {data_dir}: making the embedded default there, {n_galaxies} simulated galaxies.", quiet)
        scenes, mocks = str(Path(data_dir) / "scenes"), str(Path(data_dir) / "mocks")
        context = click.get_current_context()
        context.invoke(simulate, n_galaxies=n_galaxies, seed=seed, out=scenes, processes=None, quiet=quiet)
        context.invoke(mock, scenes=(scenes,), out=mocks, seed=seed, quiet=quiet)
        build_in_subprocess(build_dataset, mocks, data_dir, None, 0, False, quiet)

    dataset_or_default(n_galaxies, data_dir, open_dataset, describe, make, quiet)
