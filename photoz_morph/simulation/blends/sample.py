"""A simulated sample of blended fields on disk: shards of images with the truth of every source.

Every image is a function of the settings and its index alone, whatever the number of processes, the order of shards or
the size of the sample: a sample enlarged later keeps its first images, and an interrupted run resumes where it stopped.
The galaxies that the sources are made of are simulated first and kept in the folder `parents` beside the shards.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.shards.blends import (
    SOURCE_COLUMNS,
    blend_shard_path,
    pack_sources,
    read_blend_catalog,
    write_blend_shard,
)
from photoz_morph.shards.folders import check_folder, incomplete_shards
from photoz_morph.simulation.blends.colours import BANDS
from photoz_morph.simulation.blends.parents import N_PARENTS, check_n_parents, load_parents, make_parents, parents_path
from photoz_morph.simulation.blends.scenes import BlendSettings, simulate_field
from photoz_morph.simulation.seeds import check_seed
from photoz_morph.system.locks import one_owner
from photoz_morph.system.pool import process_count, run_all
from photoz_morph.system.threads import one_thread

RECIPE = "B1"  # changes whenever the same seed gives other images
SHARD_SIZES = {"scenes": 100, "pairs": 1000}  # a shard takes some seconds and 30 MB
BEYOND = "the n_images asked for; remove it or ask for more"


@one_owner("out_dir")
def simulate_blends(out_dir, n_images, settings=BlendSettings(), n_parents=N_PARENTS, n_processes=None, progress=True):
    """Write a simulated sample of blended fields as shards; complete shards are kept.

    Parameters
    ----------
    out_dir : path-like
        Made if missing.
    n_images : int
    settings : BlendSettings
    n_parents : int
        Simulated galaxies that the sources are made of: turned, scaled, dimmed and reddened. At least 40.
    n_processes : int, optional
        By default one per core.
    progress : bool
        Whether to show bars.

    Returns
    -------
    dict of str to int
        Of the whole folder: `images` and `sources` seen in them.

    Raises
    ------
    ValueError
        If a number is out of range, or the folder holds shards of other settings or recipe, or more than `n_images`.

    Notes
    -----
    With several processes a script must call this under `if __name__ == "__main__":`, as multiprocessing asks.
    """
    if n_images <= 0:
        raise ValueError(f"n_images is {n_images}; ask for at least one image")
    n_processes = process_count(n_processes)
    check_seed(settings.seed)
    check_n_parents(n_parents)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    shard_size = SHARD_SIZES[settings.kind]
    sizes = [min(shard_size, n_images - first) for first in range(0, n_images, shard_size)]
    shards = [(blend_shard_path(out_dir, i), i * shard_size, size) for i, size in enumerate(sizes)]
    paths = [path for path, _, _ in shards]
    wanted = {keyword: value for keyword, value, _ in cards(settings, n_parents)}
    check_folder(out_dir.glob("blends-*.fits"), wanted, paths, BEYOND)
    todo = incomplete_shards(shards, read_blend_catalog, "images")
    pool_dir = out_dir / "parents"
    if todo and not parents_path(pool_dir, settings.seed, n_parents).exists():
        with tqdm(total=n_parents, disable=not progress, desc="parents") as bar, one_thread():
            make_parents(pool_dir, settings.seed, n_parents, bar.update)
    with tqdm(total=n_images, unit=" images", disable=not progress, desc=str(out_dir)) as bar:
        bar.update(n_images - sum(size for _, _, size in todo))
        run_all(simulate_shard, [(*shard, settings, pool_dir, n_parents) for shard in todo], n_processes, bar)
    n_sources = sum(int(read_blend_catalog(path)[0]["n_sources"].sum()) for path in paths)
    return {"images": n_images, "sources": n_sources}


def simulate_shard(path, first, n_images, settings, pool_dir, n_parents):
    """Write the shard of the images from index `first` on; returns their number."""
    parents = load_parents(str(pool_dir), settings.seed, n_parents)
    with one_thread():
        fields = [simulate_field(settings, first + i, parents) for i in range(n_images)]
    numbers = np.array([len(field.source_images) for field in fields])
    catalog = Table({
        "obj_id": np.array([field.obj_id for field in fields]),
        "group_id": np.array([field.group_id for field in fields]),
        "first_source": np.cumsum([0, *numbers[:-1]]),
        "n_sources": numbers.astype(np.int32),
        "n_targets": np.array([field.columns["is_target"].sum() for field in fields], np.int32),
    })  # fmt: skip
    images = [image for field in fields for image in field.source_images]
    pixels, first_pixel = pack_sources([image.pixels for image in images])
    sources = {name: np.concatenate([field.columns[name] for field in fields]) for name in fields[0].columns}
    sources |= {"first_pixel": first_pixel}
    places = np.array([(image.row, image.column, *image.pixels.shape[:2]) for image in images], np.int16).reshape(-1, 4)
    sources |= dict(zip(("row", "column", "height", "width"), places.T))
    header = [*cards(settings, n_parents), ("FIRST", first, "index of the first image")]
    cubes = (np.stack([getattr(field, name) for field in fields]) for name in ("image", "instances"))
    table = Table({name: sources[name] for name in SOURCE_COLUMNS})
    write_blend_shard(path, *cubes, catalog, table, pixels, header)
    return n_images


def cards(settings, n_parents):
    """Cards of the primary header that all shards of a sample share."""
    camera = settings.camera
    return [
        ("KIND", settings.kind, "scenes, or pairs of isolated galaxies"),
        ("SURVEY", settings.survey, "lsst or sdss"),
        ("BANDS", ",".join(BANDS), "order of the last image axis"),
        ("SIZE", settings.size, "[pixel] side of an image"),
        ("PIXSCALE", camera.pixel_scale, "[arcsec] side of a pixel"),
        ("BUNIT", camera.unit, "unit of a pixel value"),
        ("ZEROPT", camera.zero_point, "[mag] AB of one unit"),
        ("YEARS", float(settings.years), "of LSST"),
        ("FAINTEST", float(settings.faintest), "[mag] galaxies in i, stars in r"),
        ("SIGMA", ",".join(f"{sigma:.6g}" for sigma in camera.sky_sigma), "noise of an empty pixel in each band"),
        ("ORIGIN", "simulated", "where the images come from"),
        ("SEED", settings.seed, "images are a function of (SEED, index)"),
        ("RECIPE", RECIPE, "of simulation"),
        ("NPARENTS", n_parents, "galaxies the sources are made of"),
    ]
