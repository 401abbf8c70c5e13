"""Maps of many simulations beside their parameters, in the layout of the CAMELS Multifield Dataset.

Villaescusa-Navarro et al. (2022, ApJS 259, 61; arXiv 2109.10915) distribute for each field of matter or gas

- `Maps_FIELD_SUITE_SET_z=0.00.npy`: an array (n, n_pixels, n_pixels) of float32, such as 15,000 maps of 256 x 256;
  those of one simulation stand in a row, 15 by 15;
- `params_SET_SUITE.txt`: a row of numbers for each simulation, separated by blanks: Omega_m, sigma_8 and four of its
  feedback.

FIELD is such as Mgas, Mcdm or Mtot, SUITE is IllustrisTNG, SIMBA or Nbody, SET is LH, CV, 1P or EX. The files are read
as they are, without loading all maps, and log-normal fields of `simulation.cosmology` are written in the same layout,
with 1 + delta as maps, so that all that works for one works for the other.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photoz_morph.system.files import write_whole

NAMES = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")  # columns of CAMELS; others are parameter_7 ...


@dataclass(frozen=True)
class Multifield:
    """Maps of many simulations.

    Attributes
    ----------
    path : Path
        Of the maps.
    maps : ndarray, shape (n, n_pixels, n_pixels)
        Mapped from disk; `read_maps` reads and checks some of them.
    parameters : ndarray, shape (n, n_parameters)
        Of the simulation of each map.
    names : tuple of str
        Of the parameters.
    simulation : ndarray of int, shape (n,)
        Row of the simulation in the file of parameters: the group of a map, of which `catalogs.folds.assign_split`
        makes a split that keeps all maps of a simulation together.
    """

    path: Path
    maps: np.ndarray
    parameters: np.ndarray
    names: tuple
    simulation: np.ndarray

    def read_maps(self, rows):
        """Some maps, shape (n, n_pixels, n_pixels), float32.

        Raises
        ------
        ValueError
            If a pixel is not finite.
        """
        rows = np.asarray(rows, int)
        maps = np.array(self.maps[rows], np.float32)
        finite = np.isfinite(maps).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(f"{self.path}: map {rows[np.argmin(finite)]} has pixels that are not finite; leave it out")
        return maps

    def read_logarithms(self, rows):
        """Natural logarithms of some maps, float32: for log-normal ones ln(1 + delta).

        Raises
        ------
        ValueError
            If a pixel is not positive or not finite, as in maps of velocities.
        """
        maps = self.read_maps(rows)
        positive = (maps > 0).all(axis=(1, 2))
        if not positive.all():
            raise ValueError(
                f"{self.path}: map {np.asarray(rows)[np.argmin(positive)]} has pixels that are not above 0 and have no "
                "logarithm; use `read_maps`"
            )
        return np.log(maps)


def maps_path(folder, field, suite, sample="LH", redshift=0.0):
    """Path of the maps of a field."""
    return Path(folder) / f"Maps_{field}_{suite}_{sample}_z={redshift:.2f}.npy"


def parameters_path(folder, suite, sample="LH"):
    """Path of the parameters of the simulations."""
    return Path(folder) / f"params_{sample}_{suite}.txt"


def read_multifield(maps, parameters=None):
    """Open maps and read their parameters.

    Parameters
    ----------
    maps : path-like
        Maps_FIELD_SUITE_SET_z=Z.npy.
    parameters : path-like, optional
        By default params_SET_SUITE.txt beside it, of the words in the name of the maps.

    Returns
    -------
    Multifield

    Raises
    ------
    FileNotFoundError
        If one of the files is missing.
    ValueError
        If a file is damaged or of another kind, or there is not the same number of maps for each simulation.
    """
    path = Path(maps)
    parameters = _parameters_beside(path) if parameters is None else Path(parameters)
    for file in (path, parameters):
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file; give maps Maps_*.npy and parameters params_*.txt of CAMELS")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        # Not NumPy's own words, which advise to load what is no array as a pickle.
        reason = "truncated, damaged or of Python objects"
        raise ValueError(f"{path}: cannot be read as an array of NumPy ({reason}); get it again") from error
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.shape[1] != array.shape[2] or not len(array):
        shape = getattr(array, "shape", "of an archive")
        raise ValueError(f"{path}: has shape {shape}; maps have shape (n, n_pixels, n_pixels)")
    if array.dtype.kind != "f":
        raise ValueError(f"{path}: holds numbers of type {array.dtype}; maps hold floats")
    table = _read_parameters(parameters)
    if len(array) % len(table):
        raise ValueError(
            f"{path}: {len(array)} maps cannot be of the {len(table)} simulations of {parameters.name}; give the "
            "parameters of these maps"
        )
    simulation = np.arange(len(array)) // (len(array) // len(table))
    names = NAMES[: table.shape[1]] + tuple(f"parameter_{i + 1}" for i in range(len(NAMES), table.shape[1]))
    return Multifield(path, array, table[simulation], names, simulation)


def check_pair(first, second):
    """Raise a ValueError unless two fields are of the same simulations, map by map.

    Parameters
    ----------
    first, second : Multifield
        Such as of Mcdm and Mtot, for a network from one to the other.
    """
    if first.maps.shape != second.maps.shape or not np.array_equal(first.parameters, second.parameters):
        raise ValueError(
            f"{second.path}: shape {second.maps.shape} or parameters are not those of {first.path.name}, "
            f"{first.maps.shape}; give two fields of one suite and set"
        )


def write_multifield(folder, maps, parameters, field="Mtot", suite="LogNormal", sample="LH", names=NAMES):
    """Write maps and the parameters of their simulations.

    Parameters
    ----------
    folder : path-like
        Made if missing.
    maps : ndarray, shape (n, n_pixels, n_pixels)
        Those of a simulation in a row.
    parameters : ndarray, shape (n_simulations, n_parameters)
    field, suite, sample : str
        Words of the names of the files, without `_`.
    names : sequence of str
        Of the parameters, in a comment of their file.

    Returns
    -------
    Path
        Of the maps.

    Raises
    ------
    ValueError
        If there is not the same number of maps for each simulation, or a word has a `_`.
    """
    maps, parameters = np.asarray(maps, np.float32), np.atleast_2d(parameters)
    if maps.ndim != 3 or len(parameters) == 0 or len(maps) % len(parameters):
        raise ValueError(f"maps of shape {maps.shape} cannot be of {len(parameters)} simulations, as many of each")
    for word in (field, suite, sample):
        if "_" in word:
            raise ValueError(f"{word!r} has a `_`, which separates the words of names of files; leave it out")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with write_whole(parameters_path(folder, suite, sample)) as part:
        np.savetxt(part, parameters, fmt="%.17g", header=" ".join(names[: parameters.shape[1]]))
    path = maps_path(folder, field, suite, sample)
    with write_whole(path) as part, part.open("wb") as file:  # a name without .npy would get it
        np.save(file, maps)
    return path


def _parameters_beside(path):
    """Path of the parameters of maps, by the name of their file."""
    words = path.stem.split("_")
    if len(words) != 5 or words[0] != "Maps":
        raise ValueError(
            f"{path}: its name is not Maps_FIELD_SUITE_SET_z=Z.npy, which would tell the file of its parameters; give "
            "that file too"
        )
    return parameters_path(path.parent, words[2], words[3])


def _read_parameters(path):
    """Parameters of the simulations, shape (n_simulations, n_parameters)."""
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as rows of numbers ({error}); get it again") from error
    if table.size == 0 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(
            f"{path}: has shape {table.shape} or numbers that are not finite; each simulation needs Omega_m, sigma_8 "
            "and what else was varied"
        )
    return table
