"""The command `morph`: galaxy morphology under survey noise. Each command is one call of the package."""

import warnings
from pathlib import Path

import click

from photoz_morph import __version__
from photoz_morph.cli.morph_robustness import attack, defence_option, latent, perturb, run_data_option
from photoz_morph.cli.options import (
    OneLineErrors,
    build_alone,
    is_overtaken,
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
from photoz_morph.training.quiet import quiet_tensorflow

DEFAULT_CONFIG = "morph_mmd.yaml"
IMAGE_OPTIONS = ("unit", "pixel_kpc", "redshift", "band_axis", "dataset")  # of `mock`, for image files
TNG_OPTIONS = ("pixel_kpc", "redshift", "zero_point", "groups")

config_argument = click.argument("config", default=DEFAULT_CONFIG, type=click.Path())
data_dir_option = click.option(
    "--data-dir", default="morph_data", show_default=True, type=click.Path(), help="Folder of the prepared dataset."
)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Galaxy morphology from LSST images of ten years and of one, as in Ciprijanovic et al. (2021, 2022).

    The chain: simulate, mock, build, train, predict, evaluate, report, export, infer. Each command reads what the one
    before wrote. `morph train morph_regular.yaml --seeds 3` in an empty folder runs the first four by itself;
    `morph train morph_mmd.yaml --seeds 3` then trains the same networks with domain adaptation. attack, latent and
    perturb ask how little it takes to change a class.
    """


for command in (attack, latent, perturb):
    main.add_command(command)


@main.command()
@click.option("--n-galaxies", default=6_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True)
@click.option("--out", default="scenes", show_default=True, type=click.Path(), help="Folder of the shards.")
@click.option("--processes", type=click.IntRange(min=1), help="All cores by default; the galaxies are the same.")
@quiet_option
def simulate(n_galaxies, seed, out, processes, quiet):
    """Simulate noiseless images of spirals, ellipticals and mergers (the embedded default)."""
    from photoz_morph.simulation.morphology.sample import simulate_morphology

    counts = simulate_morphology(out, n_galaxies, seed, n_processes=processes, progress=not quiet)
    say(f"{n_galaxies} simulated galaxies in {out}/scenes-*.fits. {_listed(counts)}. Next: morph mock {out}", quiet)


@main.command()
@click.argument("scenes", nargs=-1, type=click.Path())
@click.option("--out", default="mocks", show_default=True, type=click.Path(), help="Folder of the shards.")
@click.option("--years", multiple=True, default=(10, 1), show_default=True, type=click.IntRange(1, 10),
              help="Depths, in years of the survey; several times.")  # fmt: skip
@click.option("--binning", default="sample", show_default=True, type=click.Choice(["sample", "sum"]),
              help="A stamp pixel is one of its 0.2 arcsec pixels (the look of the paper) or their sum.")  # fmt: skip
@click.option("--field-kpc", default=100.0, show_default=True, help="Side of the field at redshift 0.05.")
@click.option("--nested", is_flag=True, help="Deeper images contain the shallower; by default all are independent.")
@click.option("--seed", default=1, show_default=True, help="Of the noise.")
@click.option("--unit", type=click.Choice(["nJy", "mag/arcsec2"]), help="Of image files that do not say it.")
@click.option("--pixel-kpc", type=float, help="Side of a pixel of image files that do not say it.")
@click.option("--redshift", type=float, help="From which image files that do not say it are seen; 0.05 by default.")
@click.option("--band-axis", type=click.Choice(["first", "last"]), default="first", show_default=True,
              help="Of image files.")  # fmt: skip
@click.option("--dataset", help="Which image of an HDF5 or npz file that holds several.")
@click.option("--tng", type=click.Path(), help="Instead of SCENES: folder of TNG100 images; needs --morphologies.")
@click.option("--morphologies", type=click.Path(), help="Folder of the morphs_snap*_{g,i}.hdf5 catalogues.")
@click.option("--groups", type=click.Path(), help="Table of snapshot, subhalo_id, group_id: who is whom.")
@click.option("--zero-point", type=float, help="AB magnitude of one unit of TNG images that are not in nJy.")
@click.option("--processes", type=click.IntRange(min=1), help="All cores by default; the images are the same.")
@quiet_option
def mock(scenes, out, years, binning, field_kpc, nested, seed, tng, morphologies, groups, processes, quiet, **reading):
    """Observe noiseless images with LSST, after ten years and after one, and label them by Gini and M20.

    SCENES is a folder of `morph simulate`, `scenes` by default, or files of noiseless g, r, i images: FITS, HDF5 or
    npz, in nJy per pixel or AB mag/arcsec^2.
    """
    from photoz_morph.mocks.sample import mock_scene_list, mock_scenes

    settings = {"years": years, "binning": binning, "field_kpc": field_kpc, "nested": nested, "seed": seed}
    settings["progress"] = not quiet
    if (tng is None) != (morphologies is None) or (tng and scenes):
        raise click.UsageError("give --tng and --morphologies together, and no SCENES with them")
    is_folder = not tng and (not scenes or Path(scenes[0]).is_dir())
    allowed = TNG_OPTIONS if tng else () if is_folder else IMAGE_OPTIONS
    given = {name for name, value in (reading | {"groups": groups}).items() if value not in (None, "first")}
    if given - set(allowed):
        name = sorted(given - set(allowed))[0].replace("_", "-")
        what = "--tng" if tng else "a folder of scenes" if is_folder else "image files"
        raise click.UsageError(f"--{name} does not go with {what}")
    if processes and not is_folder:
        raise click.UsageError("--processes goes with a folder of scenes; other images are observed one by one")
    reading = {name: value for name, value in reading.items() if name in given}
    if tng:
        from photoz_morph.mocks.tng import iter_tng_scenes, read_tng_morphologies

        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            catalogue = read_tng_morphologies(morphologies, groups)
        for note in notes:
            click.echo(f"Warning: {note.message}", err=True)
        galaxies = iter_tng_scenes(tng, catalogue, **reading)
        counts = mock_scene_list(galaxies, out, origin="tng", **settings)
    elif not is_folder:
        from photoz_morph.mocks.image_files import iter_scene_images

        images = iter_scene_images(scenes, **reading)
        counts = mock_scene_list(images, out, origin="images", **settings)
    else:
        counts = mock_scenes(*(scenes or ("scenes",)), out, n_processes=processes, **settings)
    say(f"{_listed(counts)} in {out}/mocks-*.fits. Next: morph build {out}", quiet)


@main.command()
@click.argument("mocks", default="mocks", type=click.Path())
@data_dir_option
@click.option("--released", type=click.Path(), help="Instead of MOCKS: folder of the authors' arrays (Zenodo 5514180).")
@click.option("--merger-copies", default=0, show_default=True, type=click.IntRange(0, 4),
              help="Flipped and rotated copies of each merger, in its split; 4 in the paper.")  # fmt: skip
@overwrite_option
@quiet_option
def build(mocks, data_dir, released, merger_copies, overwrite, quiet):
    """Build the TFDS dataset, split 70 : 10 : 20 by galaxy, from a folder of MOCKS."""
    _build(mocks, data_dir, released, merger_copies, overwrite, quiet)


@main.command()
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


@main.command()
@run_argument
def status(run):
    """What of RUN is done, what is left, and how long it will take."""
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.progress import run_status

    say_status(run_status(run, MorphConfig), lambda entry: f"seed {entry['member'] + 1}", "validation_accuracy")


@main.command()
@run_argument
@run_data_option
@click.option("--split", default="test", show_default=True, type=click.Choice(["test", "validation", "train"]))
@defence_option
@click.option("--out", type=click.Path(), callback=output_file(".fits"),
              help="A .fits file; by default RUN/predictions.fits, or predictions_DEFENCE.fits.")  # fmt: skip
@quiet_option
def predict(run, data_dir, split, defence, out, quiet):
    """Class probabilities and latents of the test galaxies of RUN at both depths, by every seed."""
    quiet_tensorflow()
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.defences import with_defence
    from photoz_morph.morph.predict import predict_morph_run
    from photoz_morph.morph.predictions import write_morph_predictions
    from photoz_morph.runs.folder import read_run

    name = "predictions.fits" if split == "test" else f"predictions_{split}.fits"
    out = out or with_defence(Path(run) / name, read_run(run, MorphConfig)[0], defence)
    table = predict_morph_run(run, data_dir, split, progress=not quiet, defence=defence)
    write_morph_predictions(table, out)
    say(f"{len(table)} galaxies in {out}. Next: morph evaluate {out}", quiet)


@main.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=click.Path())
@click.option("--against", type=click.Path(), help="Run or predictions of the other arm, for the same galaxies.")
@click.option("--out", type=click.Path(), help="JSON file; by default scores.json beside the predictions.")
@quiet_option
def evaluate(predictions, against, out, quiet):
    """Scores at both depths in the layout of the paper's Table 1, printed and saved as JSON.

    RUN_OR_FILE is a run folder, whose test galaxies are predicted first if need be, or a table of predictions. With
    --against the two are also compared galaxy by galaxy.
    """
    from photoz_morph.config import differing_keys
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.evaluation.comparison import compare_morph
    from photoz_morph.morph.evaluation.scores import evaluate_morph
    from photoz_morph.morph.predictions import read_morph_predictions
    from photoz_morph.morph.report.tables.scores import comparison_markdown, table1_markdown
    from photoz_morph.runs.folder import read_run
    from photoz_morph.runs.scores import write_morph_scores

    paths = [_predictions_of(Path(path), quiet) for path in (predictions, against) if path]
    tables = [read_morph_predictions(path) for path in paths]
    scores = [evaluate_morph(table) for table in tables]
    say(table1_markdown(scores), quiet)
    if against:
        scores[0]["comparison"] = compare_morph(*tables) | {"against": str(against), "scores_against": scores[1]}
        say(comparison_markdown(scores[0]["comparison"]), quiet)
        if all(Path(path).is_dir() for path in (predictions, against)):
            configs = [read_run(path, MorphConfig)[0] for path in (predictions, against)]
            say(f"Their configs differ in {', '.join(differing_keys(*configs)) or 'nothing'}.", quiet)
    out = out or paths[0].with_name("scores.json")
    write_morph_scores(scores[0], out)
    say(f"Scores in {out}.", quiet)


@main.command()
@run_argument
@click.option("--against", multiple=True, type=click.Path(),
              help="Run of the other arm; any further ones stand in the table of defences only.")  # fmt: skip
@run_data_option
@click.option("--out", type=click.Path(), help="Folder of the report; by default RUN/report.")
@quiet_option
def report(run, against, data_dir, out, quiet):
    """One HTML page about RUN, and about the other arm beside it, with every figure also as PNG and PDF.

    The test galaxies are predicted first if need be. What attack, latent and perturb have found of the runs is in it.
    """
    for path in (run, *against):
        _predictions_of(Path(path), quiet, data_dir)
    quiet_tensorflow()
    from photoz_morph.morph.report_run import report_morph_run

    arm = against[0] if against else None
    page = report_morph_run(run, arm, out, data_dir, defences=against[1:], progress=not quiet)
    say(f"Report in {page}.", quiet)


@main.command()
@run_argument
@click.option("--out", type=click.Path(), help="Folder of the SavedModel; by default RUN/export.")
@defence_option
@quiet_option
def export(run, out, defence, quiet):
    """Write one SavedModel for all seeds of RUN, with the scaling inside: serve(image) -> probability, latent."""
    quiet_tensorflow()
    from photoz_morph.morph.export import export_morph

    out = Path(out or Path(run) / "export")
    export_morph(run, out, defence)
    say(f"SavedModel in {out}. Next: morph infer {out} MOCKS", quiet)


@main.command()
@click.argument("model", type=click.Path())
@click.argument("mocks", type=click.Path())
@click.option("--years", default=10, show_default=True, type=click.IntRange(1, 10), help="Which depth of MOCKS.")
@click.option("--fragility", is_flag=True,
              help="Flag galaxies whose class one pixel within the range of MOCKS changes.")  # fmt: skip
@click.option("--max-queries", type=click.IntRange(min=1),
              help="With --fragility, images shown to the model for each galaxy at most; 400 by default.")  # fmt: skip
@click.option("--out", default="classes.fits", show_default=True, type=click.Path(), callback=output_file(".fits"))
@quiet_option
def infer(model, mocks, years, fragility, max_queries, out, quiet):
    """Classes and latents of new stamps by an exported MODEL; MOCKS is a folder of shards or one of them."""
    from photoz_morph.shards.mocks import find_mock_shards

    paths = find_mock_shards(mocks) if Path(mocks).is_dir() else [Path(mocks)]
    quiet_tensorflow()
    from photoz_morph.morph.exported_model import MorphEstimator, infer_mocks
    from photoz_morph.system.files import write_whole

    estimator = MorphEstimator(model)
    if max_queries is not None and not fragility:
        raise click.UsageError("--max-queries goes with --fragility")
    table = infer_mocks(estimator, paths, years, progress=not quiet)
    if fragility:
        from photoz_morph.morph.robustness.fragility import flag_fragile

        flag_fragile(estimator, table, paths, years, max_queries or 400, progress=not quiet)
    with write_whole(out, keep_suffix=True) as part:
        table.write(part, overwrite=True)
    shares = {name: int((table["class"] == name).sum()) for name in table.meta["classes"].split(",")}
    say(f"{len(table)} galaxies in {out}: {_listed(shares)}.", quiet)
    if fragility:
        say(f"One pixel changes the class of {int(table['fragile'].sum())} of them: column fragile.", quiet)


@main.command()
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


def _listed(counts):
    """Counts by name, in one line."""
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())


def _build(mocks, data_dir, released, merger_copies, overwrite, quiet):
    """Build the dataset and say what is in it."""
    quiet_tensorflow()
    from tfds_builders import tng_lsst_mocks

    if released:
        counts = tng_lsst_mocks.build_released(released, data_dir, overwrite, progress=not quiet)
    else:
        counts = tng_lsst_mocks.build(mocks, data_dir, merger_copies, overwrite, progress=not quiet)
    say(f"{_listed(counts)} in {data_dir}/tng_lsst_mocks. Next: morph train", quiet)


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
    build_alone(_build, mocks, data_dir, None, 0, False, quiet)


def _predictions_of(path, quiet, data_dir=None):
    """The predictions file of a run folder, made if it is not there or older than a network; a file is itself."""
    if not path.is_dir():
        return path
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.runs.folder import finished_members

    predictions = path / "predictions.fits"
    if is_overtaken(predictions, finished_members(path, MorphConfig)):
        context = click.get_current_context()
        context.invoke(predict, run=str(path), data_dir=data_dir, quiet=quiet)
    return predictions
