"""The command `blend`: many galaxies in one image. Each subcommand calls one function of the package."""

import click

from photoz_morph import __version__
from photoz_morph.cli.blend.data import build, simulate
from photoz_morph.cli.blend.evaluation import baseline, evaluate, report
from photoz_morph.cli.blend.inference import infer
from photoz_morph.cli.blend.prediction import export, predict
from photoz_morph.cli.blend.study import study
from photoz_morph.cli.blend.training import status, summary, train
from photoz_morph.cli.options import OneLineErrors


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Images of many galaxies, with the truth to detect, segment and deblend them by.

    The commands form a chain: simulate, build, train, predict, evaluate, report. Each reads the output of the one
    before. In an empty folder `blend train` runs the first three. The command baseline does without a network. Infer
    finds the sources of real images, by an export of a run or without, and study tells what blending does to redshifts.
    """


for command in (simulate, build, train, status, summary, predict, baseline, evaluate, report, export, infer, study):
    main.add_command(command)
