"""The training commands of `blend`: train, status, summary."""

from pathlib import Path

import click

from photoz_morph.cli.blend.data import build_dataset, data_dir_option, simulate
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

DEFAULT_CONFIG = "blend_unet.yaml"

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=UserPath())


@click.command()
@config_argument
@click.option("--seeds", "--ensemble", "seeds", default=1, show_default=True, type=click.IntRange(min=1),
              help="Number of networks, each with its own seed; used as an ensemble.")  # fmt: skip
@data_dir_option
@click.option("--run-dir", type=UserPath(), help="Run folder; by default runs/NAME, after the config.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def train(config, seeds, data_dir, run_dir, seed, strategy, jobs, overrides, quiet):
    """Train the network of CONFIG, which finds sources, takes a blend apart, or gives maps, with several seeds.

    CONFIG is a YAML file, or the name of one that ships with the package. If training is interrupted, run the same
    command again: it resumes at the last epoch. If --data-dir holds no dataset of the kind that CONFIG asks for, it is
    simulated and built there first.
    """
    from photoz_morph.blend.config import BlendConfig

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = read_config(config, BlendConfig, seed, overrides)
    check_writable(run_dir)  # the simulation comes before it is filled
    quiet_tensorflow()
    _dataset_or_default(config, data_dir, quiet)
    from photoz_morph.blend.experiment import BlendExperiment

    train_run(BlendExperiment, config, run_dir, data_dir, seeds, 1, strategy, jobs, quiet)


@click.command()
@run_argument
def status(run):
    """Show the progress of RUN and the training time left."""
    from photoz_morph.blend.config import BlendConfig
    from photoz_morph.runs.folder import read_run
    from photoz_morph.runs.progress import run_status

    scores = {"sources": "validation_ap50", "galaxy": "validation_flux_error"}
    score = scores.get(read_run(run, BlendConfig)[0].answer, "validation_r2")
    echo_status(run_status(run, BlendConfig), lambda entry: f"seed {entry['member'] + 1}", score)


@click.command()
@config_argument
@set_option
def summary(config, overrides):
    """Print the layers and the number of trainable parameters of the network of CONFIG."""
    from photoz_morph.blend.config import BlendConfig
    from photoz_morph.config import load_config

    config = load_config(config, BlendConfig, overrides)
    quiet_tensorflow()
    from photoz_morph.blend.experiment import new_network
    from photoz_morph.models.inception_photoz import trainable_parameter_count

    model = new_network(config)
    model.summary(line_length=110, print_fn=click.echo, expand_nested=True)
    click.echo(f"trainable parameters: {trainable_parameter_count(model):,}")


def _dataset_or_default(config, data_dir, quiet):
    """Simulate and build the embedded default if there is no such dataset and the config asks for one."""
    from photoz_morph.blend.dataset import describe, open_dataset

    simulation = config.simulation

    def line(builder):
        found = describe(builder)
        return f"Dataset: {sum(found['images_per_split'])} {found['origin']} images in {builder.data_dir}."

    def make():
        echo(f"No dataset {config.dataset_name} in {data_dir}: making the embedded default there, "
             f"{simulation.n_images} simulated images.", quiet)  # fmt: skip
        shards = str(Path(data_dir) / f"{config.dataset_name}_shards")
        click.get_current_context().invoke(
            simulate, n_images=simulation.n_images, kind=simulation.kind, survey=config.survey, seed=simulation.seed,
            out=shards, quiet=quiet,
        )  # fmt: skip
        build_in_subprocess(build_dataset, shards, data_dir, False, quiet)

    def open_it(folder):
        return open_dataset(folder, config.dataset_name)

    dataset_or_default(simulation.n_images, data_dir, open_it, line, make, quiet)
