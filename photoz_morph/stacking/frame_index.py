"""Index of the frames of a survey: every header read once, kept in a Parquet file, searched by position.

`index_frames` reads the headers below a folder, in several processes and only those that an earlier index does not
know; `FrameIndex.overlaps` finds the frames of many stamps at once. The index holds arrays and no object per frame, so
that the 4.7 million frames of SDSS load in seconds. Centres of frames of similar size are in one KD-tree; an exact test
of two convex figures follows, for all pairs together.
"""

import hashlib
import itertools
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.spatial import cKDTree
from tqdm import tqdm

from photoz_morph.stacking.astrometry import header_wcs, to_pixels, unit_vector
from photoz_morph.stacking.frame_format import require_frames
from photoz_morph.stacking.frame_names import match_name
from photoz_morph.stacking.frames import frame_rows
from photoz_morph.surveys import survey_to_dict
from photoz_morph.system.files import write_whole
from photoz_morph.system.pool import map_in_order, process_count

TEXTS = ("path", "identity", "damage", "header")  # columns of pyarrow strings; the others are arrays
ARRAYS = {
    "band": (np.int16, ()), "hdu": (np.int16, ()), "plane": (np.int16, ()), "factor": (float, ()),
    "crval": (float, (2,)), "crpix": (float, (2,)), "cd": (float, (2, 2)), "shape": (np.int32, (2,)),
    "center": (float, (3,)), "radius": (float, ()), "size": (np.int64, ()), "mtime": (np.int64, ()),
}  # fmt: skip
FORMAT = "photoz-morph frame index 1"
CHUNK = 64  # files that a process reads at a time
TARGETS, PAIRS = 2**15, 2**17  # that are looked up and tested at a time, in 60 MB


