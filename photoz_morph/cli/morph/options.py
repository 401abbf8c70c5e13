"""Options shared by several commands of `morph`."""

import click

from photoz_morph.cli.options import UserPath
from photoz_morph.morph.config import MorphConfig

runs_argument = click.argument("runs", nargs=-1, type=UserPath())
run_data_option = click.option(
    "--data-dir", type=UserPath(), help="Prepared dataset; by default the one the run was trained on."
)
defence_option = click.option(
    "--defence", type=click.Choice(MorphConfig.CHOICES["defence.test_time"]),
    help="Test-time defence of the networks; by default that of each run's config.",
)  # fmt: skip
