"""Anybody's PDFs on the equal bins of a `RedshiftGrid`: values in bins of any width, or densities at any nodes.

A `Layout` says what the columns of an array of PDFs stand for. Between the edges of bins the density is constant, as in
qp's `hist`; between nodes it is linear, as in its `interp`. The cumulative distribution is exact at the edges of the
grid, which by default has the bins themselves or, of nodes, two bins from one to the next.
"""

import re
from dataclasses import dataclass

import numpy as np

from photoz_morph.redshift_grid import RedshiftGrid

MAX_BINS = 2000  # of a grid made for bins of unequal width, or for nodes
BINS_PER_NODE = 2  # our choice: linear densities are then off by an eighth of their change from node to node
EQUAL = 1e-3  # of a bin: edges that are off by less come from rounding to float32 or to a few decimals
SUM_TOLERANCE = 0.01  # PDFs whose integral is off by more are counted; all are normalised
N_TRIED = 1000  # rows that decide whether an array holds probabilities or densities


@dataclass(frozen=True)
class Layout:
    """Meaning of the columns of an array of PDFs.

    Attributes
    ----------
    kind : {"bins", "nodes"}
    points : ndarray
        Edges of the bins, one more than columns, or the nodes, one per column; increasing redshifts.
    are_densities : bool
        False if the columns are the probabilities of bins.
    """

    kind: str
    points: np.ndarray
    are_densities: bool = True

    def __post_init__(self):
        points = np.asarray(self.points, float).ravel()
        object.__setattr__(self, "points", points)
        name = "edges" if self.kind == "bins" else "nodes"
        if len(points) < 2 or not np.isfinite(points).all() or np.any(np.diff(points) <= 0):
            raise ValueError(
                f"the {name} of the redshift grid are not two or more increasing numbers: {_shown(points)}"
            )

    @property
    def n_columns(self):
        """Number of columns of an array."""
        return len(self.points) - (self.kind == "bins")

    @property
    def grid(self):
        """The grid that the PDFs are taken to unless another is asked for."""
        low, high, steps = self.points[0], self.points[-1], np.diff(self.points)
        n_bins = (high - low) / steps.min()
        n_steps = len(steps)
        is_equal = np.all(np.abs(self.points - np.linspace(low, high, n_steps + 1)) < EQUAL * steps.min())
        if self.kind == "bins" and is_equal:
            return RedshiftGrid(float(low), float(high), n_steps)
        n_bins = n_steps if is_equal else n_bins
        n_bins = n_bins * (BINS_PER_NODE if self.kind == "nodes" else 1)
        return RedshiftGrid(float(low), float(high), int(min(np.ceil(n_bins - EQUAL), MAX_BINS)))


def read_layout(text):
    """Layout of text such as bins=0,0.4,180 (ends and number of equal bins) or nodes=0,3,301 (ends included).

    Raises
    ------
    ValueError
        If it is neither.
    """
    found = re.fullmatch(r"(bins|nodes)=([^,]+),([^,]+),(\d{1,6})", text.replace(" ", ""))
    try:
        low, high, number = float(found[2]), float(found[3]), int(found[4])
    except (TypeError, ValueError):
        raise ValueError(
            f"--grid is {text!r}; give the ends and the number of equal bins, bins=0,0.4,180, or nodes, nodes=0,3,301"
        ) from None
    if not (np.isfinite([low, high]).all() and low < high and number > (found[1] == "nodes")):
        raise ValueError(f"--grid is {text!r}; the second redshift must be above the first, both finite, and N above 0")
    return Layout(found[1], np.linspace(low, high, number + (found[1] == "bins")))


def with_kind_of_values(layout, values):
    """Layout for an array that is to be read: probabilities where these add up to one, else densities.

    Parameters
    ----------
    layout : Layout
        Of nodes: if their values add up to one, they are the probabilities of bins about the nodes.
    values : ndarray, shape (n, n_columns)
        The first rows.

    Returns
    -------
    Layout
    """
    values = np.asarray(values, float)[:N_TRIED]
    good = np.isfinite(values).all(axis=1) & (values.sum(axis=1) > 0)
    if not good.any():
        return layout
    off_sum = np.median(np.abs(values[good].sum(axis=1) - 1))
    off_integral = np.median(np.abs(_cdf_at_points(values[good], layout)[:, -1] - 1))
    if off_sum > SUM_TOLERANCE or off_integral <= off_sum:
        return layout
    points = layout.points
    if layout.kind == "nodes":
        middle = 0.5 * (points[1:] + points[:-1])
        points = np.concatenate([[2 * points[0] - middle[0]], middle, [2 * points[-1] - middle[-1]]])
    return Layout("bins", points, False)


def to_grid(values, layout, grid):
    """PDFs of any layout as probabilities of the bins of a grid.

    Parameters
    ----------
    values : ndarray, shape (n, n_columns)
    layout : Layout
    grid : RedshiftGrid

    Returns
    -------
    pdf : ndarray, shape (n, n_bins), float32
        Rows sum to one; NaN where a value is negative or not finite, or none on the grid is positive.
    integral : ndarray, shape (n,)
        Of the PDFs as they came, over all redshifts.
    inside : ndarray, shape (n,)
        Share of it on the grid.
    """
    values = np.array(values, float)
    values[~np.isfinite(values).all(axis=1) | (values.min(axis=1) < 0)] = np.nan
    at_points = _cdf_at_points(values, layout)
    integral = at_points[:, -1]
    if layout.kind == "bins" and layout.n_columns == grid.n_bins and layout.grid == grid:
        return normalised(np.diff(at_points, axis=1), integral)
    edges = np.clip(grid.edges, layout.points[0], layout.points[-1])
    index = np.clip(np.searchsorted(layout.points, edges, side="right") - 1, 0, len(layout.points) - 2)
    step = np.diff(layout.points)[index]
    part = (edges - layout.points[index]) / step
    if layout.kind == "bins":
        cdf = at_points[:, index] * (1 - part) + at_points[:, index + 1] * part
    else:
        left, right = values[:, index], values[:, index + 1]
        cdf = at_points[:, index] + step * (part * left + 0.5 * part**2 * (right - left))
    return normalised(np.diff(cdf, axis=1), integral)


def normalised(probability, integral):
    """Probabilities of bins that do not add up to one as `to_grid` returns them, with their `integral` and `inside`."""
    total = probability.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pdf = np.maximum(probability, 0) / np.where(total > 0, total, np.nan)[:, None]
        return pdf.astype(np.float32), integral, total / integral


def _cdf_at_points(values, layout):
    """Cumulative distribution, not normalised, at the edges or nodes of a layout."""
    if layout.kind == "nodes":
        mass = 0.5 * (values[:, 1:] + values[:, :-1]) * np.diff(layout.points)
    else:
        mass = values * np.diff(layout.points) if layout.are_densities else values
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(mass, axis=1)], axis=1)


def _shown(points):
    """The first numbers of an array as text."""
    return ", ".join(f"{point:g}" for point in points[:4]) + (" ..." if len(points) > 4 else "")
