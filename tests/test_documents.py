"""README and documentation: commands, options and names that exist, links that lead somewhere, a README of one page."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from photoz_morph.cli.blend import main as blend
from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.photoz import main as photoz

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {"photoz": photoz, "morph": morph, "blend": blend}
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{name}.md" for name in
             ("results", "simulations", "formats", "your_data", "blend", "maps")))  # fmt: skip
ALL_TEXTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "docs/**/*.rst", "photoz_morph/data/*.md", "tests/data/*.md")
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
)
ROOTS = ("photoz_morph", "tfds_builders")
MAX_WORDS = 950


def named_commands(text):
    """Command lines of `photoz`, `morph` and `blend` in code blocks and in code spans, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`((?:photoz|morph|blend) [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [" ".join(span.split()) for span in spans]
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


def dotted_names(text):
    """Names below the packages: written out, imported in code, or of an autodoc directive and its current module."""
    packages = "|".join(ROOTS)
    yield from re.findall(rf"(?<![\w./])(?:{packages})(?:\.[A-Za-z_]\w*)+", text)
    for module, names in re.findall(rf"^from ((?:{packages})\S*) import (.+)", text, re.MULTILINE):
        yield from (f"{module}.{name.split()[0]}" for name in names.strip("()").split(",") if name.strip())
    module = None
    for directive, name in re.findall(r"^\.\. (currentmodule|autofunction|autoclass):: (\S+)", text, re.MULTILINE):
        module = name if directive == "currentmodule" else module
        yield name if directive == "currentmodule" else f"{module}.{name}"


def is_there(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for n_module in range(len(parts), 0, -1):
        module = ".".join(parts[:n_module])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(error.name):
                return importlib.util.find_spec(module) is not None  # it needs a package that is not installed
            continue
        for part in parts[n_module:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("document", ALL_TEXTS)
def test_names_in_the_code_exist(document):
    names = set(dotted_names((ROOT / document).read_text())) - {"photoz_morph.configs"}  # made when it is installed
    assert [name for name in sorted(names) if not is_there(name)] == []


@pytest.mark.parametrize(
    "text",
    [
        "`photoz_morph.photoz.exported_model.Estimator`",
        "from photoz_morph.photoz.exported_model import infer_shards, load_estimator",
        ".. currentmodule:: photoz_morph.photoz.exported_model\n\n.. autoclass:: Estimator",
        "photoz_morph.nowhere.fly",
    ],
)
def test_names_that_do_not_exist_are_found_out(text):
    assert not all(is_there(name) for name in dotted_names(text))


@pytest.mark.parametrize("document", ALL_TEXTS)
def test_files_of_the_code_that_are_named_exist(document):
    text = (ROOT / document).read_text()
    paths = set(re.findall(r"(?<![\w./-])(?:photoz_morph|tfds_builders|tests|scripts|configs)/[\w./-]*\w", text))
    made = {"photoz_morph/adaptation/ddc.py", "tests/data/vVERSION"}  # an example, and a pattern
    assert [path for path in sorted(paths - made) if not (ROOT / path).exists()] == []


def test_readme_is_one_page():
    assert len((ROOT / "README.md").read_text().split()) <= MAX_WORDS


def test_readme_links_every_command():
    text = (ROOT / "README.md").read_text()
    linked = set(re.findall(r"\[([\w-]+)\]\(docs/commands\.md#(photoz|morph|blend)-([\w-]+)\)", text))
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
