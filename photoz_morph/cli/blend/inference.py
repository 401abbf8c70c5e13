"""The command `blend infer`, and what joins it to the redshifts of another chain."""

import json
from pathlib import Path

import click

from photoz_morph.cli.blend.evaluation import METRICS
from photoz_morph.cli.options import UserPath, dust_option, echo, quiet_option, remarks
from photoz_morph.system.files import check_writable

KEPT = ("z_phot", "z_median", "z_mode", "z_lower", "z_upper", "ebv", "ebv_source", "pdf")  # columns of redshifts


@click.command()
@click.argument("frames", nargs=-1, required=True, type=UserPath())
@click.option("--out", default="found", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--settings", type=UserPath(),
              help="Scores of `blend baseline`, sep_scores.json, whose tuned settings of sep are used; by default "
              "those of SExtractor.")  # fmt: skip
@click.option("--metric", default="completeness", show_default=True, type=click.Choice(METRICS),
              help="Score for which the settings in that file were chosen.")  # fmt: skip
@click.option("--model", type=UserPath(),
              help="Exported finder of `blend export`, whose networks find the sources instead of sep.")
@click.option("--min-score", type=click.FloatRange(0, 1),
              help="With --model: least score of a source; by default that from which sources own pixels.")
@click.option("--deblender", type=UserPath(),
              help="Exported deblender of `blend export`: galaxies without their neighbours, and their fluxes.")
@click.option("--format", "suffix", default="fits", show_default=True, type=click.Choice(["fits", "parquet"]),
              help="Format of the catalogues.")  # fmt: skip
@click.option("--stamp-size", type=click.IntRange(8, 512), help="Side of the stamps [pixel]; 64 by default.")
@click.option("--bands", help="Names of the bands of FITS images that are no frames, such as g,r,i.")
@click.option("--photoz", "savedmodel", type=UserPath(),
              help="Exported model of `photoz export`, which gives each source of five-band frames a redshift.")
@dust_option
@click.option("--radius", default=4.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="Largest distance of a source from a published position that it is counted for [pixel].")
@quiet_option
def infer(
    frames, out, settings, metric, model, min_score, deblender, suffix, stamp_size, bands, savedmodel, dust, radius,
    quiet,
):  # fmt: skip
    """Find the sources of real images: catalogue, segmentation, deblended stamps and a picture of each.

    FRAMES are files or folders: frames of SDSS, those of one field being one image; scenes of scarlet (.npz), and FITS
    images of any program, of one band or with the bands as first axis. Sources are found and deblended by the rules of
    SExtractor, or found by the networks of --model in images like those that they were trained on. With --photoz each
    has the redshift of its stamp, in which its neighbours are replaced. Files in OUT that were made of the same images
    and options are kept.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; give the name of a folder as --out")
    check_writable(folder)
    if savedmodel and stamp_size:
        raise click.UsageError("--stamp-size is that of the model with --photoz; leave it out")
    if model and settings:
        raise click.UsageError("--settings are those of sep, --model is another finder; give one of them")
    if min_score is not None and not model:
        raise click.UsageError("--min-score is that of a finder of --model; give one")
    from photoz_morph.blend.baselines.detection import SepSettings
    from photoz_morph.blend.infer import SepFinder, infer_scenes
    from photoz_morph.blend.scenes.files import find_scenes

    scenes = find_scenes(frames)
    finder = SepFinder(tuned_settings(settings, metric) if settings else SepSettings())
    if model:
        finder = finder_of(model, min_score)
    if deblender:
        deblender = deblender_of(deblender)
    redshifts = None
    if savedmodel:
        redshifts, stamp_size = redshifts_of(savedmodel, dust)
    names = tuple(bands.split(",")) if bands else None
    with remarks(quiet):
        found = infer_scenes(
            scenes, folder, finder, f".{suffix}", stamp_size or 64, names, redshifts, radius, not quiet,
            deblender or None,
        )  # fmt: skip
    for summary in found:
        echo(_line(summary, radius), quiet)
    echo(f"Catalogues, segmentations, stamps and pictures in {folder}.", quiet)


def _line(summary, radius):
    """What was found in an image."""
    words = f"{summary.name}: {summary.n_sources} sources"
    if summary.n_redshifts is not None:
        words += f", {summary.n_redshifts} with a redshift"
    if summary.n_known:
        words += (
            f"; {summary.n_matched} of {summary.n_known} known positions within {radius:g} pixels, completeness "
            f"{summary.n_matched / summary.n_known:.2f}"
        )
    return words + (" (kept)." if summary.is_kept else ".")


def tuned_settings(path, metric):
    """Settings of `sep` that `blend baseline` chose for a metric."""
    from photoz_morph.blend.baselines.detection import SepSettings
    from photoz_morph.runs.scores import read_scores

    tuned = read_scores(path, "blend", ("tuned_for",))["tuned_for"]
    if metric not in tuned:
        raise ValueError(f"{path}: has settings for {', '.join(tuned)}, not for {metric}; give one of them as --metric")
    try:
        return SepSettings(**json.loads(tuned[metric]["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no settings of sep for {metric} in it ({error}); tune again") from error


def finder_of(path, min_score=None):
    """Finder by the networks of an export."""
    model = _exported(path)
    model.check_gives("sources", "the export of a finder as --model")
    from photoz_morph.blend.export.network_finder import NetworkFinder

    return NetworkFinder(model, min_score)


def deblender_of(path):
    """Deblender by the networks of an export."""
    model = _exported(path)
    model.check_gives("galaxy", "the export of a deblender as --deblender")
    from photoz_morph.blend.export.network_finder import NetworkDeblender

    return NetworkDeblender(model)


def _exported(path):
    """An exported model of this chain."""
    from photoz_morph.training.quiet import quiet_tensorflow

    quiet_tensorflow()
    from photoz_morph.blend.export.exported_model import ExportedBlendModel

    return ExportedBlendModel(path)


def redshifts_of(savedmodel, dust):
    """How an exported model of `photoz` measures redshifts on stamps, and the side of its stamps [pixel]."""
    from photoz_morph.blend.infer import Redshifts
    from photoz_morph.training.quiet import quiet_tensorflow

    quiet_tensorflow()
    import numpy as np

    from photoz_morph.photoz.exported_model import ExportedModel
    from photoz_morph.photoz.infer import infer_images

    model = ExportedModel(savedmodel)

    def check(survey, name):
        difference = "no frames of a survey" if survey is None else survey.difference(model.survey)
        if difference:
            raise ValueError(
                f"{name}: not images of {model.survey.name} in {','.join(model.survey.bands)}, as {savedmodel} takes "
                f"them ({difference}); give frames in all its bands, or leave out --photoz"
            )

    def measure(images, table, name):
        found = infer_images(model, images, table, "stacked", name, dust=dust)
        columns = {column: found[column] for column in (*KEPT, *model.calibrated)}
        columns["z_flag"], columns["z_flag_reason"] = found["flag"], np.asarray(found["flag_reason"], str)
        return type(found)(columns)

    facts = {"z_model": model.model_id, "z_min": model.grid.z_min, "z_max": model.grid.z_max,
             "n_bins": model.grid.n_bins, "dust": dust}  # fmt: skip
    return Redshifts(measure, check, facts), model.survey.stamp_size
