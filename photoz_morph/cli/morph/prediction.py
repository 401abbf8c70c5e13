"""The commands of `morph` that classify galaxies: predict, export, infer."""

from pathlib import Path

import click

from photoz_morph.cli.morph.data import listed
from photoz_morph.cli.morph.options import defence_option, run_data_option
from photoz_morph.cli.options import echo, output_file, quiet_option, run_argument
from photoz_morph.cli.runs import current_predictions
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
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
    echo(f"{len(table)} galaxies in {out}. Next: morph evaluate {out}", quiet)


@click.command()
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
    echo(f"SavedModel in {out}. Next: morph infer {out} MOCKS", quiet)


@click.command()
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
    from photoz_morph.morph.exported_model import ExportedMorphModel, infer_mocks
    from photoz_morph.system.files import write_whole

    estimator = ExportedMorphModel(model)
    if max_queries is not None and not fragility:
        raise click.UsageError("--max-queries goes with --fragility")
    table = infer_mocks(estimator, paths, years, progress=not quiet)
    if fragility:
        from photoz_morph.morph.robustness.fragility import flag_fragile

        flag_fragile(estimator, table, paths, years, max_queries or 400, progress=not quiet)
    with write_whole(out, keep_suffix=True) as part:
        table.write(part, overwrite=True)
    shares = {name: int((table["class"] == name).sum()) for name in table.meta["classes"].split(",")}
    echo(f"{len(table)} galaxies in {out}: {listed(shares)}.", quiet)
    if fragility:
        echo(f"One pixel changes the class of {int(table['fragile'].sum())} of them: column fragile.", quiet)


def predictions_of(path, quiet, data_dir=None):
    """Predictions file of a run folder, predicted first if it is missing or stale; a file is itself."""
    from photoz_morph.morph.config import MorphConfig

    return current_predictions(path, MorphConfig, predict, quiet, data_dir)
