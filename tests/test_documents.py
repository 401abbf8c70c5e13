"""README and documentation: commands and options that exist, links that lead somewhere, a README of one page."""

import re
import shlex
from pathlib import Path

import click
import pytest

from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.photoz import main as photoz

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {"photoz": photoz, "morph": morph}
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{name}.md" for name in
             ("results", "simulations", "formats", "your_data")))  # fmt: skip
MAX_WORDS = 900


def named_commands(text):
    """Command lines of `photoz` and `morph` in code blocks and in code spans, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`((?:photoz|morph) [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()] + [" ".join(span.split()) for span in spans]
    commands = [[word for word in shlex.split(line, comments=True) if word != "..."] for line in lines]
    return [words for words in commands if words and words[0] in GROUPS]


def check_command(words):
    """Raise a click.UsageError unless the command exists and takes these arguments and options."""
    group, name, *arguments = words
    command = GROUPS[group].commands.get(name)
    if command is None and name.startswith("-"):
        return
    if command is None:
        raise click.UsageError(f"{group} has no command {name}")
    if arguments:  # a command that is only named needs none
        command.make_context(name, arguments)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_exist_with_their_options(document):
    commands = named_commands((ROOT / document).read_text())
    assert commands
    for words in commands:
        try:
            check_command(words)
        except click.exceptions.Exit:  # --help
            pass
        except click.ClickException as error:
            pytest.fail(f"{document}: {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("line", ["photoz fly", "photoz report runs/a --fly", "morph attack --search fly"])
def test_commands_that_do_not_exist_are_found_out(line):
    with pytest.raises(click.UsageError):
        check_command(line.split())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document):
    path = ROOT / document
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    files = {link.split("#")[0] for link in links if not re.match(r"https?:|mailto:|#", link)}
    assert [name for name in sorted(files) if not (path.parent / name).exists()] == []


def test_readme_is_one_page():
    assert len((ROOT / "README.md").read_text().split()) <= MAX_WORDS


def test_readme_links_every_command():
    text = (ROOT / "README.md").read_text()
    linked = set(re.findall(r"\[([\w-]+)\]\(docs/commands\.md#(photoz|morph)-([\w-]+)\)", text))
    assert all(name == anchor for name, _, anchor in linked)
    assert {(group, name) for _, group, name in linked} == {
        (group, name) for group, main in GROUPS.items() for name in main.commands
    }


def test_readme_keeps_the_acknowledgement_of_the_sdss():
    text = " ".join((ROOT / "README.md").read_text().split())
    assert "Funding for the Sloan Digital Sky Survey has been provided by the Alfred P. Sloan Foundation" in text


def test_tables_of_results_say_what_their_galaxies_are():
    text = (ROOT / "docs" / "results.md").read_text()
    sections = re.split(r"^##+ .*$", text, flags=re.MULTILINE)
    tables = [section for section in sections if "|---" in section]
    assert len(tables) >= 10
    assert [table[:80] for table in tables if not re.search(r"\*\*(Simulated|Real) (galaxies|pixels)", table)] == []
