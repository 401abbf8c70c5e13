"""The prediction commands of `morph`: predict, export, infer."""

from pathlib import Path

import click

from photoz_morph.cli.morph.data import listed
from photoz_morph.cli.morph.options import defence_option, run_data_option
from photoz_morph.cli.options import (
    UserPath,
    beam_options,
    beam_settings_of,
    check_new_folder,
    check_onnx,
    echo,
    filling,
    onnx_option,
    output_file,
    own_output,
    part_option,
    quiet_option,
    remarks,
    run_argument,
)
from photoz_morph.cli.runs import current_predictions
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@run_argument
@run_data_option
@click.option("--split", default="test", show_default=True, type=click.Choice(["test", "validation", "train"]),
              help="Galaxies to classify.")  # fmt: skip
@defence_option
@click.option("--mc-dropout", default=0, metavar="PASSES", type=click.IntRange(min=0),
              help="Keep dropout on, and average over so many passes, 20 for example.")  # fmt: skip
@click.option("--out", type=UserPath(), callback=output_file(".fits"),
              help="A .fits file; by default RUN/predictions.fits, RUN/predictions_DEFENCE.fits or "
              "RUN/predictions_mc_dropout.fits.")  # fmt: skip
@quiet_option
def predict(run, data_dir, split, defence, mc_dropout, out, quiet):
    """Classify the test galaxies of RUN at both depths with every seed.

    Class probabilities and latents are written to a FITS table. With --mc-dropout they are means over passes, and the
    mutual information of class and pass says how uncertain a network is of what it has learned.
    """
    quiet_tensorflow()
    from photoz_morph.morph.config import MorphConfig
    from photoz_morph.morph.defences import with_defence
    from photoz_morph.morph.predict import predict_morph_run
    from photoz_morph.morph.predictions import write_morph_predictions
    from photoz_morph.runs.folder import read_run

    name = "predictions" + f"_{split}" * (split != "test") + "_mc_dropout" * (mc_dropout > 0) + ".fits"
    out = out or with_defence(Path(run) / name, read_run(run, MorphConfig)[0], defence)
    if Path(out).parent.is_dir():  # else its absence is the error
        own_output(out)
    table = predict_morph_run(run, data_dir, split, progress=not quiet, defence=defence, mc_dropout=mc_dropout)
    write_morph_predictions(table, out)
    echo(f"{len(table)} galaxies in {out}. Next: morph evaluate {out}", quiet)


@click.command()
@run_argument
@click.option("--out", type=UserPath(), help="Folder of the SavedModel; by default RUN/export.")
@defence_option
@onnx_option
@quiet_option
def export(run, out, defence, with_onnx, quiet):
    """Export all seeds of RUN as one SavedModel that includes the image scaling.

    Its signature is serve(image) -> probability, latent.
    """
    out = Path(out or Path(run) / "export")
    check_new_folder(out)
    check_onnx(with_onnx)
    quiet_tensorflow()
    from photoz_morph.morph.export import export_morph

    export_morph(run, out, defence, with_onnx)
    echo(f"SavedModel in {out}. Next: morph infer {out} MOCKS", quiet)


@click.command()
@click.argument("model", type=UserPath())
@click.argument("source", type=UserPath())
@click.option("--years", default=10, show_default=True, type=click.IntRange(1, 10),
              help="Depth of the stamps of SOURCE to classify, in years.")  # fmt: skip
@click.option("--fragility", is_flag=True,
              help="Flag galaxies whose class one pixel value within the range of SOURCE changes.")  # fmt: skip
@click.option("--max-queries", type=click.IntRange(min=1),
              help="With --fragility: maximum number of queries of the model per galaxy; 400 by default.")  # fmt: skip
@click.option("--out", default="classes.fits", show_default=True, type=UserPath(),
              callback=output_file(".fits", ".parquet"), help="A .fits or .parquet file.")  # fmt: skip
@part_option
@beam_options
@quiet_option
def infer(model, source, years, fragility, max_queries, out, share, runner, beam_option, quiet):
    """Classify new stamps with an exported MODEL.

    SOURCE is a folder of mock shards, or one of them, a dataset of `morph build`, or stamps of another format, which
    are of the depth --years. Classes, probabilities and latents are written to a table. Those of each partition of
    SOURCE are kept in the folder OUT.parts as soon as they are computed; if interrupted, run the same command again.
    """
    if max_queries is not None and not fragility:
        raise click.UsageError("--max-queries needs --fragility")
    beam = beam_settings_of(runner, beam_option)
    if beam:  # its workers may be in another folder
        source = Path(source).absolute()
    own_output(out, share=share)
    quiet_tensorflow()
    from photoz_morph.morph.exported_model import ExportedMorphModel
    from photoz_morph.morph.infer import infer_stamps
    from photoz_morph.morph.stamp_source import open_stamps

    model = ExportedMorphModel(model)
    with remarks(quiet):
        stamps = open_stamps(source, model, years)
    max_queries = (max_queries or 400) if fragility else None
    made = infer_stamps(model, stamps, out, years, max_queries, share, not quiet, filling(beam))
    if made.counts is None:
        echo(f"--part {share[0]}/{share[1]} is finished, {made.n_missing} partitions of other parts are not. The part "
             f"that finishes last writes {out}.", quiet)  # fmt: skip
        return
    echo(f"{made.n_rows} galaxies in {out}: {listed(made.counts)}.", quiet)
    if fragility:
        echo(f"One pixel changes the class of {made.n_fragile} of them; see column fragile.", quiet)


def predictions_of(path, quiet, data_dir=None):
    """Predictions file of a run folder, predicted first if it is missing or stale; a file is itself."""
    from photoz_morph.morph.config import MorphConfig

    return current_predictions(path, MorphConfig, predict, quiet, data_dir)
