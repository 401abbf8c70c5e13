"""Configs: YAML files read into frozen dataclasses, overridden on the command line and saved with the run.

A misspelt key or a wrong type stops the run with the file, the key and the nearest valid key. Values are converted by
the declared type, since PyYAML reads `1e-4` as a string and `no` as False. Instrument facts are in `surveys`; a config
names the survey, or the file that describes it. A saved config holds that description whole.
"""

import dataclasses
import difflib
import math
import types
import typing
from importlib import resources
from pathlib import Path

import yaml

from photoz_morph.surveys import SDSS, Survey, get_survey, survey_from_dict, survey_to_dict
from photoz_morph.system.files import write_whole


def load_config(path, config_class, overrides=()):
    """Read and check a config file.

    Parameters
    ----------
    path : path-like
        A YAML file, or the name of one that comes with the package (`photoz_sdss.yaml`, `configs/photoz_sdss.yaml`).
        With the key `base`, another file beside it or of the package, it holds only the values that differ from it.
    config_class : type
        The frozen dataclass of the chain: its fields are the keys, its `task` the name of the chain. A file without
        the key `task` is a config of "photoz".
    overrides : iterable of str
        `key.subkey=value`, as given to `--set`.

    Returns
    -------
    config_class

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a key is unknown, a value has the wrong type or is out of its range, or the config is of another chain.
    """
    path = find_config(path)
    values = _read_values(path)
    found = values.get("task", "photoz")
    if found != config_class.task:
        raise ValueError(f"{path}: is a config of `{found}`, not of `{config_class.task}`; use it with `{found}`")
    _check_keys(config_class, values, path)
    for override in overrides:
        changes = _read_override(override)
        _check_keys(config_class, changes, f"--set {override}")
        values = _updated(values, changes)
    # Built once, of everything: two overrides may only together make sense, such as those of z_min and z_max.
    source = " ".join([str(path), *(f"--set {override}" for override in overrides)])
    config = _build(config_class, values, source)
    _check(config, source)
    return config


def _read_values(path, above=()):
    """Keys and values of a config file over those of its `base`; `above` are the files that lead to it."""
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, ValueError) as error:  # bytes that are not text, a date that does not exist
        raise ValueError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected `key: value` lines, got {values!r}")
    survey = values.get("survey")
    if isinstance(survey, str) and survey.endswith((".yaml", ".yml")) and (path.parent / survey).is_file():
        values["survey"] = str(path.parent / survey)
    if "base" not in values:
        return values
    base = values.pop("base")
    if not isinstance(base, str):
        raise ValueError(f"{path}: 'base' must be the name of a config file, got {base!r}")
    found = find_config(path.parent / base if (path.parent / base).exists() else base)
    if found.resolve() in (path.resolve(), *above):
        raise ValueError(f"{path}: its base {found} is based on it; name another one")
    return _updated(_read_values(found, (path.resolve(), *above)), values)


def _updated(values, changes):
    """Nested dictionary updated, level by level, with the values of another one."""
    both = {key: _updated(values[key], new) for key, new in changes.items()
            if isinstance(new, dict) and isinstance(values.get(key), dict)}  # fmt: skip
    return values | changes | both


def find_config(path):
    """Path of a config: the file itself if it exists, else the one of that name in the package; ~ is expanded."""
    path = Path(path).expanduser()
    if path.exists():
        return path
    shipped = resources.files("photoz_morph.configs") / path.name
    if path.parent in (Path(), Path("configs")) and shipped.is_file():
        return Path(str(shipped))
    names = sorted(entry.name for entry in resources.files("photoz_morph.configs").iterdir())
    names = [name for name in names if name.endswith(".yaml")]
    raise FileNotFoundError(f"{path}: no such config; the package comes with {', '.join(names)}")


def save_config(config, path):
    """Write all values of a config to a YAML file that `load_config` reads back."""
    path = Path(path)
    with write_whole(path) as part:
        part.write_text(yaml.safe_dump(config_values(config), sort_keys=False))


def differing_keys(config, other):
    """Dotted keys whose values differ between two configs of one class."""
    flat, flat_other = _flatten(config), _flatten(other)
    return [key for key in flat if flat[key] != flat_other[key]]


def _check_keys(cls, values, source, prefix="", root=None):
    """Raise a ValueError if a key is unknown or a value has the wrong type; `root` is the class of the whole config."""
    root = root or cls
    hints = _field_types(cls)
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in hints:
            raise ValueError(f"{source}: unknown key '{name}'.{_suggestion(name, root)}")
        if not is_section(hints[key]):
            _convert(value, hints[key], source, name)
        elif isinstance(value, dict):
            _check_keys(hints[key], value, source, f"{name}.", root)
        else:
            raise ValueError(f"{source}: '{name}' is a group of keys, got {value!r}")


