"""Mocks of chosen galaxies after further numbers of years, to classify them at depths that their dataset lacks.

Each depth has a folder of mock shards of its own, such as `Y0.5/mocks-00000.fits`. The noise of a stamp is a function
of the seed, the galaxy and the number of years alone, so that a further depth changes no other, and is independent of
that of the dataset. An interrupted run resumes at its first missing shard.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.mocks.exposure import check_observing
from photoz_morph.mocks.labels import gini_m20
from photoz_morph.mocks.observe import expected_image, observe
from photoz_morph.mocks.sample import MAX_SEED, MockSettings
from photoz_morph.shards.mocks import (
    REQUIRED_COLUMNS,
    find_mock_shards,
    mock_shard_path,
    read_mock_catalog,
    write_mock_shard,
)
from photoz_morph.shards.scenes import find_scene_shards, iter_scenes, read_scene_catalog
from photoz_morph.surveys import LSST
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.threads import one_thread

SCENE_SHARDS_PER_SHARD = 5  # of which a fifth of the galaxies are test galaxies: some hundred, ten seconds
SAME_GINI = 1e-3  # a galaxy measured again on another machine; two galaxies seldom agree so well


def depth_folder(folder, years):
    """Folder of the mocks of one depth."""
    return Path(folder) / f"Y{years:g}"


def plain_years(years):
    """Numbers of years without repetition, from the smallest: int where whole, else float, as shards name them."""
    return tuple(int(year) if year == int(year) else float(year) for year in sorted(set(years)))


@one_owner("out_dir")
def mock_depths(
    scenes, galaxies, out_dir, years, binning="sample", field_kpc=100.0, seed=1, origin="simulated", n_processes=None,
    progress=True,
):  # fmt: skip
    """Observe some galaxies of a folder of scenes after each number of years; finished shards are kept.

    Parameters
    ----------
    scenes : path-like
        Folder of `scenes-*.fits`.
    galaxies : Table or dict of str to ndarray, shape (n,)
        Columns `REQUIRED_COLUMNS` of the mocks of these galaxies, but `flag`; obj_id are unique.
    out_dir : path-like
        Created if missing; the mocks of a depth are in its folder `depth_folder(out_dir, years)`.
    years : sequence of float
        Above 0, at most those of the survey.
    binning, field_kpc
        As for `photoz_morph.mocks.observe.observe`.
    seed : int
        0 to 900,000,000. Another seed is other noise.
    origin : str
        Of the scenes.
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If a number is out of range, a galaxy has no scene or its scene another Gini coefficient than the galaxy, or
        `out_dir` holds mocks of other galaxies or settings.
    """
    years = plain_years(years)
    check_observing(LSST, years, binning, field_kpc)
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed is {seed}; choose one from 0 to {MAX_SEED}")
    galaxies = Table({name: np.asarray(galaxies[name]) for name in REQUIRED_COLUMNS if name != "flag"})
    galaxies["flag"] = np.zeros(len(galaxies), np.int16)
    settings = MockSettings((10,), binning, field_kpc, False, seed, origin)
    jobs, n_missing = [], 0
    for index, (sources, rows, part) in enumerate(_parts(scenes, galaxies)):
        paths = {year: mock_shard_path(depth_folder(out_dir, year), index) for year in years}
        missing = {year: path for year, path in paths.items() if not _is_complete(path, year, part, settings)}
        if missing:
            jobs.append((sources, rows, part, missing, settings))
            n_missing += len(part)
    for year in years:
        depth_folder(out_dir, year).mkdir(parents=True, exist_ok=True)
    with tqdm(total=n_missing, unit=" galaxies", disable=not progress, desc=str(out_dir)) as bar:
        run_all(mock_depth_shards, jobs, process_count(n_processes), bar)


def mock_depth_shards(sources, rows, galaxies, paths, settings):
    """Write the shards of some galaxies, one a depth; returns the number of galaxies.

    Parameters
    ----------
    sources : list of Path
        Scene shards.
    rows : list of ndarray of int
        Rows of each.
    galaxies : Table
        Their rows in the same order.
    paths : dict of float to Path
        By the number of years.
    settings : MockSettings
    """
    stamps, scenes = {year: [] for year in paths}, (iter_scenes(*part) for part in zip(sources, rows) if len(part[1]))
    for number, scene in enumerate(scene for part in scenes for scene in part):
        with one_thread():
            expected = expected_image(scene)
            if number == 0:
                _check_same(expected, galaxies[0], sources[0])
        for year, found in stamps.items():
            rng = np.random.default_rng([settings.seed, scene.obj_id, round(1000 * year)])
            found.append(observe(expected, LSST, (year,), rng, settings.binning, False, settings.field_kpc)[year])
    for year, path in paths.items():
        write_mock_shard(path, {year: np.stack(stamps[year])}, galaxies, settings.cards)
    return len(galaxies)


def depth_shards(folder, years):
    """Paths of the mocks of one depth in a folder of `mock_depths`."""
    return find_mock_shards(depth_folder(folder, years))


def _parts(scenes, galaxies):
    """Scene shards, the rows of the wanted galaxies in each, and these galaxies in their order."""
    paths = find_scene_shards(scenes)
    row_of = {int(obj_id): row for row, obj_id in enumerate(galaxies["obj_id"])}
    if len(row_of) < len(galaxies):
        raise ValueError(f"{scenes}: an obj_id of the galaxies occurs twice; give each galaxy once")
    found, parts = set(), []
    for first in range(0, len(paths), SCENE_SHARDS_PER_SHARD):
        sources = paths[first : first + SCENE_SHARDS_PER_SHARD]
        ids = [np.asarray(read_scene_catalog(path)[0]["obj_id"], np.int64) for path in sources]
        rows = [np.array([row for row, obj_id in enumerate(part.tolist()) if obj_id in row_of], int) for part in ids]
        wanted = [obj_id for part, some in zip(ids, rows) for obj_id in part[some].tolist()]
        if wanted:
            parts.append((sources, rows, galaxies[[row_of[obj_id] for obj_id in wanted]]))
            found.update(wanted)
    lacking = sorted(set(row_of) - found)
    if lacking:
        raise ValueError(
            f"{scenes}: no scene of {len(lacking)} of the {len(galaxies)} galaxies, the first is obj_id {lacking[0]}; "
            "give the folder of the scenes from which the dataset was made"
        )
    return parts


def _check_same(expected, galaxy, source):
    """Raise a ValueError if a scene is not that of the galaxy with its obj_id: another simulation has the same ones."""
    gini, _, _ = gini_m20(expected[..., LSST.bands.index("i")])
    if not abs(gini - galaxy["gini"]) < SAME_GINI:
        raise ValueError(
            f"{source}: obj_id {galaxy['obj_id']} has a Gini coefficient of {gini:.4f}, the galaxy of the dataset "
            f"{galaxy['gini']:.4f}; give the folder of the scenes from which the dataset was made"
        )


def _is_complete(path, year, galaxies, settings):
    """True if a shard holds these galaxies; a ValueError if it holds others, or was made with other settings."""
    try:
        table, header = read_mock_catalog(path)
    except (FileNotFoundError, ValueError):  # missing, or truncated
        return False
    wanted = {"YEARS": f"{year}", **{keyword: value for keyword, value, _ in settings.cards}}
    different = [keyword for keyword, value in wanted.items() if header.get(keyword) != value]
    if different or not np.array_equal(table["obj_id"], galaxies["obj_id"]):
        what = f"with another {different[0]} ({header.get(different[0])})" if different else "of other galaxies"
        raise ValueError(f"{path}: was made {what}; remove the folder {path.parents[1]} or give another")
    return True
