"""The command `morph`: galaxy morphology under survey noise. Each subcommand calls one function of the package."""

import click

from photoz_morph import __version__
from photoz_morph.cli.morph.data import build, mock, simulate
from photoz_morph.cli.morph.evaluation import baseline, evaluate, report
from photoz_morph.cli.morph.explanation import explain
from photoz_morph.cli.morph.prediction import export, infer, predict
from photoz_morph.cli.morph.robustness import attack, depth, latent, perturb
from photoz_morph.cli.morph.selection import calibrate, select
from photoz_morph.cli.morph.training import status, summary, train
from photoz_morph.cli.morph.transfer import transfer
from photoz_morph.cli.options import OneLineErrors


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Galaxy morphology from ten-year and one-year LSST images, as in Ciprijanovic et al. (2021, 2022).

    The commands form a chain: simulate, mock, build, train, predict, evaluate, report, export, infer. Each reads the
    output of the one before. In an empty folder `morph train morph_regular.yaml --seeds 3` runs the first four;
    `morph train morph_mmd.yaml --seeds 3` then trains the same networks with domain adaptation. The command baseline
    does without a network; attack, latent, perturb and depth measure robustness; select chooses among networks without
    labels of the target, calibrate their probabilities, explain what they look at.
    """


for command in (
    simulate, mock, build, train, transfer, status, summary, predict, export, infer, baseline, evaluate, report, attack,
    latent, perturb, depth, select, calibrate, explain,
):  # fmt: skip
    main.add_command(command)