class FrameIndex:
    """Frames of a survey in columns, with the search for those that overlap a stamp.

    `index["crval"]` is a column, `index[3]` one frame as a dict, and `index[rows]`, with numbers or a mask, an index of
    these frames. One row is an image: a band in an HDU, or in a plane of a cube, of a file.

    Attributes
    ----------
    bands : tuple of str
        `band` numbers these.
    folder : Path
        The column `path` is relative to it.
    meta : dict
        `survey`, what of it decides how frames are read; `n_ignored`, files that are no frames of it; `is_file`,
        whether the index comes from a file, so that frames may have changed since.

    Notes
    -----
    The columns are `band`, "" if nothing tells it; `identity`, which the images of one exposure have in common; `path`;
    `hdu`; `plane`, -1 where the image is no cube; `factor` to the survey's unit; the footprint: `crval` [deg], `crpix`,
    `cd` [deg / pixel], `shape` (rows, columns), `center` (unit vector) and `radius` [deg] of the circle around it, NaN
    if the frame cannot be placed and is never found; `header`, the cards of a WCS that is not plain TAN as given by
    these columns, or ""; `damage`, why the pixels cannot be used, or ""; `size` [byte] and `mtime` [ns] of the file.
    """

    def __init__(self, columns, bands, folder, meta):
        self._columns, self.bands, self.folder, self.meta = columns, tuple(bands), Path(folder), meta
        self._trees = self._distorted = None

    def __len__(self):
        return len(self._columns["band"])

    def __iter__(self):
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key):
        if isinstance(key, str):
            column = self._columns[key]
            if key == "band":
                return np.array([*self.bands, ""])[column]
            if key == "path":
                return np.array([str(self.folder / name) for name in column.to_pylist()])
            if key == "damage":
                return np.array([text and f"{path}: {text}" for path, text in zip(self["path"], column.to_pylist())])
            return np.array(column.to_pylist()) if key in TEXTS else column
        if isinstance(key, (int, np.integer)):
            return self._frame(int(key))
        rows = np.arange(len(self))[key]
        columns = {
            name: column.take(pa.array(rows)) if name in TEXTS else column[rows]
            for name, column in self._columns.items()
        }  # fmt: skip
        return FrameIndex(columns, self.bands, self.folder, self.meta)

    def __getstate__(self):
        return self.__dict__ | {"_trees": None, "_distorted": None}  # of no use to a process that gets a few frames

    def _frame(self, row):
        """One frame as a dict, with its WCS under `wcs`: None where it is plain TAN."""
        frame = {
            name: column[row].as_py() if name in TEXTS else column[row] for name, column in self._columns.items()
        }
        frame["band"] = (*self.bands, "")[frame["band"]]
        frame["path"] = str(self.folder / frame["path"])
        frame["damage"] = frame["damage"] and f"{frame['path']}: {frame['damage']}"
        frame["shape"] = tuple(map(int, frame["shape"]))
        frame["wcs"] = header_wcs(frame["path"], frame["header"]) if frame["header"] else None
        return frame

    def fingerprint(self):
        """Hash of the names, sizes and times of the files, wherever their folder is; 32 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=16)
        for name in self._columns["path"].to_pylist():
            digest.update(f"{name}\n".encode())
        for name in ("size", "mtime"):
            digest.update(np.ascontiguousarray(self._columns[name]))
        return digest.hexdigest()

    def counts(self):
        """Number of frames of each band, as a dict."""
        counts = np.bincount(self._columns["band"] + 1, minlength=len(self.bands) + 1)  # the first are of no band
        return dict(zip(self.bands, counts[1:].tolist()))

    def overlaps(self, ra, dec, side_arcsec):
        """Frames that overlap north-up squares on the sky.

        Parameters
        ----------
        ra, dec : ndarray, shape (n,)
            Centres of the squares [deg].
        side_arcsec : float
            Their side [arcsec].

        Returns
        -------
        starts : ndarray of int, shape (n + 1,)
        rows : ndarray of int
            The frames of square i are `rows[starts[i]:starts[i + 1]]`, ascending.
        """
        ra, dec = np.atleast_1d(ra).astype(float), np.atleast_1d(dec).astype(float)
        half = side_arcsec / 7200  # deg
        targets = unit_vector(ra, dec).T
        if self._trees is None:
            self._trees = _plant(self._columns["center"], self._columns["radius"])
            self._distorted = pc.not_equal(self._columns["header"], "").to_numpy(zero_copy_only=False)
        found = [np.empty((0, 2), np.int64)]
        for rows, largest, tree in self._trees:
            reach = 2 * np.sin(0.5 * np.radians(min(largest + half * np.sqrt(2), 180.0))) * (1 + 1e-9)  # a chord
            for start in range(0, len(ra), TARGETS):
                lists = tree.query_ball_point(targets[start : start + TARGETS], reach, return_sorted=False)
                squares = np.repeat(np.arange(start, start + len(lists)), [len(near) for near in lists])
                near = rows[np.fromiter(itertools.chain.from_iterable(lists), np.int64, len(squares))]
                for first in range(0, len(near), PAIRS):
                    block = slice(first, first + PAIRS)
                    found.append(self._overlapping(squares[block], near[block], ra, dec, targets, half))
        pairs = np.concatenate(found)
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        return np.searchsorted(pairs[:, 0], np.arange(len(ra) + 1)), pairs[:, 1]

    def _overlapping(self, squares, rows, ra, dec, targets, half):
        """Those pairs of a square and a frame that overlap, shape (n, 2)."""
        apart = np.einsum("ij,ij->i", self._columns["center"][rows], targets[squares])
        near = apart > np.cos(np.radians(self._columns["radius"][rows] + half * np.sqrt(2)))
        squares, rows = squares[near], rows[near]
        # Corners in order, in the tangent plane of the square's centre, where north is up even beside a pole.
        east, north = _axes(ra[squares], dec[squares])
        signs = np.radians(half) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        corners = targets[squares, None] + signs[:, 0, None] * east[:, None] + signs[:, 1, None] * north[:, None]
        x, y = _tan_pixels(self._columns, rows, corners)
        for row in np.unique(rows[self._distorted[rows]]):
            own = rows == row
            sky = corners[own] / np.linalg.norm(corners[own], axis=-1, keepdims=True)
            corner_ra = np.degrees(np.arctan2(sky[..., 1], sky[..., 0])) % 360
            x[own], y[own] = to_pixels(self._frame(row), corner_ra, np.degrees(np.arcsin(sky[..., 2])))
        meets = _convex_overlap(x, y, self._columns["shape"][rows])
        return np.stack([squares[meets], rows[meets]], axis=1)

    def check_files(self, source):
        """Check that the files are there as they were when they were indexed.

        Parameters
        ----------
        source : path-like
            The index, named in errors.

        Raises
        ------
        FileNotFoundError, ValueError
            That counts the missing or changed files and names the first.
        """
        missing, changed = {}, {}
        names = self._columns["path"].to_pylist()
        for name, size, mtime in zip(names, self._columns["size"], self._columns["mtime"]):
            try:
                there = os.stat(self.folder / name)
            except OSError:
                missing[name] = None
            else:
                if (there.st_size, there.st_mtime_ns) != (size, mtime):
                    changed[name] = None
        n_files = len(set(names))
        if missing:
            raise FileNotFoundError(
                f"{source}: {len(missing)} of the {n_files} frames that are needed are missing, the first is "
                f"{self.folder / next(iter(missing))}; bring them back, or index the frames again"
            )
        if changed:
            raise ValueError(
                f"{source}: {len(changed)} of the {n_files} frames that are needed have changed since they were "
                f"indexed, the first is {self.folder / next(iter(changed))}; run `photoz index` again"
            )

    def write(self, path):
        """Write the index as Parquet, with the paths of the frames relative to it."""
        path = Path(path)
        names = self._columns["path"]
        if self.folder != path.parent:
            # Joined as texts: five million paths of pathlib would take minutes.
            ahead, slash = (pa.scalar(text, pa.large_string()) for text in (_relative(self.folder, path.parent), "/"))
            names = names if ahead.as_py() == "." else pc.binary_join_element_wise(ahead, names, slash)
        columns = {}
        for name, column in self._columns.items():
            if name in TEXTS:
                columns[name] = names if name == "path" else column
            else:
                flat = column.reshape(len(column), -1)
                keys = [name] if flat.shape[1] == 1 else [f"{name}_{i}" for i in range(flat.shape[1])]
                columns |= {key: pa.array(np.ascontiguousarray(values)) for key, values in zip(keys, flat.T)}
        meta = {"format": FORMAT, "bands": self.bands} | {name: self.meta[name] for name in ("survey", "n_ignored")}
        table = pa.table(columns).replace_schema_metadata({"photoz_morph": json.dumps(meta)})
        with write_whole(path) as part:
            pq.write_table(table, part, compression="zstd", write_page_checksum=True)


def overlapping_frames(index, ra, dec, size_arcsec):
    """Frames that overlap a north-up square on the sky.

    Parameters
    ----------
    index : FrameIndex
    ra, dec : float
        Centre of the square [deg].
    size_arcsec : float
        Its side [arcsec].

    Returns
    -------
    FrameIndex
        These frames, in the order of the index.
    """
    return index[index.overlaps(ra, dec, size_arcsec)[1]]


def open_frames(frames, survey, progress=False, n_processes=1):
    """Index of the frames of a survey that a command is given: a folder, indexed now, or an index.

    Parameters
    ----------
    frames : path-like or FrameIndex
        A folder, or a .parquet file of `photoz index`.
    survey, progress, n_processes
        As for `index_frames`, which also lists the errors.

    Returns
    -------
    FrameIndex
    """
    if isinstance(frames, FrameIndex):
        check_survey(frames, survey, frames.folder)
        return frames
    if Path(frames).suffix == ".parquet":
        return read_frame_index(frames, survey)
    if not Path(frames).is_dir():
        raise FileNotFoundError(f"{frames}: no such folder; give the folder with the frames, or their index")
    return index_frames(frames, survey, progress, n_processes)


def read_frame_index(path, survey=None):
    """Read an index written by `photoz index`.

    Parameters
    ----------
    path : path-like
    survey : Survey, optional
        Whose frames they must be.

    Returns
    -------
    FrameIndex

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is no index, or one of another survey.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; make it with `photoz index FRAMES -o {path}`")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            meta = json.loads(file.schema_arrow.metadata[b"photoz_morph"])
            if meta.pop("format") != FORMAT:
                raise ValueError("another format")
            bands = tuple(meta.pop("bands"))
            columns = {name: _read_column(file, name).cast(pa.large_string()).combine_chunks() for name in TEXTS}
            for name, (dtype, shape) in ARRAYS.items():
                keys = [f"{name}_{i}" for i in range(math.prod(shape))] if shape else [name]
                values = np.empty((file.metadata.num_rows, len(keys)), dtype)
                for i, key in enumerate(keys):
                    values[:, i] = _read_column(file, key).to_numpy()
                columns[name] = values.reshape(-1, *shape)
        if len(columns["band"]) and not -1 <= columns["band"].min() <= columns["band"].max() < len(bands):
            raise ValueError("a band has no name")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
        raise ValueError(f"{path}: is no index of frames ({reason}); make it with `photoz index`") from error
    index = FrameIndex(columns, bands, path.parent, meta | {"is_file": True})
    if survey is not None:
        check_survey(index, survey, path)
    return index


