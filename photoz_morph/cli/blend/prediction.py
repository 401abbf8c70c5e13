"""The prediction commands of `blend`: predict, export."""

from pathlib import Path

import click

from photoz_morph.cli.options import (
    UserPath,
    check_new_folder,
    check_onnx,
    echo,
    onnx_option,
    output_file,
    own_output,
    quiet_option,
    run_argument,
)
from photoz_morph.cli.runs import current_predictions
from photoz_morph.training.quiet import quiet_tensorflow

run_data_option = click.option(
    "--data-dir", type=UserPath(), help="Prepared dataset; by default the one the run was trained on."
)


@click.command()
@run_argument
@run_data_option
@click.option("--split", default="test", show_default=True, type=click.Choice(["test", "validation", "train"]),
              help="Images to predict.")  # fmt: skip
@click.option("--samples", default=99, show_default=True, type=click.IntRange(min=39),
              help="Samples of each galaxy, of a probabilistic U-Net.")  # fmt: skip
@click.option("--out", type=UserPath(), callback=output_file(".fits"),
              help="A .fits file; by default RUN/predictions.fits, or RUN/predictions_SPLIT.fits.")  # fmt: skip
@quiet_option
def predict(run, data_dir, split, samples, out, quiet):
    """Predict the test images of RUN with all its networks as an ensemble.

    Networks that find sources give a FITS file of detections with their boxes, scores, classes and fluxes, and the map
    of their pixels. Those that take blends apart give a table of the galaxies in the middle, with their true and
    predicted fluxes and shapes, and the fluxes of samples. Others give maps, fields, or the means and errors of
    parameters.
    """
    quiet_tensorflow()
    from photoz_morph.blend.config import BlendConfig
    from photoz_morph.runs.folder import read_run

    config = read_run(run, BlendConfig)[0]
    out = Path(out or Path(run) / ("predictions" + f"_{split}" * (split != "test") + ".fits"))
    if out.parent.is_dir():  # else its absence is the error
        own_output(out)
    given = {"maps": "Maps", "field": "Fields", "parameters": "Parameters"}.get(config.answer)
    if given:
        from photoz_morph.blend.maps.predictions import write_map_predictions
        from photoz_morph.blend.predict import predict_answers

        found = predict_answers(run, data_dir, split, progress=not quiet)
        write_map_predictions(found, out)
        echo(f"{given} of {len(found.table)} images in {out}. Next: blend evaluate {out}", quiet)
        return
    if config.deblends:
        from photoz_morph.blend.deblended import write_deblended
        from photoz_morph.blend.predict_galaxies import predict_galaxies

        table = predict_galaxies(run, data_dir, split, samples, progress=not quiet)
        write_deblended(table, out)
        echo(f"{len(table)} galaxies in {out}. Next: blend evaluate {out}", quiet)
        return
    from photoz_morph.blend.predict import predict_sources
    from photoz_morph.blend.predictions import write_blend_predictions

    found = predict_sources(run, data_dir, split, progress=not quiet)
    write_blend_predictions(found, out)
    echo(f"{len(found.table)} sources of {len(found.images)} images in {out}. Next: blend evaluate {out}", quiet)


@click.command()
@run_argument
@click.option("--out", type=UserPath(), help="Folder of the SavedModel; by default RUN/export.")
@onnx_option
@quiet_option
def export(run, out, with_onnx, quiet):
    """Export all seeds of RUN as one SavedModel that includes the image scaling.

    Its signature serve(image) gives what sources are made of: maps of a U-Net, detections of other networks; or, of a
    network that takes blends apart, the galaxy in the middle; or maps of stars and dust, a field, parameters. A
    probabilistic U-Net also has serve_samples(image, noise) -> samples, sample_sigmas.
    """
    out = Path(out or Path(run) / "export")
    check_new_folder(out)
    check_onnx(with_onnx)
    quiet_tensorflow()
    from photoz_morph.blend.export.of_run import export_blend

    description = export_blend(run, out, with_onnx)
    option = {"sources": "--model", "galaxy": "--deblender"}.get(description["gives"])
    call = f"blend infer FRAMES {option} {out}" if option else f"ExportedBlendModel({str(out)!r}).answer(images)"
    echo(f"SavedModel in {out}. Next: {call}", quiet)


def predictions_of(path, quiet, data_dir=None):
    """Predictions file of a run folder, predicted first if it is missing or stale; a file is itself."""
    from photoz_morph.blend.config import BlendConfig

    return current_predictions(path, BlendConfig, predict, quiet, data_dir)
