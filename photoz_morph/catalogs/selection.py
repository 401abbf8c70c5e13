"""The Main Galaxy Sample of Pasquet et al. (2019), Appendix A, cut out of a table with the columns of their query.

The table is a download of SkyServer or CasJobs, or the labels of the public `sdss.npz`. The cuts are made in the order
of the query, and the number of galaxies that each one keeps is recorded. A galaxy whose value is unknown does not pass.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.catalogs.numbers import floats
from photoz_morph.system.columns import plain_columns
from photoz_morph.system.files import write_whole
from photoz_morph.system.tables import write_fits, write_parquet

FAINTEST = 17.8  # mag, r Petrosian without Galactic dust; Pasquet et al. (2019), Sec. 2
Z_MAX = 0.4  # the same
MAIN_GALAXY = 64  # the lowest bit of the main galaxy sample in primTarget


@dataclass(frozen=True)
class Cut:
    """One condition.

    Attributes
    ----------
    name : str
    columns : tuple of tuple of str
        Alternatives; each is the columns that together suffice, in lower case.
    rule : str
        The condition in words of the query.
    passes : callable
        Takes the columns of the alternative that is there; boolean array, shape (n,).
    can_be_skipped : bool
        Whether the sample without it is still recognisable as the paper's.
    """

    name: str
    columns: tuple
    rule: str
    passes: object
    can_be_skipped: bool = True


def _is_text(wanted):
    return lambda values: np.array([text.strip().lower() == wanted for text in values], bool)


REDSHIFT = (("z_spec",), ("redshift",), ("z",))  # the last may be a magnitude
CUTS = (
    Cut("positive", REDSHIFT, "z > 0", lambda z: z > 0, False),
    Cut("warning", (("zwarning",),), "zWarning = 0", lambda warning: warning == 0),
    Cut("target", (("targettype",),), "targetType = SCIENCE", _is_text("science")),
    Cut("survey", (("survey",),), "survey = sdss", _is_text("sdss")),
    Cut("class", (("class",),), "class = GALAXY", _is_text("galaxy")),
    Cut("main", (("primtarget",),), f"primTarget >= {MAIN_GALAXY}", lambda target: target >= MAIN_GALAXY),
    Cut("clean", (("clean",),), "clean = 1", lambda clean: clean == 1),
    Cut("mask", (("insidemask",),), "insideMask = 0", lambda mask: mask == 0),
    Cut("magnitude", (("petromag_r", "extinction_r"), ("dered_petro_r",)), f"petroMag_r - extinction_r <= {FAINTEST}",
        lambda petro, extinction=0.0: petro - extinction <= FAINTEST, False),
    Cut("z_max", REDSHIFT, f"z <= {Z_MAX}", lambda z: z <= Z_MAX, False),
)  # fmt: skip
SKIPPABLE = tuple(cut.name for cut in CUTS if cut.can_be_skipped)


def select_main_sample(table, source, skip=()):
    """Rows of the paper's sample.

    Parameters
    ----------
    table : Table
        With the columns of the cuts, in any letter case.
    source : path-like
        Origin of the table, for messages.
    skip : iterable of str
        Names of cuts that are not made, among `SKIPPABLE`.

    Returns
    -------
    selected : ndarray of bool, shape (n,)
    counts : list of (str, str, int)
        Name and rule of each cut that was made, and the galaxies left after it and those before.

    Raises
    ------
    ValueError
        If a column is missing, with all that are and the cuts that may be skipped for it, or holds another kind of
        values.
    """
    unknown = [name for name in skip if name not in SKIPPABLE]
    if unknown:
        raise ValueError(f"cut {unknown[0]!r} cannot be skipped; those that can are {', '.join(SKIPPABLE)}")
    column_of = {name.lower(): name for name in table.colnames}
    made = [cut for cut in CUTS if cut.name not in skip]
    found = {cut.name: _alternative(cut, column_of) for cut in made}
    missing = [cut for cut in made if found[cut.name] is None]
    if missing:
        raise ValueError(_message(missing, table, source))
    selected, counts = np.ones(len(table), bool), []
    for cut in made:
        values = [_values(table[name], cut, source) for name in found[cut.name]]
        with np.errstate(invalid="ignore"):
            selected &= cut.passes(*values)
        counts.append((cut.name, cut.rule, int(selected.sum())))
    return selected, counts


def write_sample(table, counts, n_read, path):
    """Write a sample with the number of galaxies that each cut kept.

    Parameters
    ----------
    table : Table
        The rows that were selected.
    counts : list of (str, str, int)
        From `select_main_sample`.
    n_read : int
        Rows before the cuts.
    path : path-like
        The suffix decides: `.fits` (N_READ, CUT_1, KEPT_1, ... in the header of the table), `.parquet` (the same in its
        metadata) or `.csv` (in lines that begin with #).

    Raises
    ------
    ValueError
        If a column cannot be written.
    OSError
        With the remedy.
    """
    table = plain_columns(Table(table, copy=True))
    table.meta = {"n_read": n_read}
    for number, (name, rule, kept) in enumerate(counts, 1):
        table.meta |= {f"cut_{number}": f"{name}: {rule}", f"kept_{number}": kept}
    with write_whole(path) as part:
        if Path(path).suffix == ".fits":
            write_fits(table, part, "CATALOG")
        elif Path(path).suffix == ".parquet":
            write_parquet(table, part)
        else:
            with part.open("w", newline="") as file:
                file.writelines(f"# {key} = {value}\n" for key, value in table.meta.items())
                table.write(file, format="ascii.csv")


def _alternative(cut, column_of):
    """Names of the columns that a cut uses, or None."""
    for names in cut.columns:
        if set(names) <= column_of.keys():
            return [column_of[name] for name in names]
    return None


def _values(column, cut, source):
    """Column as the cut needs it: text, or numbers with NaN where unknown."""
    values = np.ma.asarray(column)
    if cut.name in ("target", "survey", "class"):
        if values.ndim != 1 or values.dtype.kind not in "SUO":
            raise ValueError(f"{source}: {column.name} holds {values.dtype.name} values; {cut.rule} needs text")
        return ["" if is_missing else text.decode() if isinstance(text, bytes) else str(text)
                for text, is_missing in zip(np.asarray(column), np.ma.getmaskarray(values))]  # fmt: skip
    if values.dtype.kind == "b":
        column = column.astype(np.int16)
    numbers = floats(column, source)
    if numbers.ndim != 1:
        raise ValueError(f"{source}: {column.name} has shape {numbers.shape}; give one number per galaxy")
    return numbers


def _message(missing, table, source):
    """What is missing, and what can be done about it."""
    needs = [f"{cut.name} ({cut.rule}) needs {' and '.join(cut.columns[0])}" for cut in missing]
    skips = " ".join(f"--skip {cut.name}" for cut in missing if cut.can_be_skipped)
    remedy = "add these columns to the query" + f", or leave the cuts out that can be: {skips}" * bool(skips)
    return f"{source}: {'; '.join(needs)}; {remedy} (columns found: {', '.join(table.colnames[:40]) or 'none'})"
