"""The command of `photoz` that shows what its networks see: explain."""

from pathlib import Path

import click

from photoz_morph.cli.options import echo, explain_options, explain_settings, quiet_option, run_argument
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@run_argument
@click.option("--target", default="mean", show_default=True,
              help="What is explained, of the PDF: mean, median, width, entropy, or interval:LOW:HIGH.")  # fmt: skip
@click.option("--fold", type=click.IntRange(min=0), help="Test fold; by default the first that is finished.")
@click.option("--science", "n_known", default=0, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Also take N simulated galaxies apart: attribution by region, responses to one change.")  # fmt: skip
@explain_options("integrated_gradients,smooth_grad,occlusion,band_occlusion", stride=4)
@quiet_option
def explain(run, target, fold, n_known, methods, obj_ids, galaxies, network, anatomy, name, out, data_dir, quiet,
            **options):
    """Explain the redshifts of test galaxies of RUN: maps of what raises and lowers them, with checks of each map.

    Galaxies are named with --obj-id, or picked: best, worst, widest PDF, outliers and random ones. Arrays and one HTML
    page are written to RUN/explanations/NAME. If interrupted, run the same command again: it resumes after the last
    finished method.
    """
    check_writable(Path(out or run))
    quiet_tensorflow()
    from photoz_morph.explain.files import is_stored, read_stored
    from photoz_morph.explain.methods import chosen_methods
    from photoz_morph.photoz.explanation.known_truth import KNOWN_TRUTH
    from photoz_morph.photoz.explanation.of_run import ExplainPlan, explain_run
    from photoz_morph.photoz.report.explanations import write_explanations
    from photoz_morph.photoz.report.known_truth import known_truth

    settings = explain_settings(**options)
    plan = ExplainPlan(
        tuple(methods), target, galaxies, obj_ids, network - 1, fold, n_known=n_known, anatomy=anatomy,
        settings=settings,
    )
    folder = explain_run(run, plan, name, data_dir, out, progress=not quiet)
    further = known_truth(read_stored(folder, KNOWN_TRUTH).table) if is_stored(folder, KNOWN_TRUTH) else []
    page = write_explanations(run, folder, chosen_methods(methods), further, progress=not quiet)
    echo(f"Gallery in {page}, arrays beside it.", quiet)
