"""The command `blend study`."""

from pathlib import Path

import click

from photoz_morph.cli.blend.evaluation import METRICS
from photoz_morph.cli.blend.inference import tuned_settings
from photoz_morph.cli.options import UserPath, echo, quiet_option
from photoz_morph.system.files import check_writable


@click.command()
@click.argument("savedmodel", type=UserPath())
@click.option("--n-galaxies", default=200, show_default=True, type=click.IntRange(min=20),
              help="Simulated galaxies, each with 40 neighbours in turn.")  # fmt: skip
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 900_000_000),
              help="Seed of the simulation.")  # fmt: skip
@click.option("--settings", type=UserPath(),
              help="Scores of `blend baseline`, sep_scores.json, whose tuned settings of sep deblend; by default those "
              "of SExtractor.")  # fmt: skip
@click.option("--metric", default="completeness", show_default=True, type=click.Choice(METRICS),
              help="Score for which the settings in that file were chosen.")  # fmt: skip
@click.option("--out", default="study", show_default=True, type=UserPath(), help="Output folder.")
@quiet_option
def study(savedmodel, n_galaxies, seed, settings, metric, out, quiet):
    """Measure what a neighbour does to the redshifts of SAVEDMODEL, exported by `photoz export` for five-band SDSS.

    Galaxies of the simulator that the model has not seen get a neighbour at 0.5 to 8 arcsec, 2 mag brighter to 2 mag
    fainter. Bias, scatter and outliers of their redshifts, without deblending and after that of sep, are written to
    OUT/study.json with their intervals, and drawn in OUT/study.png and .pdf. What is finished of an interrupted study
    is kept.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; give the name of a folder as --out")
    check_writable(folder)
    from photoz_morph.training.quiet import quiet_tensorflow

    quiet_tensorflow()
    from photoz_morph.blend.baselines.detection import SepSettings
    from photoz_morph.blend.report.figures.study import study_figure
    from photoz_morph.blend.study import SepDeblender, blending_study
    from photoz_morph.photoz.exported_model import ExportedModel
    from photoz_morph.report.style import save_figure
    from photoz_morph.runs.scores import write_scores
    from photoz_morph.surveys import SDSS

    deblender = SepDeblender(tuned_settings(settings, metric) if settings else SepSettings())
    model = ExportedModel(savedmodel)
    difference = SDSS.difference(model.survey)
    if difference:
        raise ValueError(f"{savedmodel}: takes images of {model.survey.name}, not of sdss ({difference}); give another")
    facts = {"model": model.description["model"], "model_id": model.model_id}
    results = blending_study(
        lambda stamps, ebv: model.predict(stamps, ebv, "pairs")["z_phot"], facts, folder, n_galaxies, seed,
        model.description.get("fold"), deblender, progress=not quiet,
    )  # fmt: skip
    write_scores(results, folder / "study.json")
    title = f"Simulated SDSS galaxies with a neighbour: redshifts of {facts['model']}"
    for suffix in (".png", ".pdf"):
        save_figure(study_figure(results, title), folder / f"study{suffix}")
    alone = results["alone"]
    echo(f"{n_galaxies} simulated galaxies alone: bias {alone['bias']['value']:+.4f}, sigma_MAD "
         f"{alone['sigma_mad']['value']:.4f}, eta {100 * alone['eta']['value']:.1f} %.", quiet)  # fmt: skip
    echo(f"Study in {folder / 'study.json'} and {folder / 'study.png'}.", quiet)