def _read_column(file, name):
    """One column of an index; all at once would take twice the memory."""
    column = file.read([name])[name]
    if column.null_count:
        raise ValueError(f"column {name} has gaps")
    return column


def check_survey(index, survey, source):
    """Raise a ValueError if an index is that of another survey, or has no frame of some band."""
    described = survey_description(survey)
    if index.meta.get("survey") != described:
        theirs = index.meta.get("survey") or {}
        differ = sorted(key for key in described.keys() | theirs.keys() if described.get(key) != theirs.get(key))
        raise ValueError(
            f"{source}: is an index of the survey {theirs.get('name')}, which has another {', '.join(differ)} than "
            f"{survey.name}; give that survey, or index the frames again"
        )
    require_bands(index, survey, source)


def survey_description(survey):
    """What of a survey decides how its frames are read, as JSON keeps it."""
    described = survey_to_dict(survey)
    return {name: described.get(name) for name in ("name", "bands", "image_unit", "zero_point", "frames")}


def require_bands(index, survey, source):
    """Raise a FileNotFoundError that names a band of which there is no frame."""
    for band, number in index.counts().items():
        if number == 0:
            raise FileNotFoundError(
                f"missing band {band}: no frame of it in {source} ({len(index)} frames of other bands, "
                f"{index.meta['n_ignored']} other files); give frames of all bands {', '.join(survey.bands)}"
            )


