"""The prediction commands of `photoz`: calibrate, predict, convert, export, import-checkpoint, infer."""

from pathlib import Path

import click

from photoz_morph.cli.options import (
    FORMATS,
    UserPath,
    beam_options,
    beam_settings_of,
    check_new_folder,
    check_onnx,
    dust_option,
    echo,
    echo_dust,
    engine_option,
    filling,
    onnx_option,
    output_file,
    own_output,
    part_option,
    quiet_option,
    remarks,
    run_argument,
    stacking_processes_option,
)
from photoz_morph.cli.runs import current_predictions
from photoz_morph.training.quiet import quiet_tensorflow

STACKING_OPTIONS = ("combine", "engine", "swarp", "processes")  # of `infer`
MAX_SHOWN = 20  # galaxies that `infer` lists and draws one by one
ONE_GALAXY = {"obj_id": [1], "ra": [0.0], "dec": [0.0]}  # for a rehearsal where the columns are the dataset's


uncalibrated_option = click.option(
    "--uncalibrated", is_flag=True, help="The mean of the members' PDFs, although RUN is calibrated."
)


@click.command()
@run_argument
@click.option("--fold", default=0, show_default=True, type=click.IntRange(min=0),
              help="Fold whose networks are exported.")  # fmt: skip
@click.option("--out", type=UserPath(), help="Folder of the SavedModel; by default RUN/export.")
@click.option("--target-nz", type=UserPath(),
              help="Table of z and nz: re-weight the calibrated PDFs to this redshift distribution.")  # fmt: skip
@uncalibrated_option
@onnx_option
@quiet_option
def export(run, fold, out, target_nz, uncalibrated, with_onnx, quiet):
    """Export the ensemble of a fold of RUN as one SavedModel, with its model card.

    The SavedModel includes the image scaling and the point estimates and, of a calibrated run, the calibration, the
    conformal intervals and the quality flags.
    """
    check_onnx(with_onnx)
    if target_nz and uncalibrated:
        raise click.UsageError("--target-nz is of calibrated PDFs; leave out --uncalibrated")
    quiet_tensorflow()
    from photoz_morph.photoz.export import export as export_run
    from photoz_morph.photoz.report.model_card import model_card
    from photoz_morph.report.style import write_text
    from photoz_morph.runs.scores import read_scores

    out = Path(out or Path(run) / "export")
    check_new_folder(out)
    path = Path(run) / "scores.json"
    scores = read_scores(path) if path.exists() else None
    described = export_run(run, out, fold, with_onnx, uncalibrated, target_nz)
    write_text(model_card(described, scores), out / "MODEL_CARD.md")
    echo(f"SavedModel in {out}. Next: photoz infer {out} --catalog CATALOG --frames FRAMES", quiet)


@click.command("import-checkpoint")
@click.argument("checkpoint", type=UserPath())
@click.option("--bins", default="midpoints", show_default=True, type=click.Choice(["midpoints", "left-edges"]),
              help="Redshifts averaged in z_phot: bin midpoints (Eq. 2) or left edges (released script).")  # fmt: skip
@click.option("--out", default="export", show_default=True, type=UserPath(), help="Folder of the SavedModel.")
@quiet_option
def import_checkpoint(checkpoint, bins, out, quiet):
    """Convert the authors' TensorFlow 1 CHECKPOINT to a SavedModel for `photoz infer`.

    CHECKPOINT is the folder of the pretrained model, or the prefix of its files.
    """
    check_new_folder(out)
    quiet_tensorflow()
    from photoz_morph.photoz.report.model_card import model_card
    from photoz_morph.photoz.tf1_checkpoint import import_checkpoint as import_authors_checkpoint
    from photoz_morph.redshift_grid import RedshiftGrid
    from photoz_morph.report.style import write_text

    description = import_authors_checkpoint(checkpoint, out, bins)
    write_text(model_card(description), Path(out) / "MODEL_CARD.md")
    source, half_a_bin = description["source"], RedshiftGrid(**description["redshift"]).width / 2
    echo(f"{source['n_parameters']:,} parameters in {source['n_variables']} variables of {source['checkpoint']}; "
        f"{source['n_left_out']} variables of the optimizer are left out.", quiet)  # fmt: skip
    echo("Their SHA-256 is that of the files in the authors' repository. Which fold was held out is not recorded: "
         "scores on the paper's own sample may be too good." if source["is_published"] else
         "These are not the files of the authors' repository: their training set is unknown.", quiet)
    other = "left edges" if bins == "midpoints" else "midpoints"
    echo(f"z_phot is an average over bin {bins.replace('-', ' ')}; over {other} it would be "
        f"{half_a_bin:.5f} {'less' if bins == 'midpoints' else 'more'}, with the same PDF.", quiet)  # fmt: skip
    echo(f"SavedModel in {out}. Next: photoz infer {out} --stacks STACKS", quiet)


