"""Tables of all config keys, and of the configs that are shipped, written from the code when the pages are built.

A line `<!-- config keys: photoz -->` in a page becomes the tables of that chain, `<!-- shipped configs -->` the list of
YAML files. Keys, types and defaults come from the dataclasses, meanings and units from their docstrings: numpydoc
sections `Attributes`, with the unit in brackets at the end.
"""

import dataclasses
import importlib
import inspect
import math
import re
import types
import typing
from importlib import resources

from numpydoc.docscrape import NumpyDocString

from photoz_morph.config import is_section
from photoz_morph.surveys import Survey

KEYS = re.compile(r"<!-- config keys: (\w+) -->")
CONFIGS = "<!-- shipped configs -->"
UNIT = re.compile(r"\s*\[([^\[\]]+)\]\.?$")
TYPES = {
    int: "integer", float: "number", str: "text", bool: "true or false", type(None): "null",
    Survey: "name, path or keys",
}  # fmt: skip
COLUMNS = ("Key", "Type [unit]", "Default", "Meaning")


@dataclasses.dataclass(frozen=True)
class Key:
    """One config key: its dotted name, and text for each column of the table."""

    name: str
    type: str
    default: str
    unit: str
    meaning: str
    allowed: str


def setup(app):
    """Called by Sphinx."""
    app.add_config_value("config_classes", {}, "env")
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True}


def config_keys(config_class):
    """All keys of a config class, by section: dict of section name ("" for the top level) to list of Key."""
    sections = {"": _keys_of(config_class, "", config_class)}
    for name, section_class in config_sections(config_class).items():
        sections[name] = _keys_of(section_class, f"{name}.", config_class)
    return sections


def config_sections(config_class):
    """Classes of the sections of a config class, by name."""
    hints = typing.get_type_hints(config_class)
    names = [entry.name for entry in dataclasses.fields(config_class)]
    return {name: hints[name] for name in names if is_section(hints[name])}


def keys_as_markdown(config_class):
    """The keys of a config class as Markdown: a heading and a table for each section."""
    sections, lines = config_sections(config_class), []
    for name, keys in config_keys(config_class).items():
        summary = NumpyDocString(inspect.getdoc(sections[name]))["Summary"] if name else ["Keys outside the sections below."]
        lines += [f"### {config_class.task} {name}" if name else f"### {config_class.task} top level", "", *summary, ""]
        lines += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        for key in keys:
            meaning = " ".join(part for part in (key.meaning, key.allowed) if part)
            kind = f"{key.type} [{key.unit}]" if key.unit else key.type
            lines.append(_row([f"`{key.name}`", kind, key.default, meaning]))
        lines.append("")
    return "\n".join(lines)


def configs_as_markdown():
    """The shipped configs and the comments they open with, as Markdown."""
    folder, lines = resources.files("photoz_morph.configs"), []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            lines += [f"### {entry.name}", "", *_opening_comment(entry.read_text()), ""]
    return "\n".join(lines)


def _fill_in(app, docname, source):
    """Replace the placeholders of a page."""
    if CONFIGS in source[0]:
        source[0] = source[0].replace(CONFIGS, configs_as_markdown())
    source[0] = KEYS.sub(lambda match: keys_as_markdown(_load(app.config.config_classes[match[1]])), source[0])


def _load(dotted_name):
    module, _, name = dotted_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _keys_of(section_class, prefix, config_class):
    """Keys of one dataclass that are no sections."""
    attributes = NumpyDocString(inspect.getdoc(section_class))["Attributes"]
    described = {attribute.name: " ".join(attribute.desc) for attribute in attributes}
    hints, keys = typing.get_type_hints(section_class), []
    for entry in dataclasses.fields(section_class):
        if is_section(hints[entry.name]):
            continue
        name, meaning = prefix + entry.name, described.get(entry.name, "")
        unit = UNIT.search(meaning)
        meaning = UNIT.sub(".", meaning) if unit else meaning
        keys.append(
            Key(name, _type_text(hints[entry.name]), f"`{_value_text(entry.default)}`", unit[1] if unit else "",
                meaning, _allowed(name, config_class))
        )  # fmt: skip
    return keys


def _allowed(name, config_class):
    """Choices or range of a key, as a sentence."""
    if name in config_class.CHOICES:
        choices = [f"`{choice}`" for choice in config_class.CHOICES[name]]
        return f"One of {', '.join(choices)}." if len(choices) > 1 else f"Always {choices[0]}."
    positive, (low, high) = name in config_class.POSITIVE, config_class.RANGES.get(name, (None, None))
    if positive:
        return f"Above 0, at most {high:g}." if high not in (None, math.inf) else "Above 0."
    if low is not None:
        return f"At least {low:g}." if high == math.inf else f"From {low:g} to {high:g}."
    return ""


def _type_text(hint, plural=""):
    """A type as a reader of YAML knows it."""
    if isinstance(hint, types.UnionType):
        return " or ".join(_type_text(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        kind = "list" if inner[-1] is Ellipsis else "pair"
        return f"{kind}{plural} of {_type_text(inner[0], 's')}"
    return TYPES[hint] + plural


def _value_text(value):
    """A default as it would be written in YAML."""
    if isinstance(value, Survey):
        return value.name
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value_text, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _opening_comment(text):
    """The comment lines at the top of a YAML file as Markdown; indented lines are commands."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        line = line.removeprefix("#").removeprefix(" ")
        is_command = line.startswith("  ")
        lines += ["", f"    {line.strip()}", ""] if is_command else [line]
    return lines


def _row(cells):
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
