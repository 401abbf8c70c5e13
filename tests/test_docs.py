"""The documentation builds without a warning, and tells of every config key, command and page there is."""

import dataclasses
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from photoz_morph.blend.config import BlendConfig
from photoz_morph.cli.blend import main as blend
from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.photoz import main as photoz
from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = [PhotozConfig, MorphConfig, BlendConfig]
GROUPS = {"photoz": photoz, "morph": morph, "blend": blend}
NEEDED = ("sphinx", "myst_nb", "numpydoc", "pydata_sphinx_theme", "sphinx_click")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the docs need {', '.join(MISSING)}: pip install .[docs]")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of the built pages. Cells of the tutorials run, on the CPU and on small samples."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "doctrees", ROOT / "docs"]
    before = _source_files()
    result = subprocess.run([*command, folder / "html"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-8000:]
    assert _source_files() == before, "building the pages left files among their sources"
    return folder / "html"


@pytest.fixture(scope="module")
def reference():
    """The Sphinx extension that writes the tables of config keys."""
    spec = importlib.util.spec_from_file_location("config_reference", ROOT / "docs/_ext/config_reference.py")
    module = sys.modules["config_reference"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _source_files():
    """All files of docs/ but what was built there."""
    ignored = {"_build", "__pycache__"}
    return {path for path in (ROOT / "docs").rglob("*") if not ignored & set(path.parts)}


class _Page(HTMLParser):
    """Links, anchors, text and sources of scripts and pictures of one page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.sources, self.words = [], set(), [], []
        self.feed(path.read_text())
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        self.links += [attributes["href"]] if tag == "a" and attributes.get("href") else []
        if tag in ("script", "img", "link"):
            self.sources += [attributes[key] for key in ("src", "href") if key in attributes]

    def handle_data(self, data):
        self.words.append(data)


def _leaf_keys(config_class, prefix=""):
    """Dotted names of all keys of a config, by its values."""
    for entry in dataclasses.fields(config_class):
        if dataclasses.is_dataclass(entry.default_factory):
            yield from _leaf_keys(entry.default_factory, f"{prefix}{entry.name}.")
        else:
            yield prefix + entry.name


@pytest.mark.parametrize("config_class", CONFIGS)
def test_every_config_key_has_a_meaning_and_every_number_a_unit(reference, config_class):
    keys = {key.name: key for keys in reference.config_keys(config_class).values() for key in keys}
    assert set(keys) == set(_leaf_keys(config_class))
    for name, key in keys.items():
        assert len(key.meaning) > 10, f"{name} has no entry in the Attributes of its dataclass"
        is_number = re.match("integer|number", key.type) and not name.endswith("seed")
        assert key.unit or not is_number, f"{name}: its meaning must end in a unit, such as [pixel] or [dimensionless]"


@pytest.mark.parametrize("config_class", CONFIGS)
def test_every_config_key_is_on_its_page(pages, reference, config_class):
    text = _Page(pages / "configuration.html").text
    for keys in reference.config_keys(config_class).values():
        for key in keys:
            assert key.name in text
            assert key.unit in text
    for path in (ROOT / "configs").glob("*.yaml"):
        assert path.name in text


@pytest.mark.parametrize("prog", GROUPS)
def test_every_command_is_on_its_page(pages, prog):
    page = _Page(pages / "commands.html")
    for name, command in GROUPS[prog].commands.items():
        assert f"{prog}-{name}" in page.anchors
        for parameter in command.params:
            is_option = isinstance(parameter, click.Option)
            shown = parameter.opts[0] if is_option else parameter.make_metavar(click.Context(command)).strip("[].")
            assert shown in page.text, f"{prog} {name} {shown}"


def test_every_internal_link_resolves(pages):
    found = {path: _Page(path) for path in pages.rglob("*.html")}
    broken = []
    for path, page in found.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_there = target in found and (not parts.fragment or unquote(parts.fragment) in found[target].anchors)
            if not (is_there or (target not in found and target.is_file())):
                broken.append(f"{path.relative_to(pages)}: {link}")
    assert broken == []


def test_pages_load_nothing_from_other_hosts(pages):
    for path in pages.rglob("*.html"):
        assert [source for source in _Page(path).sources if urlsplit(source).netloc] == [], path


def test_tutorials_show_figures_and_tables(pages):
    for name in ("photoz", "morphology"):
        page = _Page(pages / "tutorials" / f"{name}.html")
        assert sum("_images" in source for source in page.sources) >= 1, name
    assert "sigma_MAD" in _Page(pages / "tutorials/photoz.html").text
