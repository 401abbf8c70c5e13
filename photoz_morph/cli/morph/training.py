"""The commands of `morph` that train networks: train, status, summary."""

from pathlib import Path

import click

from photoz_morph.cli.morph.data import build_dataset, data_dir_option, mock, simulate
from photoz_morph.cli.options import (
    build_alone,
    jobs_option,
    quiet_option,
    run_argument,
    say,
    say_status,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.training.quiet import quiet_tensorflow

DEFAULT_CONFIG = "morph_mmd.yaml"

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=click.Path())


@click.command()
@config_argument
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="Networks, of a seed each.")
@data_dir_option
@click.option("--run-dir", type=click.Path(), help="Run folder; by default runs/NAME, after the config.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def train(config, seeds, data_dir, run_dir, seed, strategy, jobs, overrides, quiet):
    """Train the classifier of CONFIG with several seeds, or go on where a run stopped.

    Without a dataset in --data-dir the embedded default is simulated, observed and built first.
    """
    from photoz_morph.config import load_config
    from photoz_morph.morph.config import MorphConfig

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = load_config(config, MorphConfig, [*overrides, *([] if seed is None else [f"seed={seed}"])])
    quiet_tensorflow()
    _dataset_or_default(config, data_dir, quiet)
    from photoz_morph.morph.experiment import MorphExperiment
    from photoz_morph.runs.progress import read_sessions
    from photoz_morph.training.ensemble import train_ensemble

    n_trained = train_ensemble(MorphExperiment, config, run_dir, data_dir, seeds, 1, strategy, jobs, progress=not quiet)
    took = read_sessions(run_dir)[-1]
    say(f"{n_trained} networks trained in {took['seconds'] / 60:.1f} minutes, peak memory {took['peak_memory_gb']} GB; "
        f"{seeds - n_trained} were finished before. Run folder {run_dir}. "
        f"Next: morph evaluate {run_dir}", quiet)  # fmt: skip


@click.command()
@run_argument
def status(run):
    """What of RUN is done, what is left, and how long it will take."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.progress import run_status

    say_status(run_status(run, MorphConfig), lambda entry: f"seed {entry['member'] + 1}", "validation_accuracy")


@click.command()
@config_argument
@set_option
def summary(config, overrides):
    """Layer table of the network of CONFIG, and its trainable parameters."""
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
    """Make and build the embedded default if no dataset is there and the config asks for one."""
    from photoz_morph.morph.dataset import open_dataset, split_sizes

    try:
        builder = open_dataset(data_dir)
    except FileNotFoundError:
        if config.simulation.n_galaxies is None:
            raise
    else:
        say(f"Dataset: {sum(split_sizes(builder))} {builder.info.metadata['origin']} galaxies in {data_dir}.", quiet)
        return
    n_galaxies, seed = config.simulation.n_galaxies, config.simulation.seed
    say(f"No dataset in {data_dir}: making the embedded default there, {n_galaxies} simulated galaxies.", quiet)
    scenes, mocks = str(Path(data_dir) / "scenes"), str(Path(data_dir) / "mocks")
    context = click.get_current_context()
    context.invoke(simulate, n_galaxies=n_galaxies, seed=seed, out=scenes, processes=None, quiet=quiet)
    context.invoke(mock, scenes=(scenes,), out=mocks, seed=seed, quiet=quiet)
    build_alone(build_dataset, mocks, data_dir, None, 0, False, quiet)
