"""Stacking of survey frames around galaxies with SWarp, as in Pasquet et al. (2019), Sec. 2.

From a catalogue and a folder of SDSS corrected frames it makes stamps of (64, 64, 5) *ugriz* pixels, with the galaxy at
the centre, on a TAN grid with north up, east left and 0.396 arcsec pixels. Resampling is LANCZOS3, background
subtraction is off, everything else is SWarp's default (median of the frames, fluxes scaled by pixel area).
`stack_catalog` writes shards (see `shards`), `iter_stacks` yields the same rows in memory. The other modules of this
folder make one stamp.
"""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.catalogs.dust import fill_ebv
from photoz_morph.catalogs.galaxies import check_galaxy_catalog
from photoz_morph.catalogs.per_band import check_quantities
from photoz_morph.shards.stacks import SHARD_SIZE, read_shard, shard_path, write_shard
from photoz_morph.stacking.frame_index import open_frames, overlapping_frames
from photoz_morph.stacking.pixels import FramePixels
from photoz_morph.stacking.swarp import COMBINE_TYPES, RESAMPLING, find_swarp, stack_band
from photoz_morph.surveys import SDSS
from photoz_morph.system.columns import ascii_text
from photoz_morph.system.locks import one_owner

WCS_CONVENTION = "TAN, north up, east left, galaxy at CRPIX 32.5 of 64"
ENGINE_CARD = ("ENGINE", "swarp", "what resampled and combined the frames")
FRAME_KEY = ("band", "identity")
WRITTEN_COLUMNS = ("ebv_source", "n_frames", "weight", "flag", "flag_reason")


@dataclass(frozen=True)
class StackSummary:
    """Result of `stack_catalog`: numbers of good and flagged galaxies and of kept shards, paths, messages."""

    n_good: int
    n_flagged: int
    n_kept_shards: int
    paths: tuple
    messages: tuple


@one_owner("out_dir")
def stack_catalog(
    catalog, frames_dir, out_dir, survey=SDSS, combine="median", swarp=None, progress=True, dust="auto"
):
    """Stack every galaxy of a catalogue and write shards; an interrupted run resumes at its first missing shard.

    Parameters
    ----------
    catalog : Table
        From `read_galaxy_catalog`. Where `ebv` is NaN it is taken from `dust`.
    frames_dir : path-like
        Folder of `frame-BAND-RUN-CAMCOL-FIELD.fits`, also .bz2 and .gz, also in sub-folders.
    out_dir : path-like
        Folder of the shards, created if needed. A shard that holds the same galaxies, made from the same frames with
        the same settings, is kept.
    survey : Survey
    combine : {"median", "average"}
        How overlapping frames are combined.
    swarp : str or None
        Name or path of the program; by default `SWarp` or `swarp`, whichever is found.
    progress : bool
        Whether to show progress bars.
    dust : str
        Dust map; see `catalogs.dust.open_dust`.

    Returns
    -------
    StackSummary

    Raises
    ------
    ValueError, FileNotFoundError
        If the catalogue or a frame is unusable, a column cannot be the quantity of the dataset that has its name (see
        `catalogs.per_band`), or `out_dir` holds other stacks.
    RuntimeError
        If SWarp is not installed or fails.

    Notes
    -----
    The shards' rows are the catalogue's, in its order. A galaxy whose stamp is not covered in every band, or is covered
    by a frame that is damaged, or blank there, is a row with `flag` 1, NaN pixels and the reason in `flag_reason`. The
    messages list these frames; when they are replaced or removed, their shards are made again. `n_frames` and `weight`
    (inverse variance of the central pixel as estimated by SWarp) have one value per band. Adjacent fields of one run
    repeat 128 rows of the same exposure, so two frames there do not mean less noise.

    Within a shard frames are read once, and up to 1 GB of them is held. Sort a large catalogue by position, so
    that neighbours share a shard.
    """
    check_quantities(catalog, survey.bands, "catalogue")  # `photoz build` would fail on them after hours of stacking
    run = _prepare(catalog, frames_dir, survey, combine, swarp, progress, dust)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    parts = _parts(run.catalog)
    paths = [shard_path(out_dir, i) for i in range(len(parts))]
    kept = _check_earlier_shards(out_dir, paths, parts, run)
    n_flagged = sum(kept.values())
    n_left = sum(len(part) for path, part in zip(paths, parts) if path not in kept)
    with _progress_bar(n_left, survey, progress) as bar:
        for path, part in zip(paths, parts):
            if path not in kept:
                frames = _frames(part, run)
                images, table = _stack_part(part, frames, run, bar)
                cards = [ENGINE_CARD, *_header(part, frames, run), *_unusable_cards(frames, run)]
                write_shard(path, images, table, survey, "stacked", cards)
                n_flagged += int(np.sum(table["flag"]))
    n_good = len(run.catalog) - n_flagged
    remarks = [*run.messages, *run.pixels.remarks()]
    if run.index.meta["n_ignored"]:
        remarks.insert(
            0, f"{frames_dir}: {run.index.meta['n_ignored']} files are not frames of {survey.name}, ignored"
        )
    if n_good == 0:
        remarks.append(f"no galaxy has a complete stamp; are the frames in {frames_dir} those of this catalogue?")
    return StackSummary(n_good, n_flagged, len(kept), tuple(paths), tuple(remarks))


