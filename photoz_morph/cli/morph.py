"""The command `morph`: galaxy morphology under survey noise."""

import click

from photoz_morph import __version__
from photoz_morph.cli.options import OneLineErrors


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """Galaxy morphology from LSST-like images.

    This version has no morphology command yet; see CHANGELOG.md. The photo-z chain is `photoz`.
    """
