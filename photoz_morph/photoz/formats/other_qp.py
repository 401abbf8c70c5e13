"""Ensembles of qp that other programs wrote, of any type, in parts.

Types `hist`, `interp` and `interp_irregular` are read without qp, and exactly: of the last, qp's cumulative
distribution is a sum over nodes, which moves a mean by half a node. For `quant`, `mixmod`, `norm` and the rest qp gives
the cumulative distribution at the edges of a grid.
"""

import warnings
from pathlib import Path

import h5py
import numpy as np

from photoz_morph.photoz.formats.binning import MAX_BINS, Layout, normalised, to_grid
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.system.sizes import check_hdf5

TAIL = 1e-3  # probability left out on either side of the grid made for PDFs without one of their own
BINS_PER_WIDTH = 5  # our choice: bins of that grid in the 68 % interval of the narrow PDFs
NARROW = 0.05  # quantile of the widths that is narrow
MIN_BINS = 100
PART_ROWS = 20_000
IRREGULAR = "interp_irregular"  # each PDF at nodes of its own
STORED = {"hist": ("bins", "bins", "pdfs"), "interp": ("nodes", "xvals", "yvals")}  # type -> layout, meta, data
UNREADABLE = (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError)


def is_qp(path):
    """True if an HDF5 file is an ensemble of qp."""
    try:
        with h5py.File(path) as file:
            return "meta/pdf_name" in file and "data" in file
    except UNREADABLE:
        return False


