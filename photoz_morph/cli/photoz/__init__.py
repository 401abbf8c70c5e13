"""The command `photoz`: from survey frames to redshift PDFs. Each subcommand calls one function of the package."""

import click

from photoz_morph import __version__
from photoz_morph.cli.options import OneLineErrors
from photoz_morph.cli.photoz.data import build, index, select, simulate, stack
from photoz_morph.cli.photoz.evaluation import baseline, compare, evaluate, learning_curve, report
from photoz_morph.cli.photoz.explanation import explain
from photoz_morph.cli.photoz.prediction import calibrate, convert, export, import_checkpoint, infer, predict
from photoz_morph.cli.photoz.robustness import attack
from photoz_morph.cli.photoz.survey import survey
from photoz_morph.cli.photoz.training import distill, pretrain, status, summary, train
from photoz_morph.cli.photoz.transfer import transfer


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Redshift PDFs from images of any survey, as in Pasquet et al. (2019) from ugriz of SDSS.

    The commands form a chain: simulate or stack, build, train, predict, evaluate, export, infer. Each reads the output
    of the one before. In an empty folder `photoz train --ensemble 6 --cv 5` runs the first three.
    """


for command in (
    simulate, select, index, stack, build, pretrain, train, transfer, distill, status, summary, calibrate, predict,
    convert, export, import_checkpoint, infer, baseline, evaluate, compare, report, learning_curve, attack, explain,
    survey,
):  # fmt: skip
    main.add_command(command)
