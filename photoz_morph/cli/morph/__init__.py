"""The command `morph`: galaxy morphology under survey noise. Each command is one call of the package."""

import click

from photoz_morph import __version__
from photoz_morph.cli.morph.data import build, mock, simulate
from photoz_morph.cli.morph.evaluation import evaluate, report
from photoz_morph.cli.morph.prediction import export, infer, predict
from photoz_morph.cli.morph.robustness import attack, latent, perturb
from photoz_morph.cli.morph.training import status, summary, train
from photoz_morph.cli.options import OneLineErrors


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Galaxy morphology from LSST images of ten years and of one, as in Ciprijanovic et al. (2021, 2022).

    The chain: simulate, mock, build, train, predict, evaluate, report, export, infer. Each command reads what the one
    before wrote. `morph train morph_regular.yaml --seeds 3` in an empty folder runs the first four by itself;
    `morph train morph_mmd.yaml --seeds 3` then trains the same networks with domain adaptation. attack, latent and
    perturb ask how little it takes to change a class.
    """


for command in (
    simulate, mock, build, train, status, summary, predict, export, infer, evaluate, report, attack, latent,
    perturb,
):  # fmt: skip
    main.add_command(command)