def iter_stacks(catalog, frames_dir, survey=SDSS, combine="median", swarp=None, progress=True, dust="auto"):
    """Stack the galaxies of a catalogue in memory, up to 1,000 at a time; same rows as `stack_catalog`.

    Parameters
    ----------
    catalog, frames_dir, survey, combine, swarp, progress, dust
        As for `stack_catalog`, which also lists the errors.

    Returns
    -------
    iterator of (images, table)
        Stacks of shape (n, size, size, n_bands), float32 [unit of the survey], NaN where flagged, and their rows. The
        catalogue and the frames are checked before the iterator is returned.
    """
    return _stacks_of(_prepare(catalog, frames_dir, survey, combine, swarp, progress, dust), progress)


def _stacks_of(run, progress):
    """Yield the stacked parts of the catalogue."""
    with _progress_bar(len(run.catalog), run.survey, progress) as bar:
        for part in _parts(run.catalog):
            yield _stack_part(part, _frames(part, run), run, bar)


@dataclass(frozen=True)
class _Run:
    """Everything a part of the catalogue needs to be stacked, checked."""

    catalog: Table
    index: Table
    survey: object
    combine: str
    swarp: str
    swarp_version: str
    pixels: object
    messages: list


def _prepare(catalog, frames_dir, survey, combine, swarp, progress, dust):
    """Run all checks that can be made before the first stack."""
    if combine not in COMBINE_TYPES:
        raise ValueError(f"combine is {combine!r}; it must be one of {', '.join(COMBINE_TYPES)}")
    catalog = check_galaxy_catalog(catalog, "catalogue")
    taken = [name for name in catalog.colnames if name.lower() in WRITTEN_COLUMNS]
    if taken:
        raise ValueError(f"catalogue: column {', '.join(taken)} has the name of a column of the stacks; rename it")
    ascii_text(catalog)
    catalog.meta.clear()  # a shard's header is the stack's, not the catalogue file's
    for name in catalog.colnames:
        try:
            _as_read_back(catalog[[name]])
        except (ValueError, TypeError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"catalogue: column {name} cannot be kept in FITS ({reason}); remove it") from error
    program, version = find_swarp(swarp)
    index = open_frames(frames_dir, survey, progress)
    fill_ebv(catalog, dust)
    return _Run(catalog, index, survey, combine, program, version, FramePixels(survey), [])


def _parts(catalog):
    """The catalogue cut into the rows of each shard."""
    return [catalog[start : start + SHARD_SIZE] for start in range(0, len(catalog), SHARD_SIZE)]


def _progress_bar(n_galaxies, survey, progress):
    """Progress bar that counts stacks of one band."""
    return tqdm(total=n_galaxies * survey.n_bands, desc="stack", unit="band", disable=not progress)


def _frames(part, run):
    """Frames that overlap the stamp of each row, one table a row."""
    side_arcsec = run.survey.stamp_size * run.survey.pixel_scale
    return [overlapping_frames(run.index, row["ra"], row["dec"], side_arcsec) for row in part]