def _plant(center, radius):
    """KD-trees of the centres, one for each factor of 2 in radius: (rows, largest radius, tree)."""
    placed = np.flatnonzero(np.isfinite(radius))
    size = np.floor(np.log2(np.maximum(radius[placed], 1e-6)))
    trees = []
    for power in np.unique(size):
        rows = placed[size == power]
        trees.append((rows, radius[rows].max(), cKDTree(center[rows], balanced_tree=False, compact_nodes=False)))
    return trees


def _axes(ra, dec):
    """Unit vectors east and north at positions, each of shape (n, 3)."""
    ra, dec = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    return east, north


def _tan_pixels(columns, rows, directions):
    """Pixels, from 0, of the directions (n, 4, 3) in the TAN WCS of as many frames, each of shape (n, 4)."""
    crval = columns["crval"][rows]
    east, north = _axes(*crval.T)
    axes = np.stack([east, north, unit_vector(*crval.T).T], axis=1)
    xi, eta, depth = np.moveaxis(directions @ axes.swapaxes(1, 2), -1, 0)
    sky = np.degrees(np.stack([xi / depth, eta / depth], axis=1))
    x, y = np.moveaxis(np.linalg.solve(columns["cd"][rows], sky), 1, 0)
    x0, y0 = columns["crpix"][rows].T[..., None] - 1
    return x + x0, y + y0


