"""The options of every command, as users have them in their scripts.

`data/help/` holds what `--help` prints for each command. After a change that is meant, write the files anew with
`python -m tests.test_help` and look at the difference before it is committed.
"""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from photoz_morph.cli.blend import main as blend
from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.photoz import main as photoz
from tests.support.paths import DATA, ROOT

HELP = DATA / "help"
COMMANDS = {"photoz": photoz, "morph": morph, "blend": blend}
WIDTH = 100  # columns, whatever the terminal


def command_lines(command, words):
    """The words of a command, and of every command below it."""
    yield words
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from command_lines(below, [*words, name])


def help_text(name):
    """Output of `--help` for a console command and all below it."""
    parts = []
    for words in command_lines(COMMANDS[name], [name]):
        result = CliRunner().invoke(
            COMMANDS[name], [*words[1:], "--help"], prog_name=name, terminal_width=WIDTH, max_content_width=WIDTH
        )
        assert result.exit_code == 0, f"{' '.join(words)} --help: {result.output}"
        parts.append(f"$ {' '.join(words)} --help\n{result.output}")
    return "\n".join(parts)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options_are_those_users_know(name):
    # In a process of its own, as users call it: what other tests leave in this one must not matter.
    code = f"from tests.test_help import help_text; print(help_text({name!r}), end='')"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == (HELP / f"{name}.txt").read_text(), result.stderr


if __name__ == "__main__":
    for name in COMMANDS:
        (HELP / f"{name}.txt").write_text(help_text(name))
