"""Large images as tiles of the size that a network knows, and the sources of the tiles as those of the image.

Tiles overlap by half their side. Each place of the image belongs to the tile in which it is farthest from an edge, its
core; what a network sees near the edge of a tile, where sources are cut, counts in no other way. A source in the
overlap is seen by several tiles, each with its own opinion of where it is. So nothing is decided by a position alone:
detections of different tiles that are near each other, the nearest first and at most one of each tile, are one source.
It is kept if the tile to which its place belongs has seen it, with the numbers of the tile in which it is farthest from
an edge.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack
from scipy.spatial import cKDTree

MARGIN = 4  # parts of the side of a tile, one of which lies outside of the core on each side; our choice
RADIUS = 3.0  # [pixel] of positions of one source in two tiles, or ...
FAR, MIN_IOU = 10.0, 0.5  # [pixel] farther apart if their boxes overlap more than this; our choice


@dataclass(frozen=True)
class Tiling:
    """Tiles of an image.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    size : int
        Side of a tile [pixel]. A smaller image has one tile, which reaches beyond it.
    """

    shape: tuple
    size: int

    @property
    def starts(self):
        """First row of each row of tiles, and first column of each column of tiles."""
        return tuple(_starts(n, self.size) for n in self.shape)

    @property
    def origins(self):
        """First row and column of each tile, shape (n_tiles, 2)."""
        rows, columns = self.starts
        return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)

    def cut(self, image, number):
        """Pixels of a tile, shape (size, size, ...); 0 beyond the image."""
        row, column = self.origins[number]
        part = image[row : row + self.size, column : column + self.size]
        missing = [(0, self.size - n) for n in part.shape[:2]]
        return np.pad(part, missing + [(0, 0)] * (image.ndim - 2))

    def core(self, number):
        """Rows and columns of the image that belong to a tile, as slices."""
        number = np.unravel_index(number, [len(starts) for starts in self.starts])
        slices = []
        for k, starts, n in zip(number, self.starts, self.shape):
            seams = [0, *_seams(starts, self.size), n]
            slices.append(slice(int(seams[k]), int(seams[k + 1])))
        return tuple(slices)

    def tile_of(self, positions):
        """Number of the tile to which each position y, x belongs; positions have shape (n, 2)."""
        rows, columns = (
            np.searchsorted(_seams(starts, self.size) - 0.5, positions[:, axis], side="right")
            for axis, starts in enumerate(self.starts)
        )
        return rows * len(self.starts[1]) + columns

    def depth(self, positions, tiles):
        """Distance of positions in tiles from the next edge of the tile that is not one of the image [pixel]."""
        depth = np.full(len(positions), np.inf)
        for axis, n in enumerate(self.shape):
            start = self.origins[tiles, axis]
            end = start + self.size
            low = np.where(start > 0, positions[:, axis] - start + 0.5, np.inf)
            high = np.where(end < n, end - 0.5 - positions[:, axis], np.inf)
            depth = np.minimum(depth, np.minimum(low, high))
        return depth


def joined_sources(tiling, parts, min_score=0.0):
    """Sources of an image from those of its tiles.

    Parameters
    ----------
    tiling : Tiling
    parts : list of (Table, ndarray)
        Of each tile the detections, with `y`, `x`, `box`, `score` and `n_visible`, and the map of their pixels.
    min_score : float
        Detections of a lower score are left out.

    Returns
    -------
    sources : Table
        The same columns on the pixels of the image, from the highest score to the lowest.
    segmentation : ndarray, shape `tiling.shape`, int32
        0, or the row of the source of a pixel plus 1.
    """
    tiles = np.repeat(np.arange(len(parts)), [len(table) for table, _ in parts])
    table = vstack([table for table, _ in parts], metadata_conflicts="silent") if len(parts) > 1 else parts[0][0].copy()
    shift = tiling.origins[tiles].astype(np.float32)
    positions = np.stack([np.asarray(table[axis], float) for axis in "yx"], axis=-1).reshape(-1, 2) + shift
    table["y"], table["x"] = positions.T.astype(np.float32)
    limits = np.array(tiling.shape * 2) - 0.5
    table["box"] = np.clip(np.asarray(table["box"]).reshape(-1, 4) + np.tile(shift, 2), -0.5, limits).astype(np.float32)
    group = _groups(positions, np.asarray(table["box"], float), tiles)
    depth = tiling.depth(positions, tiles)
    order = np.lexsort((-depth, group))  # in each group the deepest detection first
    first = order[np.flatnonzero(np.append(True, np.diff(group[order]) > 0))] if len(order) else order
    has_seen = {*zip(group.tolist(), tiles.tolist())}
    owner = tiling.tile_of(positions[first])
    is_inside = (positions[first] < np.array(tiling.shape) - 0.5).all(axis=1)  # a tile may reach beyond the image
    keeps = is_inside & (np.asarray(table["score"], float)[first] >= min_score)
    keeps &= np.array([(group[row], tile) in has_seen for row, tile in zip(first, owner)], bool)
    kept = first[keeps]
    kept = kept[np.argsort(-np.asarray(table["score"], float)[kept], kind="stable")]
    number = np.zeros(int(group.max(initial=-1)) + 1, np.int32)
    number[group[kept]] = np.arange(1, len(kept) + 1)
    segmentation = _joined_maps(tiling, [owners for _, owners in parts], number[group], tiles)
    sources = Table(table[kept], copy=True)
    sources["n_visible"] = np.bincount(segmentation.ravel(), minlength=len(kept) + 1)[1:].astype(np.int32)
    return sources, segmentation


def _joined_maps(tiling, maps, numbers, tiles):
    """Map of the image from the cores of those of the tiles; `numbers` are those of the sources of all detections."""
    joined = np.zeros(tiling.shape, np.int32)
    ends = np.searchsorted(tiles, np.arange(len(maps) + 1))
    for tile, owners in enumerate(maps):
        of_tile = np.append(0, numbers[ends[tile] : ends[tile + 1]])
        core = tiling.core(tile)
        row, column = tiling.origins[tile]
        inside = tuple(slice(part.start - low, part.stop - low) for part, low in zip(core, (row, column)))
        joined[core] = of_tile[owners[inside]]
    return joined


def _groups(positions, boxes, tiles):
    """Number of the source of each detection; those of one source are of different tiles."""
    group = np.arange(len(positions))
    members = {number: {number: None} for number in group}
    for one, other in _pairs(positions, boxes, tiles):
        a, b = group[one], group[other]
        if a == b or {tiles[k] for k in members[a]} & {tiles[k] for k in members[b]}:
            continue
        for k in members[b]:
            group[k] = a
        members[a] |= members.pop(b)
    return np.unique(group, return_inverse=True)[1].reshape(-1)


def _pairs(positions, boxes, tiles):
    """Pairs of detections of different tiles that may be one source, the nearest first."""
    if len(positions) < 2:
        return []
    pairs = cKDTree(positions).query_pairs(FAR, output_type="ndarray")
    pairs = pairs[tiles[pairs[:, 0]] != tiles[pairs[:, 1]]]
    distance = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    is_one = (distance <= RADIUS) | (_overlap(boxes[pairs[:, 0]], boxes[pairs[:, 1]]) > MIN_IOU)
    pairs, distance = pairs[is_one], distance[is_one]
    return pairs[np.argsort(distance, kind="stable")].tolist()


def _overlap(one, other):
    """IoU of boxes pair by pair, shape (n,)."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return np.divide(common, sum(areas) - common, out=np.zeros(len(common)), where=sum(areas) > common)


def _starts(n, size):
    """First pixels of tiles along an axis of n pixels."""
    if n <= size:
        return np.zeros(1, int)
    n_tiles = int(np.ceil((n - size) / (size - 2 * (size // MARGIN)))) + 1
    return np.rint(np.linspace(0, n - size, n_tiles)).astype(int)


def _seams(starts, size):
    """First pixels of the cores of all tiles along an axis but the first."""
    return (starts[1:] + starts[:-1] + size) // 2