def _convex_overlap(x, y, shape):
    """True where a square, given by its corners in order (n, 4), overlaps an image of that shape (n, 2).

    Two convex figures are apart exactly if a line along a side of one of them separates them.
    """
    last_row, last_column = shape.T - 0.5
    meets = (x.max(1) > -0.5) & (x.min(1) < last_column) & (y.max(1) > -0.5) & (y.min(1) < last_row)
    first = np.full(len(x), -0.5)
    image_x = np.stack([first, last_column, last_column, first], axis=1)
    image_y = np.stack([first, first, last_row, last_row], axis=1)
    for i in (1, 2):
        normal_x, normal_y = (y[:, i - 1] - y[:, i])[:, None], (x[:, i] - x[:, i - 1])[:, None]
        square, image = x * normal_x + y * normal_y, image_x * normal_x + image_y * normal_y
        meets &= (square.max(1) > image.min(1)) & (square.min(1) < image.max(1))
    return meets


def index_frames(frames, survey, progress=False, n_processes=1, known=None, keep_bad=False):
    """Index of all frames below some folders, checked by their headers.

    Parameters
    ----------
    frames : path-like or list of path-like
        Folders, searched with those below them, or files.
    survey : Survey
    progress : bool
        Whether to show a progress bar.
    n_processes : int or None
        Processes that read headers; None for one per core.
    known : FrameIndex, optional
        An earlier index: of a file whose name, size and time are unchanged it tells the rows.
    keep_bad : bool
        Whether a frame that cannot be used is a row without a footprint, its reason in `damage`, instead of an error.

    Returns
    -------
    FrameIndex
        In the order of band, identity and path. A frame whose header cannot be read has the footprint of its exposure
        in another band. `meta["n_read"]` counts files whose header was read.

    Raises
    ------
    FileNotFoundError
        If a folder does not exist, or there is no frame of some band.
    ValueError
        If the header of a frame cannot be read and no other band of its exposure tells where it lies, or the frame is
        there twice, in another band than its name says, in another unit than the survey's, or has no WCS that astropy
        understands.

    Notes
    -----
    A compressed frame whose end is intact has no `damage` here even if damaged inside; `read_frame` then refuses it.
    """
    require_frames(survey)
    sources = [Path(frames)] if isinstance(frames, (str, os.PathLike)) else [Path(path) for path in frames]
    folder = sources[0] if len(sources) == 1 and sources[0].is_dir() else Path(os.path.commonpath(
        [path.absolute() for path in sources]))  # fmt: skip
    files, n_ignored = _frame_files(sources, survey)
    rows, to_read = _known_rows(files, known)
    chunks = [(survey, to_read[start : start + CHUNK]) for start in range(0, len(to_read), CHUNK)]
    n_processes = min(process_count(n_processes), max(len(chunks), 1))
    with tqdm(total=len(to_read), desc="index frames", unit="frame", disable=not progress) as bar:
        for found in map_in_order(_read_chunk, chunks, n_processes):
            rows += found
            bar.update(CHUNK)
    rows = _placed(sorted(rows, key=lambda row: row["path"]), keep_bad)
    rows.sort(key=lambda row: (row["band"] or "", _natural(row["identity"]), row["path"], row["hdu"], row["plane"]))
    meta = {"survey": survey_description(survey), "n_ignored": n_ignored, "n_read": len(to_read)}
    index = FrameIndex(_columns_of(rows, survey.bands, folder), survey.bands, folder, meta)
    if not keep_bad:
        require_bands(index, survey, folder)
    elif not rows:
        raise FileNotFoundError(f"no frame of {survey.name} in {folder} ({n_ignored} other files)")
    return index


