"""The command `photoz`: from survey frames to redshift PDFs. Each command is one call of the package."""

from pathlib import Path

import click

from photoz_morph import __version__
from photoz_morph.cli.options import (
    DEFAULT_CONFIG,
    FORMATS,
    OneLineErrors,
    build_alone,
    data_dir_option,
    jobs_option,
    output_file,
    overwrite_option,
    quiet_option,
    run_argument,
    say,
    say_status,
    seed_option,
    set_option,
    strategy_option,
)
from photoz_morph.cli.photoz_science import baseline, compare, convert, evaluate, predict, report
from photoz_morph.training.quiet import quiet_tensorflow

MAX_SHOWN = 20  # galaxies that `infer` lists and draws one by one

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=click.Path())


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Redshift PDFs from ugriz images, as in Pasquet et al. (2019).

    The chain: simulate or stack, build, train, predict, evaluate, export, infer. Each command reads what the one
    before wrote. `photoz train --ensemble 6 --cv 5` in an empty folder runs the first three by itself.
    """


for command in (predict, baseline, evaluate, compare, report, convert):
    main.add_command(command)


@main.command()
@click.option("--n-galaxies", default=10_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True)
@click.option("--out", default="stacks", show_default=True, type=click.Path(), help="Folder of the shards.")
@click.option("--deep-fraction", default=0.03, show_default=True, type=click.FloatRange(0, 1),
              help="Of the galaxies: stacks of 10 to 64 frames, like Stripe 82.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1), help="All cores by default; the galaxies are the same.")
@quiet_option
def simulate(n_galaxies, seed, out, deep_fraction, processes, quiet):
    """Simulate SDSS Main Galaxy Sample stacks with known truth (the embedded default)."""
    from photoz_morph.simulation.sdss.sample import simulate_sample

    simulate_sample(
        out, n_galaxies, seed, n_processes=processes, progress=not quiet, deep_fraction=deep_fraction
    )
    say(f"{n_galaxies} simulated galaxies in {out}/stacks-*.fits. Next: photoz build {out}", quiet)


@main.command()
@click.argument("catalog", type=click.Path())
@click.argument("frames", type=click.Path())
@click.option("--out", default="stacks", show_default=True, type=click.Path(), help="Folder of the shards.")
@click.option("--combine", default="median", show_default=True, type=click.Choice(["median", "average"]))
@click.option("--swarp", type=click.Path(), help="The SWarp program, where it is not on the PATH.")
@quiet_option
def stack(catalog, frames, out, combine, swarp, quiet):
    """Stack the FRAMES of a folder around each galaxy of CATALOG with SWarp.

    CATALOG is FITS, CSV or Parquet with obj_id, ra, dec [deg] and optionally z_spec, ebv [mag]. FRAMES holds SDSS
    corrected frames, frame-BAND-RUN-CAMCOL-FIELD.fits[.bz2|.gz].
    """
    from photoz_morph.catalogs.galaxies import read_galaxy_catalog
    from photoz_morph.stacking.stack import stack_catalog

    table = read_galaxy_catalog(catalog)
    summary = stack_catalog(table, frames, out, combine=combine, swarp=swarp, progress=not quiet)
    for message in summary.messages:
        click.echo(message, err=True)
    say(f"{summary.n_good} stacks in {out}/stacks-*.fits, {summary.n_flagged} galaxies flagged. "
        f"Next: photoz infer MODEL --stacks {out}, or photoz build {out}", quiet)  # fmt: skip


@main.command()
@click.argument("stacks", default="stacks", type=click.Path())
@data_dir_option
@overwrite_option
@quiet_option
def build(stacks, data_dir, overwrite, quiet):
    """Build the TFDS dataset, one split per fold, from a folder of STACKS."""
    _build(stacks, data_dir, overwrite, quiet)


@main.command()
@config_argument
@click.option("--ensemble", default=6, show_default=True, type=click.IntRange(min=1), help="Networks per fold.")
@click.option("--cv", default=5, show_default=True, type=click.IntRange(min=1), help="Test folds, of the dataset's 5.")
@data_dir_option
@click.option("--run-dir", type=click.Path(), help="Run folder; by default runs/NAME, after the config.")
@seed_option
@strategy_option
@jobs_option
@set_option
@quiet_option
def train(config, ensemble, cv, data_dir, run_dir, seed, strategy, jobs, overrides, quiet):
    """Train an ensemble for each fold of a cross-validation, or go on where a run stopped.

    Without a dataset in --data-dir the embedded default is simulated and built first.
    """
    from photoz_morph.config import load_config
    from photoz_morph.photoz.config import PhotozConfig

    run_dir = run_dir or f"runs/{Path(config).stem}"
    config = load_config(config, PhotozConfig, [*overrides, *([] if seed is None else [f"seed={seed}"])])
    quiet_tensorflow()
    _dataset_or_default(config, data_dir, quiet)
    from photoz_morph.photoz.experiment import PhotozExperiment
    from photoz_morph.runs.progress import read_sessions
    from photoz_morph.training.ensemble import train_ensemble

    n_trained = train_ensemble(
        PhotozExperiment, config, run_dir, data_dir, ensemble, cv, strategy, jobs, progress=not quiet
    )
    took = read_sessions(run_dir)[-1]
    say(f"{n_trained} networks trained in {took['seconds'] / 60:.1f} minutes, peak memory {took['peak_memory_gb']} GB; "
        f"{ensemble * cv - n_trained} were finished before. Run folder {run_dir}. "
        f"Next: photoz evaluate {run_dir}", quiet)  # fmt: skip


@main.command()
@run_argument
def status(run):
    """What of RUN is done, what is left, and how long it will take."""
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.runs.progress import run_status

    def name(entry):
        return f"fold {entry['fold']} member {entry['member']}"

    say_status(run_status(run, PhotozConfig), name, "validation_sigma_mad")


@main.command()
@run_argument
@click.option("--fold", default=0, show_default=True, type=click.IntRange(min=0), help="Whose members to export.")
@click.option("--out", type=click.Path(), help="Folder of the SavedModel; by default RUN/export.")
@quiet_option
def export(run, fold, out, quiet):
    """Write one SavedModel for the ensemble of a fold of RUN, with all scaling inside, and its model card."""
    quiet_tensorflow()
    from photoz_morph.photoz.export import export as export_run
    from photoz_morph.photoz.report.model_card import model_card
    from photoz_morph.report.style import write_text
    from photoz_morph.runs.scores import read_scores

    out = Path(out or Path(run) / "export")
    path = Path(run) / "scores.json"
    scores = read_scores(path) if path.exists() else None
    write_text(model_card(export_run(run, out, fold), scores), out / "MODEL_CARD.md")
    say(f"SavedModel in {out}. Next: photoz infer {out} --catalog CATALOG --frames FRAMES", quiet)


@main.command("import-checkpoint")
@click.argument("checkpoint", type=click.Path())
@click.option("--bins", default="midpoints", show_default=True, type=click.Choice(["midpoints", "left-edges"]),
              help="z_phot over bin midpoints (Eq. 2 of the paper) or left edges (the authors' script).")  # fmt: skip
@click.option("--out", default="export", show_default=True, type=click.Path(), help="Folder of the SavedModel.")
@quiet_option
def import_checkpoint(checkpoint, bins, out, quiet):
    """Write the authors' network, from their TensorFlow 1 CHECKPOINT, as a SavedModel that `photoz infer` takes.

    CHECKPOINT is the folder of the pretrained model, or the prefix of its files.
    """
    quiet_tensorflow()
    from photoz_morph.photoz.report.model_card import model_card
    from photoz_morph.photoz.tf1_checkpoint import import_checkpoint as import_authors_checkpoint
    from photoz_morph.redshift_grid import RedshiftGrid
    from photoz_morph.report.style import write_text

    description = import_authors_checkpoint(checkpoint, out, bins)
    write_text(model_card(description), Path(out) / "MODEL_CARD.md")
    source, half_a_bin = description["source"], RedshiftGrid(**description["redshift"]).width / 2
    say(f"{source['n_parameters']:,} parameters in {source['n_variables']} variables of {source['checkpoint']}; "
        f"{source['n_left_out']} of the optimizer left out.", quiet)  # fmt: skip
    say("These are the files of the authors' repository, by their SHA-256. They do not say which fold was held out: "
        "scores on the paper's own sample may be too good." if source["is_published"] else
        "These are not the files of the authors' repository: what this network was trained on is not known.", quiet)
    other = "left edges" if bins == "midpoints" else "midpoints"
    say(f"z_phot is over bin {bins.replace('-', ' ')}; over {other} it would be "
        f"{half_a_bin:.5f} {'less' if bins == 'midpoints' else 'more'}, with the same PDF.", quiet)  # fmt: skip
    say(f"SavedModel in {out}. Next: photoz infer {out} --stacks STACKS", quiet)


@main.command()
@click.argument("model", type=click.Path())
@click.option("--catalog", type=click.Path(), help="With --frames: galaxies to stack first.")
@click.option("--frames", type=click.Path(), help="Folder of survey frames.")
@click.option("--stacks", type=click.Path(), help="Instead of both: a folder of shards.")
@click.option("--out", default="predictions.fits", show_default=True, type=click.Path(),
              help=", ".join(FORMATS), callback=output_file(*FORMATS))  # fmt: skip
@click.option("--figure", type=click.Path(), callback=output_file(".png", ".pdf"),
              help=f"Draw the first {MAX_SHOWN} galaxies beside their PDFs: a .png or .pdf file.")  # fmt: skip
@click.option("--combine", default="median", show_default=True, type=click.Choice(["median", "average"]))
@click.option("--swarp", type=click.Path(), help="The SWarp program, where it is not on the PATH.")
@quiet_option
def infer(model, catalog, frames, stacks, out, figure, combine, swarp, quiet):
    """Redshift PDFs of new galaxies by an exported MODEL: from frames and a catalogue, or from stacks."""
    if (stacks is None) == (catalog is None or frames is None):
        raise click.UsageError("give --catalog and --frames, or --stacks")
    parts, shown = None, []
    if frames:  # first, so that a broken catalogue is named before TensorFlow's five seconds
        from photoz_morph.catalogs.galaxies import read_galaxy_catalog
        from photoz_morph.stacking.stack import iter_stacks

        galaxies = read_galaxy_catalog(catalog)
        parts = _keep_first(iter_stacks(galaxies, frames, combine=combine, swarp=swarp, progress=not quiet), shown)
    quiet_tensorflow()
    from photoz_morph.photoz.exported_model import infer_shards, infer_stacks, load_estimator
    from photoz_morph.photoz.predictions import write_predictions

    model = load_estimator(model)
    table = infer_stacks(model, parts, "stacked") if frames else infer_shards(model, stacks, progress=not quiet)
    write_predictions(table, out)
    say(f"{len(table)} galaxies in {out}, {(table['flag'] != 0).sum()} of them flagged without a PDF.", quiet)
    _show(table, model.grid, shown, stacks, figure, quiet)


@main.command()
@config_argument
@set_option
def summary(config, overrides):
    """Layer table of the network of CONFIG, and its parameters as the paper counts them and in all."""
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
    """Make and build the embedded default if no dataset is there and the config asks for one."""
    from photoz_morph.datasets.reading import open_dataset
    from photoz_morph.photoz.dataset import split_sizes

    try:
        n_found = sum(split_sizes(open_dataset(data_dir)))
        if config.simulation.n_galaxies not in (None, n_found):
            say(f"{data_dir} holds a dataset of {n_found} galaxies: training on it, not on the simulation of the "
                f"config ({config.simulation.n_galaxies}); for that one give another --data-dir.", quiet)  # fmt: skip
        return
    except FileNotFoundError:
        if config.simulation.n_galaxies is None:
            raise
    n_galaxies = config.simulation.n_galaxies
    _check_sizes(config)
    from photoz_morph.simulation.sdss.sample import simulate_sample

    stacks = Path(data_dir) / "stacks"
    say(f"No dataset in {data_dir}: making the embedded default there, {n_galaxies} simulated SDSS galaxies.", quiet)
    simulate_sample(
        stacks, n_galaxies, config.simulation.seed, progress=not quiet, deep_fraction=config.simulation.deep_fraction
    )
    build_alone(_build, str(stacks), data_dir, False, quiet)


def _check_sizes(config):
    """Raise a ValueError if the simulation is too small to train on; its own check comes after minutes of work."""
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


def _build(stacks, data_dir, overwrite, quiet):
    """Build the dataset and say what is in it."""
    quiet_tensorflow()
    from tfds_builders.sdss_ugriz import build as build_dataset

    counts = build_dataset(stacks, data_dir, overwrite, progress=not quiet)
    left_out = ", ".join(f"{number} {reason}" for reason, number in counts.items() if reason != "galaxies")
    say(f"{counts['galaxies']} galaxies in {data_dir}/sdss_ugriz; left out: {left_out}. Next: photoz train", quiet)


def _keep_first(parts, images):
    """The parts as they come; the first stacks of them also go into the list `images`, to be drawn."""
    for stacks, table in parts:
        images.extend(stacks[: MAX_SHOWN - len(images)].copy())
        yield stacks, table


def _show(table, grid, images, stacks, figure, quiet):
    """Print the redshifts if they are few, and draw the first galaxies if a figure is asked for."""
    if len(table) <= MAX_SHOWN:
        from photoz_morph.photoz.report.tables.scores import redshifts_text

        say(redshifts_text(table), quiet)
    if figure:
        from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf
        from photoz_morph.report.style import save_figure
        from photoz_morph.shards.stacks import find_shards, read_shard

        images = images or read_shard(find_shards(stacks)[0])[0][:MAX_SHOWN]
        save_figure(galaxies_with_pdf(images, table[: len(images)], grid), figure)
        say(f"Figure in {figure}.", quiet)