class QpFile:
    """An ensemble of qp in an HDF5 file.

    Parameters
    ----------
    path : path-like
    grid : RedshiftGrid, optional
        By default that of the bins or nodes of the ensemble. PDFs of other types get one from the quantiles of all of
        them, which takes a pass over the file.

    Attributes
    ----------
    kind : str
        Type of the ensemble, such as "interp".
    n_rows : int
    grid : RedshiftGrid
    columns : dict of str to ndarray, shape (n, ...)
        The ancillary table, without the arrays of more than one axis.

    Raises
    ------
    ValueError
        If the file is damaged, or of a type that needs qp, which is missing.
    """

    def __init__(self, path, grid=None):
        self.path = Path(path)
        try:
            with h5py.File(path) as file:
                check_hdf5(file)
                name = np.ravel(file["meta/pdf_name"][:])[0]
                self.kind = name.decode() if isinstance(name, bytes) else str(name)
                self.columns = {
                    key: item[:] for key, item in file.get("ancil", {}).items()
                    if isinstance(item, h5py.Dataset) and item.ndim == 1
                }  # fmt: skip
                self._layout = None
                if self.kind in STORED:
                    kind, points, values = STORED[self.kind]
                    self._layout = Layout(kind, np.ravel(file[f"meta/{points}"][:]))
                    shape = file[f"data/{values}"].shape
                    if len(shape) != 2 or shape[1] != self._layout.n_columns:
                        raise ValueError(
                            f"data/{values} has shape {shape}, meta/{points} needs (n, {self._layout.n_columns})"
                        )
                    self.n_rows = shape[0]
                elif self.kind == IRREGULAR and file["data/xvals"].shape != file["data/yvals"].shape:
                    raise ValueError(f"{file['data/xvals'].shape} nodes for {file['data/yvals'].shape} densities")
                else:
                    self.n_rows = _n_rows(file)
            wrong = [f"{name} ({len(values)})" for name, values in self.columns.items() if len(values) != self.n_rows]
            if wrong:
                raise ValueError(f"{self.n_rows} PDFs, but another number of rows in ancil {', '.join(wrong)}")
            self.grid = grid or (self._layout.grid if self._layout else self._found_grid())
        except UNREADABLE as error:
            raise self._error(error) from error

    def parts(self, part_rows=PART_ROWS):
        """Iterate over `(start, pdf, integral, inside)` of some rows; see `binning.to_grid`."""
        try:
            if self.kind == IRREGULAR:
                for start, nodes, densities in self._irregular(part_rows):
                    yield start, *_each_to_grid(nodes, densities, self.grid)
                return
            if self._layout is None:
                for start, ensemble in self._ensembles(part_rows):
                    cdf = _quietly(ensemble.cdf, self.grid.edges)
                    # NaN where qp has none; a probability of all redshifts is one.
                    yield start, *normalised(np.diff(cdf, axis=1), np.where(np.isnan(cdf).any(axis=1), np.nan, 1.0))
                return
            name = STORED[self.kind][2]
            for start in range(0, self.n_rows, part_rows):
                with h5py.File(self.path) as file:
                    values = file[f"data/{name}"][start : start + part_rows]
                yield start, *to_grid(values, self._layout, self.grid)
        except UNREADABLE as error:
            raise self._error(error) from error

    def _ensembles(self, part_rows):
        """Ensembles of qp of some rows, with the number of the first."""
        try:
            import qp
        except ImportError as error:
            raise ValueError(
                f"an ensemble of type {self.kind} needs the package qp, which is not installed; "
                "`pip install photoz-morph[rail]`, or write it as hist or interp"
            ) from error
        if self.kind not in _quietly(lambda: list(qp.factory.instance().keys())):
            raise ValueError(f"qp {qp.__version__} knows no ensembles of type {self.kind!r}")
        for start, _, ensemble in _quiet_steps(qp.iterator(str(self.path), chunk_size=part_rows)):
            yield start, ensemble

    def _irregular(self, part_rows):
        """Nodes and densities of some rows, with the number of the first."""
        for start in range(0, self.n_rows, part_rows):
            rows = slice(start, start + part_rows)
            with h5py.File(self.path) as file:
                yield start, file["data/xvals"][rows], file["data/yvals"][rows]

    def _found_grid(self):
        """Grid that holds nearly all of every PDF, in bins narrower than these."""
        if self.kind == IRREGULAR:
            ends, steps = [], []
            for _, nodes, _ in self._irregular(PART_ROWS):
                ends += [np.nanmin(nodes), np.nanmax(nodes)]
                steps.append(np.nanquantile(np.diff(nodes, axis=1), NARROW))
            low, high, step = min(ends), max(ends), max(np.min(steps), (max(ends) - min(ends)) / MAX_BINS)
            return RedshiftGrid(float(low), float(high), int(np.clip(np.ceil((high - low) / step), MIN_BINS, MAX_BINS)))
        low, high, widths = np.inf, -np.inf, []
        for _, ensemble in self._ensembles(PART_ROWS):
            try:
                below, lower, upper, above = (np.ravel(_quietly(ensemble.ppf, q)) for q in (TAIL, 0.16, 0.84, 1 - TAIL))
            except (TypeError, ValueError, NotImplementedError) as error:  # of spline, in qp 1.1
                raise ValueError(
                    f"qp gives no quantiles of type {self.kind} ({error}); give the grid, such as --grid bins=0,3,300"
                ) from error
            good = np.isfinite(below) & np.isfinite(above)
            if good.any():
                low, high = min(low, below[good].min()), max(high, above[good].max())
                widths.append((upper - lower)[good])
        if not low < high:
            raise ValueError("none of its PDFs has quantiles")
        narrow = max(np.quantile(np.concatenate(widths), NARROW), (high - low) / MAX_BINS)
        n_bins = int(np.clip(np.ceil(BINS_PER_WIDTH * (high - low) / narrow), MIN_BINS, MAX_BINS))
        return RedshiftGrid(float(low), float(high), n_bins)

    def _error(self, error):
        """ValueError that names the file."""
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{self.path}: "):
            return ValueError(reason)
        return ValueError(f"{self.path}: cannot be read as a qp ensemble: {reason}")


def _each_to_grid(nodes, densities, grid):
    """`binning.to_grid` of PDFs that each have nodes of their own; NaN where these do not increase."""
    pdf, integral, inside = np.full((len(nodes), grid.n_bins), np.nan, "f4"), *np.full((2, len(nodes)), np.nan)
    for row, (points, values) in enumerate(zip(nodes, densities)):
        if np.isfinite(points).all() and np.all(np.diff(points) > 0):
            one = to_grid(values[None], Layout("nodes", points), grid)
            pdf[row], integral[row], inside[row] = (part[0] for part in one)
    return pdf, integral, inside


def _n_rows(file):
    """Number of PDFs of an open ensemble: the rows that all of its data have."""
    lengths = {item.shape[0] for item in file["data"].values() if getattr(item, "ndim", 0)}
    if len(lengths) != 1:
        raise ValueError(f"its data have {sorted(lengths)} rows, which should be one number")
    return lengths.pop()


def _quietly(function, *arguments):
    """Value of a function of qp without its warnings of rows that have no PDF."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments)


def _quiet_steps(iterator):
    """Items of an iterator of qp, without its warnings."""
    end = object()
    while (item := _quietly(next, iterator, end)) is not end:
        yield item