@click.command()
@click.argument("model", type=UserPath())
@click.argument("source", required=False, type=UserPath())
@click.option("--catalog", type=UserPath(),
              help="Catalogue of the galaxies to stack; with SOURCE, of their E(B-V).")  # fmt: skip
@click.option("--frames", type=UserPath(), help="Folder of survey frames, or their index; with --catalog.")
@click.option("--stacks", type=UserPath(), help="The same as SOURCE.")
@click.option("--out", default="predictions.fits", show_default=True, type=UserPath(),
              help=f"Output file: {', '.join(FORMATS)}.", callback=output_file(*FORMATS, in_parts=True))  # fmt: skip
@click.option("--figure", type=UserPath(), callback=output_file(".png", ".pdf"),
              help=f"Figure of the first {MAX_SHOWN} galaxies and their PDFs, a .png or .pdf file.")  # fmt: skip
@click.option("--combine", default="median", show_default=True, type=click.Choice(["median", "average"]),
              help="Combination of the frames.")  # fmt: skip
@engine_option
@click.option("--swarp", type=UserPath(), help="SWarp executable, if not on the PATH.")
@stacking_processes_option
@click.option("--simulated", is_flag=True, help="The images of SOURCE are simulated, and do not say it.")
@click.option("--same-engine", is_flag=True,
              help="Refuse stacks made otherwise than those of the training data; by default a remark.")  # fmt: skip
@dust_option
@part_option
@beam_options
@quiet_option
def infer(
    model, source, catalog, frames, stacks, out, figure, combine, engine, swarp, processes, simulated, same_engine,
    dust, share, runner, beam_option, quiet,
):  # fmt: skip
    """Predict redshift PDFs of new galaxies with an exported MODEL.

    The images are read from SOURCE, or stacked from --frames around the galaxies of --catalog, a thousand at a time.
    The predictions of each partition of SOURCE, or thousand galaxies, are kept in the folder OUT.parts as soon as they
    are computed; if interrupted, run the same command again: it goes on after the last of them. At the end they are
    joined to OUT, and the folder is removed.
    """
    if source and stacks:
        raise click.UsageError("give SOURCE or --stacks, not both")
    source = source or stacks
    if bool(source) == bool(frames) or (frames and not catalog):
        raise click.UsageError("give SOURCE, or --catalog and --frames")
    given = click.get_current_context().get_parameter_source
    of_stacking = [name for name in STACKING_OPTIONS if given(name) is not click.core.ParameterSource.DEFAULT]
    if of_stacking and not frames:
        raise click.UsageError(f"--{of_stacking[0]} goes with --frames; the images of {source} are made already")
    if simulated and frames:
        raise click.UsageError("--simulated goes with SOURCE; --frames are those of a survey")
    beam = beam_settings_of(runner, beam_option)
    if beam:  # its workers may be in another folder
        source, frames = (path and Path(path).absolute() for path in (source, frames))
    from photoz_morph.photoz.infer import CatalogReddening, infer_source, rehearse_source
    from photoz_morph.photoz.predictions import rehearse_predictions
    from photoz_morph.streaming.owners import is_begun

    settings, reddening = {}, None
    if catalog:  # first, so that a broken catalogue is named before TensorFlow's five seconds
        from photoz_morph.catalogs.galaxies import read_galaxy_catalog

        with remarks(quiet):
            galaxies = read_galaxy_catalog(catalog, needs=("ra", "dec") if frames else (), bands=_stated_bands(model))
    own_output(out, share=share)
    if frames and not is_begun(out):
        rehearse_predictions(galaxies, out, catalog)
    quiet_tensorflow()
    from photoz_morph.photoz.exported_model import load_exported_model

    model = load_exported_model(model)
    if frames:
        from photoz_morph.photoz.catalog_source import CatalogSource
        from photoz_morph.stacking.stack import DEFAULT_ENGINE
        from photoz_morph.stacking.swarp import find_swarp

        if not is_begun(out):  # again, because now the name of the network is known
            rehearse_predictions(galaxies[:1], out, catalog, model.description["model"], model.calibrated)

        engine = engine or ("swarp" if swarp else DEFAULT_ENGINE)
        settings = {"combine": combine, "engine": engine}
        if engine == "swarp":
            program, settings["swarp"] = find_swarp(swarp)  # and its version
            swarp = swarp and program  # its workers may be in another folder
        echo_dust(galaxies, dust, quiet)
        options = {"combine": combine, "swarp": swarp, "dust": dust, "engine": engine, "processes": processes}
        images = CatalogSource(galaxies, frames, model.survey, options, not quiet)
        if beam and Path(frames).is_dir():
            images.index  # once, and not by every worker
    else:
        import numpy as np

        from photoz_morph.sources.formats import open_source

        with remarks(quiet):
            images = open_source(source, model.survey, "simulated" if simulated else None)
        if catalog:
            if not np.isfinite(np.asarray(galaxies["ebv"], float)).any():
                raise ValueError(f"{catalog}: has no E(B-V), which SOURCE takes from it; add ebv, or leave it out")
            reddening = CatalogReddening(galaxies)
            settings = {"ebv": reddening.fingerprint}
        if not is_begun(out):
            rehearse_source(images, out, model.description["model"], not quiet, model.calibrated)
    with remarks(quiet):
        made = infer_source(
            model, images, out, settings, reddening, share, not quiet, filling(beam), same_engine=same_engine, dust=dust
        )
    if made.head is None:
        echo(f"--part {share[0]}/{share[1]} is finished, {made.n_missing} partitions of other parts are not. The part "
             f"that finishes last writes {out}.", quiet)  # fmt: skip
        return
    echo(f"{made.n_rows} galaxies in {out}, {made.n_flagged} of them flagged without a PDF.", quiet)
    if frames and made.n_flagged == made.n_rows:
        click.echo(f"No galaxy has a complete stamp; are the frames in {frames} those of this catalogue?", err=True)
    _show(made, images, model.grid, figure, quiet)


