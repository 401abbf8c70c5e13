"""The command `blend`: many galaxies in one image. Each subcommand calls one function of the package."""

import click

from photoz_morph import __version__
from photoz_morph.cli.blend.data import build, simulate
from photoz_morph.cli.blend.evaluation import baseline, report
from photoz_morph.cli.blend.inference import infer
from photoz_morph.cli.blend.study import study
from photoz_morph.cli.options import OneLineErrors


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Images of many galaxies, with the truth to detect, segment and deblend them by.

    The commands form a chain: simulate, build, baseline, report. Each reads the output of the one before. infer finds
    the sources of real images, study tells what blending does to redshifts.
    """


for command in (simulate, build, baseline, report, infer, study):
    main.add_command(command)
