"""The command of `morph` that shows what its networks see: explain."""

from pathlib import Path

import click

from photoz_morph.cli.options import UserPath, echo, explain_options, explain_settings, quiet_option, run_argument
from photoz_morph.system.files import check_writable
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@run_argument
@click.option("--target", default="margin", show_default=True,
              type=click.Choice(["logit", "probability", "margin", "entropy"]),
              help="What is explained; margin is the logit of the class less the largest other.")  # fmt: skip
@click.option("--class", "of", default="predicted", show_default=True, metavar="CLASS",
              help="Class of the target: predicted, true, or a name.")  # fmt: skip
@click.option("--depth", default="Y10", show_default=True, type=click.Choice(["Y10", "Y1"]),
              help="Depth of the images.")  # fmt: skip
@click.option("--science", "n_known", default=0, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Also take N simulated mergers apart: companions and tidal tails.")  # fmt: skip
@click.option("--encounters", type=UserPath(),
              help="Folder of the encounters of `morph simulate`, for --science; by default they are simulated again."
              )  # fmt: skip
@explain_options("integrated_gradients,smooth_grad,grad_cam,occlusion", stride=8)
@quiet_option
def explain(run, target, of, depth, n_known, encounters, methods, obj_ids, galaxies, network, anatomy, name, out,
            data_dir, quiet, **options):  # fmt: skip
    """Explain the classes of test galaxies of RUN: maps of what speaks for and against a class, with checks of each.

    Galaxies are named with --obj-id, or picked: surest right and wrong, flipped by one pixel in an attack on RUN,
    another class at the other depth, and random ones. Arrays and one HTML page are written to RUN/explanations/NAME. If
    interrupted, run the same command again: it resumes after the last finished method.
    """
    check_writable(Path(out or run))
    quiet_tensorflow()
    from photoz_morph.explain.files import is_stored, read_stored
    from photoz_morph.explain.methods import chosen_methods
    from photoz_morph.morph.explanation.known_truth import KNOWN_TRUTH
    from photoz_morph.morph.explanation.of_run import ExplainPlan, explain_run
    from photoz_morph.morph.report.explanations import write_explanations
    from photoz_morph.morph.report.known_truth import known_truth

    plan = ExplainPlan(
        tuple(methods), target, of, depth, galaxies, obj_ids, network - 1, n_known=n_known, encounters=encounters,
        anatomy=anatomy,
        settings=explain_settings(**options),
    )  # fmt: skip
    folder = explain_run(run, plan, name, data_dir, out, progress=not quiet)
    further = known_truth(read_stored(folder, KNOWN_TRUTH).table) if is_stored(folder, KNOWN_TRUTH) else []
    page = write_explanations(run, folder, chosen_methods(methods), further, progress=not quiet)
    echo(f"Gallery in {page}, arrays beside it.", quiet)