def _stated_bands(model):
    """Bands in the description of an exported model, without TensorFlow; those of SDSS if it cannot be read.

    What is wrong with it is said when it is loaded.
    """
    from photoz_morph.surveys import SDSS
    from photoz_morph.system.json_files import read_json

    try:
        return tuple(read_json(Path(model) / "estimator.json", ("bands",))["bands"])
    except (OSError, ValueError, TypeError):
        return SDSS.bands


def _show(made, source, grid, figure, quiet):
    """Print the redshifts of a short table, and draw the first galaxies if a figure is asked for."""
    if made.n_rows <= MAX_SHOWN:
        from photoz_morph.photoz.report.tables.scores import redshifts_text

        echo(redshifts_text(made.head), quiet)
    if figure:
        from photoz_morph.photoz.infer import first_images
        from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf
        from photoz_morph.report.style import save_figure

        images = first_images(source, MAX_SHOWN)
        save_figure(galaxies_with_pdf(images, made.head[: len(images)], grid, survey=source.survey), figure)
        echo(f"Figure in {figure}.", quiet)


@click.command()
@run_argument
@click.option("--data-dir", type=UserPath(), help="Prepared dataset; by default the one the run was trained on.")
@quiet_option
def calibrate(run, data_dir, quiet):
    """Calibrate the PDFs of RUN on galaxies that its networks have not trained on.

    These are the test galaxies of the other folds, or the validation galaxies of a run of one fold. For each fold:
    pooling of the members, temperature and recalibration of the PDFs, conformal intervals, and limits of the quality
    flags, in RUN/fold_K/calibration.json. What is predicted and exported afterwards is calibrated.
    """
    quiet_tensorflow()
    from photoz_morph.photoz.calibration.of_run import calibrate_run
    from photoz_morph.photoz.report.tables.calibration import calibration_text

    echo(calibration_text(calibrate_run(run, data_dir, progress=not quiet)), quiet)
    echo(f"Next: photoz predict {run}", quiet)


