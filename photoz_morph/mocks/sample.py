"""Samples of LSST mocks on disk: scenes observed after ten years and after one, with labels of the noiseless images.

A mock depends on its scene, the seed and its obj_id only, not on the number of processes or the order of scenes. An
interrupted run resumes at its first missing shard.
"""

import hashlib
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.mocks.exposure import check_observing, stamp_binning
from photoz_morph.mocks.labels import CLASS_NAMES, classify, gini_m20
from photoz_morph.mocks.observe import expected_image, observe
from photoz_morph.shards.folders import check_folder
from photoz_morph.shards.mocks import find_mock_shards, mock_shard_path, read_mock_catalog, write_mock_shard
from photoz_morph.shards.scenes import find_scene_shards, iter_scenes, read_scene_catalog
from photoz_morph.surveys import LSST
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.threads import one_thread

SCENE_SHARDS_PER_SHARD = 2  # a shard takes 15 s: small samples give every core some, Ctrl-C does not wait long
MOCKS_PER_SHARD = 200  # of scenes given one by one
MAX_SEED = 900_000_000
LABEL_BANDS = {"": "i", "_g": "g"}  # suffix of a column -> band it is measured in


@dataclass(frozen=True)
class MockSettings:
    """Settings of the observation: arguments of `mocks.observe.observe`, the seed and the origin of the scenes."""

    years: tuple = (10, 1)
    binning: str = "sample"
    field_kpc: float = 100.0
    nested: bool = False
    seed: int = 1
    origin: str = "simulated"

    def __post_init__(self):
        object.__setattr__(self, "years", tuple(self.years))
        check_observing(LSST, self.years, self.binning, self.field_kpc)
        if any(year != int(year) for year in self.years):
            raise ValueError(f"years are {list(self.years)}; give whole numbers")
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"seed is {self.seed}; choose one from 0 to {MAX_SEED}")

    @property
    def cards(self):
        """Cards of the primary header of a shard, without YEARS."""
        return [
            ("PIXSCALE", round(stamp_binning(self.field_kpc) * LSST.pixel_scale, 6), "[arcsec] side of a stamp pixel"),
            ("ORIGIN", self.origin, "simulated, tng or images"),
            ("BINNING", self.binning, "camera pixels of a stamp pixel: sum or sample"),
            ("FIELDKPC", float(self.field_kpc), "[kpc] side asked for"),
            ("NESTED", self.nested, "whether longer observations contain shorter"),
            ("SEED", self.seed, "noise is a function of (SEED, obj_id)"),
        ]


