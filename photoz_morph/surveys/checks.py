"""Checks of single keys and values of a description: each mistake is an error of one line."""

import difflib
import math
import reprlib

BRIEF = reprlib.Repr()
BRIEF.maxlevel, BRIEF.maxlist, BRIEF.maxdict, BRIEF.maxstring = 2, 8, 4, 80


def check_keys(values, known, source, prefix):
    """Raise a ValueError if something is not a dictionary of known keys."""
    if not isinstance(values, dict):
        where = f"'{prefix.rstrip('.')}' is" if prefix else "holds"
        raise ValueError(f"{source}: {where} {shown(values)}, not `key: value` lines; keys are {', '.join(known)}")
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            remedy = f"did you mean '{prefix}{close[0]}'?" if close else f"keys are {', '.join(known)}"
            raise ValueError(f"{source}: unknown key {shown(f'{prefix}{key}')}; {remedy}")


def matching(values, key, pattern, allowed, source, prefix=""):
    """Text of a key, if it matches a pattern."""
    value = values[key]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{source}: '{prefix}{key}' is {shown(value)}; give {allowed}")
    return value


def finite_number(value, key, lowest, highest, meaning, source):
    """Finite number between limits."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)  # PyYAML reads 1e-10 as text
        except (ValueError, OverflowError):
            pass
    if not lowest <= number <= highest:
        raise ValueError(f"{source}: '{key}' is {shown(value)}; give a number in [{lowest:g}, {highest:g}], {meaning}")
    return number


def whole_number(value, key, lowest, highest, meaning, source):
    """Whole number between limits."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise ValueError(
            f"{source}: '{key}' is {shown(value)}; give a whole number from {lowest} to {highest}, {meaning}"
        )
    return value


def shown(value):
    """A value in a message, cut if it is long: YAML's references can make a few lines a value of any size."""
    return " ".join(BRIEF.repr(value).split())