def _stack_part(part, frames, run, bar):
    """Images and finished table of the rows of one shard."""
    survey = run.survey
    images = np.zeros((len(part), *survey.image_shape), np.float32)
    n_frames = np.zeros((len(part), survey.n_bands), np.int32)
    central_weight = np.zeros((len(part), survey.n_bands), np.float32)
    reasons = [[] for _ in part]
    center = survey.stamp_size // 2
    brightest = 10 ** (0.4 * survey.zero_point)  # all of a star of magnitude 0 in one pixel
    # One band after the other, neighbours on a frame together: each frame is read once, and few are held.
    for b, band in enumerate(survey.bands):
        of_band = [table[table["band"] == band] for table in frames]
        for i in sorted(range(len(part)), key=lambda i: list(of_band[i]["path"])):
            ra, dec = part["ra"][i], part["dec"][i]
            unusable = run.pixels.why_unusable(of_band[i], ra, dec)
            if unusable:
                reasons[i] += unusable
                n_frames[i, b] = len(of_band[i])
                bar.update()
                continue
            image, weight, n_frames[i, b] = stack_band(
                of_band[i], ra, dec, survey, run.combine, run.swarp, run.pixels
            )
            images[i, :, :, b] = image
            central_weight[i, b] = weight[center, center]
            n_empty = np.count_nonzero((weight <= 0) | ~np.isfinite(image))
            n_absurd = np.count_nonzero(np.isfinite(image) & (np.abs(image) > brightest))
            if n_frames[i, b] == 0:
                reasons[i].append(f"no frame of band {band} covers it")
            elif n_empty:
                reasons[i].append(f"{n_empty} of {weight.size} pixels of band {band} have no data")
            elif n_absurd:
                reasons[i].append(f"{n_absurd} pixels of band {band} outshine any star; download its frames again")
            bar.update()
    table = part.copy()
    flagged = np.array([bool(reason) for reason in reasons])
    images[flagged] = np.nan
    table["n_frames"], table["weight"] = n_frames, central_weight
    table["flag"] = flagged.astype(np.int32)
    table["flag_reason"] = np.array(["; ".join(reason) for reason in reasons], dtype=str)
    return images, table


def _header(part, frames, run):
    """Cards of the primary header: the settings, and which frames the rows were made from."""
    names = sorted({"-".join(map(str, key)) for table in frames for key in zip(*(table[name] for name in FRAME_KEY))})
    return [
        ("COMBINE", run.combine.upper(), "SWarp COMBINE_TYPE"),
        ("RESAMPLE", RESAMPLING, "SWarp RESAMPLING_TYPE"),
        ("SUBBACK", "N", "SWarp SUBTRACT_BACK"),
        ("SWARPVER", run.swarp_version, "version of SWarp"),
        ("WCSCONV", WCS_CONVENTION, ""),
        ("EBVSRC", ", ".join(sorted(set(part["ebv_source"]))), "source of ebv"),
        ("NFRAMES", len(names), "frames that these rows were made from"),
        ("FRAMESID", hashlib.sha256(" ".join(names).encode()).hexdigest()[:16], "hash of their names"),
    ]


def _unusable_cards(frames, run):
    """Cards BAD1, BAD2, ... of the primary header: names and hashes of the unusable frames among these."""
    paths = sorted({path for table in frames for path in table["path"]} & run.pixels.unusable.keys())
    return [(f"BAD{number}", _named_hash(path), "unusable frame") for number, path in enumerate(paths, 1)]


def _named_hash(path):
    """Name of a file and the first 16 hexadecimal digits of its SHA-256, or "unreadable"."""
    try:
        return f"{Path(path).name} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}"
    except OSError:
        return f"{Path(path).name} unreadable"


def _check_earlier_shards(out_dir, paths, parts, run):
    """Number of flagged rows of each shard that an earlier run finished and that is kept."""
    frame_paths = {Path(path).name: path for path in run.index["path"]}
    kept, remedy = {}, "give another output folder, or delete the file to make its stacks again"
    for path in sorted(out_dir.glob("stacks-*.fits")):
        if path not in paths:
            raise ValueError(f"{path}: exists, but this catalogue fills {len(paths)} shards only; {remedy}")
        part = parts[paths.index(path)]
        _, table, header = read_shard(path)
        *settings, _, (_, frames_id, _) = _header(part, _frames(part, run), run)
        for keyword, value, _ in settings:
            if header.get(keyword) != value:
                raise ValueError(f"{path}: {keyword} is {header.get(keyword)}, this run has {value}; {remedy}")
        for column in _as_read_back(part).itercols():
            name, nan = column.name, column.dtype.kind == "f"
            if name not in table.colnames or not np.array_equal(table[name], column, equal_nan=nan):
                raise ValueError(f"{path}: holds other galaxies, its {name} is not the catalogue's; {remedy}")
        unusable = [header[keyword] for keyword in header if re.fullmatch(r"BAD\d+", keyword)]
        names = [text.partition(" ")[0] for text in unusable]
        if header["FRAMESID"] != frames_id:
            run.messages.append(f"{path}: made again, because other frames cover its galaxies now")
        elif unusable != [_named_hash(frame_paths.get(name, name)) for name in names]:
            run.messages.append(f"{path}: made again, because {', '.join(names)} could not be used before and changed")
        else:
            kept[path] = int(np.sum(table["flag"]))
            if unusable:
                run.messages.append(f"{path}: kept, with galaxies flagged on {', '.join(names)}, which is as it was")
    return kept


def _as_read_back(table):
    """Table after a round trip through FITS, which drops trailing blanks and masks."""
    stream = io.BytesIO()
    fits.BinTableHDU(table).writeto(stream)
    stream.seek(0)
    with fits.open(stream) as hdus:
        return Table(hdus[1].data)
