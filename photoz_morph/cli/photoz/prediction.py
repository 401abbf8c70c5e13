"""The commands of `photoz` that predict redshifts: predict, convert, export, import-checkpoint, infer."""

from pathlib import Path

import click

from photoz_morph.cli.options import FORMATS, echo, output_file, quiet_option, run_argument
from photoz_morph.cli.runs import current_predictions
from photoz_morph.training.quiet import quiet_tensorflow

MAX_SHOWN = 20  # galaxies that `infer` lists and draws one by one


@click.command()
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
    echo(f"SavedModel in {out}. Next: photoz infer {out} --catalog CATALOG --frames FRAMES", quiet)


@click.command("import-checkpoint")
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
    echo(f"{source['n_parameters']:,} parameters in {source['n_variables']} variables of {source['checkpoint']}; "
        f"{source['n_left_out']} of the optimizer left out.", quiet)  # fmt: skip
    echo("These are the files of the authors' repository, by their SHA-256. They do not say which fold was held out: "
        "scores on the paper's own sample may be too good." if source["is_published"] else
        "These are not the files of the authors' repository: what this network was trained on is not known.", quiet)
    other = "left edges" if bins == "midpoints" else "midpoints"
    echo(f"z_phot is over bin {bins.replace('-', ' ')}; over {other} it would be "
        f"{half_a_bin:.5f} {'less' if bins == 'midpoints' else 'more'}, with the same PDF.", quiet)  # fmt: skip
    echo(f"SavedModel in {out}. Next: photoz infer {out} --stacks STACKS", quiet)


@click.command()
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
    from photoz_morph.photoz.exported_model import infer_shards, infer_stacks, load_exported_model
    from photoz_morph.photoz.predictions import write_predictions

    model = load_exported_model(model)
    table = infer_stacks(model, parts, "stacked") if frames else infer_shards(model, stacks, progress=not quiet)
    write_predictions(table, out)
    echo(f"{len(table)} galaxies in {out}, {(table['flag'] != 0).sum()} of them flagged without a PDF.", quiet)
    _show(table, model.grid, shown, stacks, figure, quiet)


def _keep_first(parts, images):
    """The parts as they come; the first stacks of them also go into the list `images`, to be drawn."""
    for stacks, table in parts:
        images.extend(stacks[: MAX_SHOWN - len(images)].copy())
        yield stacks, table


def _show(table, grid, images, stacks, figure, quiet):
    """Print the redshifts if they are few, and draw the first galaxies if a figure is asked for."""
    if len(table) <= MAX_SHOWN:
        from photoz_morph.photoz.report.tables.scores import redshifts_text

        echo(redshifts_text(table), quiet)
    if figure:
        from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf
        from photoz_morph.report.style import save_figure
        from photoz_morph.shards.stacks import find_shards, read_shard

        images = images or read_shard(find_shards(stacks)[0])[0][:MAX_SHOWN]
        save_figure(galaxies_with_pdf(images, table[: len(images)], grid), figure)
        echo(f"Figure in {figure}.", quiet)


@click.command()
@run_argument
@click.option("--data-dir", type=click.Path(), help="Instead of the dataset the run was trained on.")
@click.option("--out", type=click.Path(), callback=output_file(*FORMATS),
              help="A .fits, .parquet, .hdf5 or .hats file; by default RUN/predictions.fits.")  # fmt: skip
@quiet_option
def predict(run, data_dir, out, quiet):
    """Redshift PDFs of the test galaxies of each fold of RUN, from the members that have not seen them."""
    quiet_tensorflow()
    from photoz_morph.photoz.predict import predict_run
    from photoz_morph.photoz.predictions import write_predictions

    out = out or Path(run) / "predictions.fits"
    table = predict_run(run, data_dir, progress=not quiet)
    write_predictions(table, out)
    echo(f"{len(table)} galaxies in {out}. Next: photoz evaluate {run}", quiet)


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=click.Path())
@click.argument("out", type=click.Path(), callback=output_file(*FORMATS))
@click.option("--compact", metavar="MAX_CDF_ERROR", type=float,
              help="Largest error of a CDF, from 1e-5 on: one byte a bin (two below 0.001), not four.")  # fmt: skip
@quiet_option
def convert(predictions, out, compact, quiet):
    """Write predictions in another format, which the suffix of OUT names.

    .fits and .parquet are one table with units and descriptions. .hdf5 is an ensemble of qp, as RAIL reads it. .hats is
    a HATS catalogue, a folder of Parquet files by position on the sky, and needs the package hats. With --compact (not
    .hdf5) the file is read back, and what it changes is measured and printed for every score.
    """
    from photoz_morph.photoz.predictions import read_predictions, write_predictions
    from photoz_morph.runs.scores import ORIGINS

    table, grid = read_predictions(predictions_of(Path(predictions), quiet))
    write_predictions(table, out, compact)
    path = Path(out)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / max(len(table), 1)
    echo(f"{len(table)} galaxies in {out}, {size:.0f} bytes each.", quiet)
    if compact is None or quiet:
        return
    from photoz_morph.photoz.formats.compact import compact_errors, score_bounds

    cdf_error, score_errors = compact_errors(table, read_predictions(out)[0], grid)
    echo(f"Largest error of a cumulative distribution: {cdf_error:.2e}, promised {compact:g}.")
    if score_errors:
        echo(f"Scores of these {ORIGINS[table.meta['origin']]} galaxies:\n")
        echo(f"  {'score':18s} {'exact':>10s} {'compact - exact':>16s} {'at most':>10s}")
        bounds = score_bounds(compact, grid)
        for name, (value, change) in score_errors.items():
            bound = f"{bounds[name]:10.1e}" if name in bounds else f"{'no bound':>10s}"
            echo(f"  {name:18s} {value:10.5f} {change:+16.1e} {bound}")


def predictions_of(path, quiet, data_dir=None):
    """Predictions file of a run folder, predicted first if it is missing or stale; a file is itself."""
    from photoz_morph.photoz.config import PhotozConfig

    return path if path.suffix == ".hats" else current_predictions(path, PhotozConfig, predict, quiet, data_dir)