def _build(cls, values, source, prefix=""):
    """Instance of a config dataclass from a dictionary of known keys."""
    hints, kwargs = _field_types(cls), {}
    for key, value in values.items():
        if is_section(hints[key]):
            kwargs[key] = _build(hints[key], value, source, f"{prefix}{key}.")
        else:
            kwargs[key] = _convert(value, hints[key], source, f"{prefix}{key}")
    try:
        return cls(**kwargs)
    except ValueError as error:
        raise ValueError(f"{source}: '{prefix.rstrip('.')}': {error}") from error


def is_section(hint):
    """True if the type of a key makes it a group of keys; a survey is a value."""
    return dataclasses.is_dataclass(hint) and hint is not Survey


def _field_types(cls):
    """Field name -> declared type of a dataclass."""
    hints = typing.get_type_hints(cls)
    return {entry.name: hints[entry.name] for entry in dataclasses.fields(cls)}


def _convert(value, hint, source, key):
    """YAML value converted to the declared type."""
    if hint is Survey:
        return _survey(value, source, key)
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        hint = next(choice for choice in typing.get_args(hint) if choice is not type(None))
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)
        if isinstance(value, (list, tuple)) and (item[-1] is Ellipsis or len(item) == len(value)):
            kinds = [item[0]] * len(value) if item[-1] is Ellipsis else item
            return tuple(_convert(entry, kind, source, key) for entry, kind in zip(value, kinds))
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is str:
        # YAML 1.1 turns a bare `no` into False; a string key gets its spelling back only if it was quoted.
        if isinstance(value, str):
            return value
    elif hint in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            if hint is float or number == int(number):
                return hint(number) if hint is float else int(value) if not isinstance(value, float) else int(number)
        except (TypeError, ValueError, OverflowError):
            pass
    name = getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else "list"
    raise ValueError(f"{source}: '{key}' must be {name}, got {value!r}")


def _survey(value, source, key):
    """Survey of its name, the path of its description, or the description itself."""
    if isinstance(value, dict):
        return survey_from_dict(value, f"{source}: '{key}'")
    if not isinstance(value, str):
        raise ValueError(f"{source}: '{key}' must be the name of a survey or the path of its .yaml file, got {value!r}")
    try:
        survey = get_survey(value)
    except (ValueError, OSError) as error:
        raise type(error)(f"{source}: '{key}': {error}") from error
    if not isinstance(survey, Survey):
        raise ValueError(
            f"{source}: '{key}' is {value!r}, single visits that morph makes mocks of; photo-z takes stacked images, "
            f"those of {value}_coadd for example"
        )
    return survey


def _read_override(override):
    """Nested dictionary of one `key.subkey=value`."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ValueError(f"--set {override}: expected key=value, for example train.learning_rate=1e-4")
    names = key.strip().split(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {override}: not valid YAML ({' '.join(str(error).split())})") from error
    for name in reversed(names):
        value = {name: value}
    return value


def _check(config, source):
    """Check ranges and choices, which a type cannot express."""
    flat = _flatten(config)
    for key, value in flat.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{source}: '{key}' must be a finite number, got {value!r}")
    for key, choices in config.CHOICES.items():
        if flat[key] not in choices:
            raise ValueError(f"{source}: '{key}' is {flat[key]!r}, must be one of {', '.join(choices)}")
    for key in config.POSITIVE:
        if flat[key] is not None and not flat[key] > 0:
            raise ValueError(f"{source}: '{key}' must be positive, got {flat[key]!r}")
    for key, (lowest, highest) in config.RANGES.items():
        if flat[key] is not None and not lowest <= flat[key] <= highest:
            raise ValueError(f"{source}: '{key}' must be in [{lowest:g}, {highest:g}], got {flat[key]!r}")
    try:
        config.check()
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _flatten(config, prefix=""):
    """Dotted key -> value."""
    flat = {}
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if is_section(type(value)):
            flat |= _flatten(value, f"{prefix}{entry.name}.")
        else:
            flat[f"{prefix}{entry.name}"] = value
    return flat


def config_values(value):
    """Values of a config as they are saved: dataclasses and tuples as dictionaries and lists."""
    if isinstance(value, Survey):  # whole, so that the run stays readable; the numbers of SDSS are those of the paper
        return value.name if value == SDSS else survey_to_dict(value)
    if dataclasses.is_dataclass(value):
        return {entry.name: config_values(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    return [config_values(entry) for entry in value] if isinstance(value, tuple) else value


def _suggestion(key, root):
    """Sentence with the nearest valid key, or the valid keys of the group."""
    known = list(_flatten(root()))
    groups = [entry.name for entry in dataclasses.fields(root)]
    close = difflib.get_close_matches(key, known + groups, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    same_group = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]]
    return f" Valid keys are {', '.join(same_group or groups)}."