@click.command()
@run_argument
@click.option("--data-dir", type=UserPath(), help="Prepared dataset; by default the one the run was trained on.")
@click.option("--out", type=UserPath(), callback=output_file(*FORMATS),
              help="A .fits, .parquet, .hdf5 or .hats file; by default RUN/predictions.fits.")  # fmt: skip
@click.option("--target", metavar="DATA_DIR", type=UserPath(),
              help="Another prepared dataset of the survey, with or without z_spec, to predict instead.")  # fmt: skip
@click.option("--target-nz", metavar="TABLE|em", type=UserPath(),
              help="Re-weight the PDFs to the n(z) of a table of z and nz, or to the one they imply together (em).")
@uncalibrated_option
@quiet_option
def predict(run, data_dir, out, target, target_nz, uncalibrated, quiet):
    """Predict redshift PDFs of the test galaxies of RUN, calibrated if it is.

    The galaxies of each fold are predicted by the networks that were not trained on them; those of a --target, by the
    networks that have seen no copy of them. Its predictions are RUN/target_predictions.fits by default.
    """
    quiet_tensorflow()
    from photoz_morph.photoz.predict import predict_run
    from photoz_morph.photoz.predictions import rehearse_predictions, write_predictions

    out = out or Path(run) / ("target_predictions.fits" if target else "predictions.fits")
    if Path(run).is_dir():  # else its absence is the error
        own_output(out)
        rehearse_predictions(ONE_GALAXY, out)
    table = predict_run(run, data_dir, not quiet, uncalibrated, target, target_nz)
    write_predictions(table, out)
    echo(f"{len(table)} galaxies in {out}. Next: photoz evaluate {out if target else run}", quiet)


@click.command()
@click.argument("predictions", metavar="RUN_OR_FILE", type=UserPath())
@click.argument("out", type=UserPath(), callback=output_file(*FORMATS))
@click.option(
    "--compact", metavar="MAX_CDF_ERROR", type=float,
    help="Compact PDFs, 1 byte per bin (2 below 0.001), with at most this CDF error (from 1e-5).",
)  # fmt: skip
@quiet_option
def convert(predictions, out, compact, quiet):
    """Convert predictions to another format, given by the suffix of OUT.

    .fits and .parquet are single tables with units and descriptions. .hdf5 is a qp ensemble, as RAIL reads it. .hats is
    a HATS catalogue, a folder of Parquet files partitioned by sky position; it needs the package hats. With --compact
    (not for .hdf5) the file is read back and the change of every score is printed.
    """
    from photoz_morph.photoz.predictions import read_predictions, write_predictions

    table, grid = read_predictions(predictions_of(Path(predictions), quiet))
    own_output(out)
    write_predictions(table, out, compact)
    path = Path(out)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / max(len(table), 1)
    echo(f"{len(table)} galaxies in {out}, {size:.0f} bytes each.", quiet)
    if compact is not None and not quiet:
        _echo_compact_errors(table, read_predictions(out)[0], grid, compact)


def _echo_compact_errors(exact, compacted, grid, max_cdf_error):
    """Print the largest error of a CDF, and the change of every score with its bound."""
    from photoz_morph.photoz.formats.compact import compact_errors, score_bounds
    from photoz_morph.runs.scores import ORIGINS

    cdf_error, score_errors = compact_errors(exact, compacted, grid)
    echo(f"Largest error of a cumulative distribution: {cdf_error:.2e}, at most {max_cdf_error:g} asked for.")
    if score_errors:
        echo(f"Scores of these {ORIGINS[exact.meta['origin']]} galaxies:\n")
        echo(f"  {'score':18s} {'exact':>10s} {'compact - exact':>16s} {'at most':>10s}")
        bounds = score_bounds(max_cdf_error, grid)
        for name, (value, change) in score_errors.items():
            bound = f"{bounds[name]:10.1e}" if name in bounds else f"{'no bound':>10s}"
            echo(f"  {name:18s} {value:10.5f} {change:+16.1e} {bound}")


def predictions_of(path, quiet, data_dir=None):
    """Predictions file of a run folder, predicted first if it is missing or stale; a file is itself."""
    from photoz_morph.photoz.config import PhotozConfig

    return path if path.suffix == ".hats" else current_predictions(path, PhotozConfig, predict, quiet, data_dir)