@one_owner("out_dir")
def mock_scenes(
    scenes, out_dir, years=(10, 1), binning="sample", field_kpc=100.0, nested=False, seed=1, n_processes=None,
    progress=True,
):  # fmt: skip
    """Observe a folder of scene shards; complete mock shards of an earlier run are kept.

    Parameters
    ----------
    scenes : path-like
        Folder of `scenes-*.fits`.
    out_dir : path-like
        Created if missing.
    years : sequence of int
        Depths, 1 to 10 years.
    binning, field_kpc, nested
        As for `photoz_morph.mocks.observe.observe`.
    seed : int
        0 to 900,000,000. Another seed is other noise.
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict of int
        `galaxies`, `failed_measurements` (in i), and how many have the label of each of `CLASS_NAMES`.

    Raises
    ------
    ValueError
        If a number is out of range, an obj_id occurs twice or is negative, or the folder holds shards of other scenes
        or settings.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    n_processes = process_count(n_processes)
    paths, out_dir = find_scene_shards(scenes), Path(out_dir)
    catalogs = [read_scene_catalog(path) for path in paths]
    origins = sorted({header["ORIGIN"] for _, header in catalogs})
    if len(origins) > 1:
        raise ValueError(f"{scenes}: shards of different ORIGIN ({', '.join(origins)}); keep them in separate folders")
    settings = MockSettings(years, binning, field_kpc, nested, seed, origins[0])
    obj_ids = [np.asarray(table["obj_id"], np.int64) for table, _ in catalogs]
    _check_ids(np.concatenate(obj_ids), scenes)
    out_dir.mkdir(parents=True, exist_ok=True)
    shards = []
    for first in range(0, len(paths), SCENE_SHARDS_PER_SHARD):
        part = slice(first, first + SCENE_SHARDS_PER_SHARD)
        shards.append((mock_shard_path(out_dir, len(shards)), paths[part], np.concatenate(obj_ids[part])))
    wanted = {"YEARS": ",".join(map(str, settings.years)), **{keyword: value for keyword, value, _ in settings.cards}}
    beyond = "the scenes given; remove it or give the scenes it was made of"
    check_folder(out_dir.glob("mocks-*.fits"), wanted, [path for path, *_ in shards], beyond)
    todo = [(path, sources) for path, sources, ids in shards if not _is_complete(path, sources, ids)]
    sizes = {path: len(ids) for path, _, ids in shards}
    with tqdm(total=sum(sizes.values()), unit=" galaxies", disable=not progress, desc=str(out_dir)) as bar:
        bar.update(sum(sizes.values()) - sum(sizes[path] for path, _ in todo))
        run_all(mock_shard, [(*shard, settings) for shard in todo], n_processes, bar)
    return count_labels(out_dir)


@one_owner("out_dir")
def mock_scene_list(
    scenes, out_dir, years=(10, 1), binning="sample", field_kpc=100.0, nested=False, seed=1, origin="images",
    progress=True,
):  # fmt: skip
    """Observe scenes given one by one, such as images of other simulations, in this process.

    Parameters
    ----------
    scenes : iterable of Scene
        All with the same keys in `table_row`.
    out_dir : path-like
        Created if missing; it must not hold mocks.
    origin : {"images", "tng", "simulated"}
        Origin of the scenes.
    years, binning, field_kpc, nested, seed, progress
        As for `mock_scenes`.

    Returns
    -------
    dict of int
        As from `mock_scenes`.

    Raises
    ------
    ValueError
        If a number is out of range, an obj_id occurs twice or is negative, there are no scenes, or `out_dir` holds
        mocks.
    """
    settings = MockSettings(years, binning, field_kpc, nested, seed, origin)
    out_dir = Path(out_dir)
    there = sorted(out_dir.glob("mocks-*.fits"))
    if there:
        raise ValueError(f"{there[0]}: exists; remove it or write to another folder")
    out_dir.mkdir(parents=True, exist_ok=True)
    seen, stream = set(), iter(tqdm(scenes, unit=" galaxies", disable=not progress, desc=str(out_dir)))
    for index, first in enumerate(stream):
        mocks = []
        for scene in chain([first], islice(stream, MOCKS_PER_SHARD - 1)):
            _check_ids(np.array([scene.obj_id] * (1 + (scene.obj_id in seen))), out_dir)
            seen.add(scene.obj_id)
            mocks.append(mock_galaxy(scene, settings))
        _write(mock_shard_path(out_dir, index), mocks, settings)
    if not seen:
        raise ValueError(f"{out_dir}: no scenes to observe; give at least one image")
    return count_labels(out_dir)


def mock_shard(path, sources, settings):
    """Write the shard of the scenes in the files `sources`; returns their number."""
    mocks = [mock_galaxy(scene, settings) for source in sources for scene in iter_scenes(source)]
    _write(path, mocks, settings, [("SCENES", _fingerprint(sources), "fingerprint of the scenes observed")])
    return len(mocks)


def mock_galaxy(scene, settings):
    """Stamps and table row of one scene.

    Returns
    -------
    stamps : dict of ndarray, shape (100, 100, 3), float32
        For each number of years [nJy per stamp pixel].
    row : dict
        `photoz_morph.shards.mocks.REQUIRED_COLUMNS`, then the further columns of the scene. Columns measured here
        replace those of the same name.
    """
    with one_thread():
        expected = expected_image(scene)
        measured = {suffix: gini_m20(expected[..., LSST.bands.index(band)]) for suffix, band in LABEL_BANDS.items()}
    columns = {"obj_id": np.int64(scene.obj_id), "group_id": np.int64(scene.group_id),
               "intended_type": np.int16(scene.intended_type)}  # fmt: skip
    for suffix, (gini, m20, ok) in measured.items():
        columns[f"label{suffix}"] = np.int16(classify([gini], [m20])[0] if ok else -1)
        columns[f"gini{suffix}"], columns[f"m20{suffix}"] = np.float32(gini), np.float32(m20)
    columns["flag"] = np.int16(columns["label"] < 0)
    further = {"subhalo_id": np.int64(-1), "snapshot": np.int16(-1), **scene.table_row}
    rng = np.random.default_rng([settings.seed, scene.obj_id])
    stamps = observe(expected, LSST, settings.years, rng, settings.binning, settings.nested, settings.field_kpc)
    return stamps, columns | {name: value for name, value in further.items() if name not in columns}


def count_labels(folder):
    """Numbers of mocks, of failed measurements and of each label in a folder of mocks."""
    labels = np.concatenate([np.asarray(read_mock_catalog(path)[0]["label"]) for path in find_mock_shards(folder)])
    counts = {"galaxies": len(labels), "failed_measurements": int((labels < 0).sum())}
    return counts | {name: int((labels == label).sum()) for label, name in enumerate(CLASS_NAMES)}


def _write(path, mocks, settings, cards=()):
    """Write one shard of (stamps, row) pairs."""
    images = {year: np.stack([stamps[year] for stamps, _ in mocks]) for year in settings.years}
    rows = [row for _, row in mocks]
    table = Table({name: np.array([row[name] for row in rows]) for name in rows[0]})
    write_mock_shard(path, images, table, [*settings.cards, *cards])


def _check_ids(obj_ids, source):
    """Raise a ValueError for an obj_id that is negative or not unique."""
    if obj_ids.min() < 0:
        raise ValueError(f"{source}: obj_id {obj_ids.min()} is negative; number the scenes from 0 up")
    ids, counts = np.unique(obj_ids, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"{source}: obj_id {ids[np.argmax(counts)]} occurs {counts.max()} times; keep one")


def _is_complete(path, sources, obj_ids):
    """True if a shard holds all mocks of these scenes; a ValueError if it holds mocks of other scenes."""
    try:
        table, header = read_mock_catalog(path)
    except (FileNotFoundError, ValueError):  # missing, or truncated by a full disk or an interrupted copy
        return False
    there = np.asarray(table["obj_id"])
    if np.array_equal(there, obj_ids) and header.get("SCENES") == _fingerprint(sources):
        return True
    if len(there) < len(obj_ids) and np.array_equal(there, obj_ids[: len(there)]):  # the sample has grown
        return False
    raise ValueError(f"{path}: was made from other scenes; remove the folder or write to another one")


def _fingerprint(sources):
    """Short digest of the pixels of scene shards, from the checksums that they carry."""
    sums = [fits.getheader(path, "IMAGE", disable_image_compression=True)["DATASUM"] for path in sources]
    return hashlib.sha256(",".join(sums).encode()).hexdigest()[:16]