def _frame_files(sources, survey):
    """Files that are frames, as (path, size, time), and the number of others."""
    files, n_ignored = {}, 0
    for source in sources:
        if source.is_file():
            found = [source]
        elif source.is_dir():
            found = (Path(place, name) for place, _, names in os.walk(source) for name in names)
        else:
            raise FileNotFoundError(f"{source}: no such folder; give the folder with the frames")
        for path in found:
            if match_name(path.name, survey) is None:
                n_ignored += 1
            else:
                there = path.stat()
                files[str(path)] = (str(path), there.st_size, there.st_mtime_ns)
    return [files[path] for path in sorted(files)], n_ignored


def _known_rows(files, known):
    """Rows of the files that an earlier index knows, and the other files."""
    if known is None or not len(known):
        return [], files
    columns = known._columns
    numbers = {}
    for number, key in enumerate(zip(
        (os.path.abspath(known.folder / name) for name in columns["path"].to_pylist()),
        columns["size"].tolist(), columns["mtime"].tolist(),
    )):  # fmt: skip
        numbers.setdefault(key, []).append(number)
    rows, to_read = [], []
    for path, size, mtime in files:
        there = numbers.get((os.path.abspath(path), size, mtime), ())
        # What a file that could not be placed says may depend on other files, which may have come since.
        if there and all(np.isfinite(columns["radius"][number]) and not columns["damage"][number].as_py()
                         for number in there):  # fmt: skip
            rows += [known[number] | {"path": path} for number in there]
        else:
            to_read.append((path, size, mtime))
    return rows, to_read


def _read_chunk(survey_and_files):
    """Rows of some files."""
    survey, files = survey_and_files
    return [row | {"size": size, "mtime": mtime} for path, size, mtime in files for row in frame_rows(path, survey)]


def _placed(rows, keep_bad):
    """Rows, each image once and placed by another band where its own header cannot tell; see `index_frames`."""
    places, seen, done = {}, {}, []
    for row in rows:
        if row["radius"] is not None:
            places.setdefault(row["identity"], row)
    for row in rows:
        key = (row["band"], row["identity"], row["plane"])
        error = row["error"] if "error" in row else ""
        if not error and key in seen:
            error = f"{row['path']}: the same frame is also in {seen[key]}; keep one, or it would count twice"
        elif not error and row["radius"] is None:
            place = places.get(row["identity"])  # the bands of an exposure are images of the same sky
            if place is None:
                error = row["damage"]
            else:
                row |= {name: place[name] for name in ("crval", "crpix", "cd", "shape", "center", "radius", "header")}
        seen.setdefault(key, row["path"])
        if error and not keep_bad:
            raise ValueError(error)
        done.append(row | NOWHERE | {"damage": error} if error else row)
    return done


NOWHERE = {
    "crval": (np.nan, np.nan), "crpix": (np.nan, np.nan), "cd": np.full((2, 2), np.nan), "shape": (0, 0),
    "center": (np.nan, np.nan, np.nan), "radius": np.nan, "header": "",
}  # fmt: skip


def _columns_of(rows, bands, folder):
    """Columns of a list of rows."""
    columns = {name: np.empty((len(rows), *shape), dtype) for name, (dtype, shape) in ARRAYS.items()}
    for number, row in enumerate(rows):
        for name, column in columns.items():
            column[number] = (bands.index(row["band"]) if row["band"] else -1) if name == "band" else row[name]
    for name in TEXTS:
        texts = [row[name] for row in rows]
        if name == "path":
            texts = [_relative(path, folder) for path in texts]
        elif name == "damage":  # the folder may be another when the index is read
            texts = [text.removeprefix(f"{row['path']}: ") for row, text in zip(rows, texts)]
        columns[name] = pa.array(texts, pa.large_string())
    return columns


def _natural(text):
    """Key that sorts texts with numbers by the numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _relative(path, folder):
    """Path relative to a folder."""
    return Path(os.path.relpath(os.path.abspath(path), os.path.abspath(folder))).as_posix()
