"""Stacking of survey frames around galaxies, as in Pasquet et al. (2019), Sec. 2.

From a catalogue and frames it makes stamps, for SDSS of (64, 64, 5) *ugriz* pixels, with the galaxy at the centre, on a
TAN grid with north up, east left and the survey's pixels (0.396 arcsec for SDSS). Resampling is LANCZOS3, background
subtraction is off, everything else is SWarp's default (median of the frames, fluxes scaled by pixel area).
`stack_catalog` writes shards (see `shards`), `iter_stacks` yields the same rows in memory. The other modules of this
folder find the frames and make the stamps.
"""

import hashlib
import io
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.catalogs.dust import fill_ebv
from photoz_morph.catalogs.galaxies import check_galaxy_catalog
from photoz_morph.catalogs.per_band import check_quantities
from photoz_morph.shards.stacks import SHARD_SIZE, read_shard, shard_path, survey_of, write_shard
from photoz_morph.stacking.frame_index import FrameIndex, open_frames
from photoz_morph.stacking.lanczos import COMBINE_TYPES
from photoz_morph.stacking.parts import Part, missing_remark, owned_part
from photoz_morph.stacking.pixels import remarks_on
from photoz_morph.stacking.stamps import ENGINES, StackSettings
from photoz_morph.stacking.swarp import RESAMPLING, find_swarp
from photoz_morph.stacking.work import WORTH_SORTING, Plan, Unsorted, run_jobs, stack_job, stack_unit
from photoz_morph.surveys import SDSS
from photoz_morph.system.columns import ascii_text
from photoz_morph.system.pool import process_count

WCS_CONVENTION = "TAN, north up, east left, galaxy at CRPIX {:g} of {}"
DEFAULT_ENGINE = "lanczos"
WRITTEN_COLUMNS = ("ebv_source", "n_frames", "weight", "flag", "flag_reason")


@dataclass(frozen=True)
class StackSummary:
    """Result of `stack_catalog`: numbers of good and flagged galaxies and of kept shards, paths, messages."""

    n_good: int
    n_flagged: int
    n_kept_shards: int
    paths: tuple
    messages: tuple


def stack_catalog(
    catalog, frames_dir, out_dir, survey=SDSS, combine="median", swarp=None, progress=True, engine=None, processes=1,
    part=None, dust="auto",
):  # fmt: skip
    """Stack every galaxy of a catalogue and write shards; an interrupted run resumes where it was.

    Parameters
    ----------
    catalog : Table
        From `read_galaxy_catalog`. Where `ebv` is NaN it is taken from `dust`.
    frames_dir : path-like
        Folder of frames, also .bz2 and .gz, also in sub-folders; or their index, a .parquet file of `photoz index`.
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
    engine : {"lanczos", "swarp"}, optional
        What makes the stamps: the rules of SWarp in NumPy, or the program, which is the default if `swarp` is given.
    processes : int or None
        Number of processes; None for one per core. The shards do not depend on it.
    part : (int, int), optional
        (I, N) to stack the I-th of N parts of the shards only, from 1. Several processes can fill one folder with
        different parts at the same time.
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

    A catalogue whose neighbours are far apart in it is stacked in the order of its frames, into the folder `unsorted`
    below `out_dir`, which takes as much space as the shards until they are complete.
    """
    check_quantities(catalog, survey.bands, "catalogue")  # `photoz build` would fail on them after hours of stacking
    part = None if part is None else Part(*part)
    out_dir = Path(out_dir)
    with owned_part(out_dir, part):
        run = _prepare(catalog, frames_dir, survey, combine, swarp, progress, engine, processes, dust)
        out_dir.mkdir(parents=True, exist_ok=True)
        return _fill(out_dir, run, part, progress)


def _fill(out_dir, run, part, progress):
    """Write the shards of a part of the catalogue that are not there yet; see `stack_catalog`."""
    numbers = _parts(run.catalog)
    paths = [shard_path(out_dir, i) for i in range(len(numbers))]
    own = [i for i in range(len(paths)) if part is None or part.takes(i, len(paths))]
    kept = _check_earlier_shards(out_dir, paths, numbers, own, run)
    left = [i for i in own if paths[i] not in kept]
    n_flagged, remarks = sum(kept.values()), []
    if left:
        files = _Shards(tuple(paths), tuple(numbers), run)
        units, scattered = [numbers[i] for i in left], None
        name = "unsorted" if part is None else f"unsorted-{part.number}-of-{part.n_parts}"
        wanted = np.concatenate(units)
        by_frame = run.plan.by_frame(wanted)
        ordered = [by_frame[start : start + SHARD_SIZE] for start in range(0, len(by_frame), SHARD_SIZE)]
        is_worth = run.plan.n_openings(units) > WORTH_SORTING * run.plan.n_openings(ordered)
        settings, n_processes = run.plan.settings, min(run.plan.n_processes, len(left))
        with _progress_bar(len(wanted), settings.survey, progress) as bar:
            if (is_worth and len(left) > 1) or (out_dir / name).is_dir():
                scattered = Unsorted(out_dir / name, run.plan, wanted, SHARD_SIZE)
                jobs = list(scattered.jobs())
                bar.total = sum(len(job.ra) for _, job in jobs) * settings.survey.n_bands
                for n_done in run_jobs(stack_unit, jobs, n_processes, settings, bar):
                    bar.update(n_done * settings.survey.n_bands if n_processes > 1 else 0)
                n_flagged += sum(files.write(i, scattered.gather(numbers[i])) for i in left)
                remarks = list(scattered.remarks())
                scattered.remove()
            else:
                jobs = ((files.only(i), i, run.plan.job(numbers[i])) for i in left)
                for n_bad, found in run_jobs(_stack_shard, jobs, n_processes, settings, bar):
                    n_flagged += n_bad
                    remarks.append(found)
                    bar.update(SHARD_SIZE * settings.survey.n_bands if n_processes > 1 else 0)
    n_good = sum(len(numbers[i]) for i in own) - n_flagged
    messages = _messages(run, remarks)
    if n_good == 0 and own:
        messages.append(f"no galaxy has a complete stamp; are the frames in {run.source} those of this catalogue?")
    if part is not None and (missing := missing_remark(out_dir, len(paths))):
        messages.append(missing)
    return StackSummary(n_good, n_flagged, len(kept), tuple(paths[i] for i in own), tuple(messages))


def iter_stacks(
    catalog, frames_dir, survey=SDSS, combine="median", swarp=None, progress=True, engine=None, processes=1,
    dust="auto",
):  # fmt: skip
    """Stack the galaxies of a catalogue in memory, up to 1,000 at a time; same rows as `stack_catalog`.

    Parameters
    ----------
    catalog, frames_dir, survey, combine, swarp, progress, engine, processes, dust
        As for `stack_catalog`, which also lists the errors.

    Returns
    -------
    iterator of (images, table)
        Stacks of shape (n, size, size, n_bands), float32 [unit of the survey], NaN where flagged, and their rows. The
        catalogue and the frames are checked before the iterator is returned.

    Warns
    -----
    UserWarning
        The messages of `stack_catalog` on the frames, with the last stacks.
    """
    run = _prepare(catalog, frames_dir, survey, combine, swarp, progress, engine, processes, dust)
    return _stacks_of(run, progress)


def _stacks_of(run, progress):
    """Yield the stacked parts of the catalogue."""
    numbers, settings, remarks = _parts(run.catalog), run.plan.settings, []
    n_processes = min(run.plan.n_processes, len(numbers))
    with _progress_bar(len(run.catalog), settings.survey, progress) as bar:
        jobs = map(run.plan.job, numbers)
        for rows, (stamps, found) in zip(numbers, run_jobs(stack_job, jobs, n_processes, settings, bar)):
            bar.update(len(rows) * settings.survey.n_bands if n_processes > 1 else 0)
            remarks.append(found)
            if len(remarks) == len(numbers):  # not after the last stacks: who has them may ask no further
                for message in _messages(run, remarks):
                    warnings.warn(message, stacklevel=2)
            yield stamps.images, _table(run.catalog[rows], stamps)


@dataclass(frozen=True)
class _Run:
    """Everything that is needed to stack a catalogue, checked."""

    catalog: Table
    plan: Plan
    source: object
    n_ignored: int
    messages: list


@dataclass(frozen=True)
class _Shards:
    """Shards of a run, each written by whoever has its stamps."""

    paths: tuple
    numbers: tuple
    run: _Run

    def only(self, i):
        """What another process needs to write one of them."""
        numbers, plan = self.numbers[i], self.run.plan
        cards = _header(self.run.catalog[numbers], plan.names_of(numbers), plan.settings, len(self.paths))
        return self.paths[i], self.run.catalog[numbers], cards, plan.settings.survey

    def write(self, i, stamps):
        """Write shard number i; the number of its flagged galaxies."""
        return _write_shard(*self.only(i), stamps)


def _stack_shard(pixels, bar, item):
    """Stack and write one shard: the number of flagged galaxies, and the remarks on frames."""
    shard, _, job = item
    stamps, remarks = stack_job(pixels, bar, job)
    return _write_shard(*shard, stamps), remarks


def _write_shard(path, rows, cards, survey, stamps):
    """Write one shard; the number of its flagged galaxies."""
    unusable = sorted({path for paths in stamps.spoilers for path in paths})
    cards = cards + [(f"BAD{number}", _named_hash(path), "unusable frame") for number, path in enumerate(unusable, 1)]
    table = _table(rows, stamps)
    write_shard(path, stamps.images, table, survey, "stacked", cards)
    return int(np.sum(table["flag"]))


def _messages(run, remarks):
    """What `_prepare` found about the frames, and lines on those that several jobs found to be bad."""
    name = run.plan.settings.survey.name
    ignored = [f"{run.source}: {run.n_ignored} files are not frames of {name}, ignored"] if run.n_ignored else []
    unusable, not_finite = {}, {}
    for of_job, n_bad in remarks:
        not_finite |= n_bad
        for path, reasons in of_job.items():
            unusable.setdefault(path, []).extend(reasons)
    return [*ignored, *run.messages, *remarks_on(unusable, not_finite)]


def _prepare(catalog, frames_dir, survey, combine, swarp, progress, engine, processes, dust):
    """Run all checks that can be made before the first stack."""
    if combine not in COMBINE_TYPES:
        raise ValueError(f"combine is {combine!r}; it must be one of {', '.join(COMBINE_TYPES)}")
    engine = engine or ("swarp" if swarp else DEFAULT_ENGINE)
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}; it must be one of {', '.join(ENGINES)}")
    if swarp and engine != "swarp":
        raise ValueError(f"engine is {engine}, which does not run {swarp}; give engine swarp, or no program")
    n_processes = process_count(processes)
    catalog = check_galaxy_catalog(catalog, "catalogue", bands=survey.bands)
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
    program, version = find_swarp(swarp) if engine == "swarp" else ("", "")
    settings = StackSettings(survey, engine, combine, program, version)
    index = open_frames(frames_dir, survey, progress, n_processes)
    fill_ebv(catalog, dust)
    ra, dec = (np.asarray(catalog[name], float) for name in ("ra", "dec"))
    starts, rows = index.overlaps(ra, dec, survey.stamp_size * survey.pixel_scale)
    messages, source = [], frames_dir if not isinstance(frames_dir, FrameIndex) else frames_dir.folder
    if index.meta.get("is_file"):
        index[np.unique(rows)].check_files(source)
        if n_lost := int(np.sum(~np.isfinite(index["radius"]))):
            messages.append(f"{source}: {n_lost} frames of the index cannot be used; `photoz index` lists them")
    plan = Plan(ra, dec, index, starts, rows, settings, n_processes)
    return _Run(catalog, plan, source, index.meta["n_ignored"], messages)


def _parts(catalog):
    """Numbers of the rows of each shard."""
    return [np.arange(start, min(start + SHARD_SIZE, len(catalog))) for start in range(0, len(catalog), SHARD_SIZE)]


def _progress_bar(n_galaxies, survey, progress):
    """Progress bar that counts stacks of one band."""
    return tqdm(total=n_galaxies * survey.n_bands, desc="stack", unit="band", disable=not progress)


def _table(part, stamps):
    """Finished table of some rows of the catalogue."""
    table = part.copy()
    table["n_frames"], table["weight"] = stamps.n_frames, stamps.weights
    table["flag"] = np.array([bool(reason) for reason in stamps.reasons], np.int32)
    table["flag_reason"] = np.array(stamps.reasons, dtype=str)
    return table


def _header(part, names, settings, n_shards):
    """Cards of the primary header: the settings, and the names of the frames that the rows were made from."""
    return [
        *_setting_cards(part, settings),
        ("NSHARDS", n_shards, "shards of the whole catalogue"),
        ("NFRAMES", len(names), "frames that these rows were made from"),
        ("FRAMESID", _frames_id(names), "hash of their names"),
    ]


def _setting_cards(part, settings):
    """Cards that must be the same in a shard that is kept."""
    return [
        ("COMBINE", settings.combine.upper(), "SWarp COMBINE_TYPE"),
        ("RESAMPLE", RESAMPLING, "SWarp RESAMPLING_TYPE"),
        ("SUBBACK", "N", "SWarp SUBTRACT_BACK"),
        ("ENGINE", settings.engine, "swarp, or its rules in NumPy"),
        ("SWARPVER", settings.swarp_version, "version of SWarp"),
        ("WCSCONV", WCS_CONVENTION.format((settings.survey.stamp_size + 1) / 2, settings.survey.stamp_size), ""),
        ("EBVSRC", ", ".join(sorted(set(part["ebv_source"]))), "source of ebv"),
    ]


def _frames_id(names):
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def _named_hash(path):
    """Name of a file and the first 16 hexadecimal digits of its SHA-256, or "unreadable"."""
    try:
        return f"{Path(path).name} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}"
    except OSError:
        return f"{Path(path).name} unreadable"


def _check_earlier_shards(out_dir, paths, numbers, own, run):
    """Number of flagged rows of each own shard that an earlier run finished and that is kept."""
    frame_paths = {Path(path).name: path for path in run.plan.index[np.unique(run.plan.rows)]["path"]}
    kept, remedy = {}, "give another output folder, or delete the file to make its stacks again"
    number_of = {path: i for i, path in enumerate(paths)}
    for path in sorted(out_dir.glob("stacks-*.fits")):
        if path not in number_of:
            raise ValueError(f"{path}: exists, but this catalogue fills {len(paths)} shards only; {remedy}")
        if number_of[path] not in own:
            continue
        part = run.catalog[numbers[number_of[path]]]
        frames_id = _frames_id(run.plan.names_of(numbers[number_of[path]]))
        _, table, header = read_shard(path)
        if differing := _difference(survey_of(path, header), run.plan.settings.survey):
            raise ValueError(f"{path}: survey has {differing}; {remedy}")
        for keyword, value, _ in _setting_cards(part, run.plan.settings):
            there = header.get(keyword, "swarp" if keyword == "ENGINE" else None)  # before version 0.2
            if there != value:
                continued = f"continue with --engine {there}, or " if keyword == "ENGINE" else ""
                raise ValueError(f"{path}: {keyword} is {there}, this run has {value}; {continued}{remedy}")
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


def _difference(there, survey):
    """What makes pixels of a survey as it was described others than those of today's description, or ""."""
    # Other names of files are other frames, which FRAMESID tells.
    one, other = (frames and replace(frames, file_name=None) for frames in (there.frames, survey.frames))
    frames = "" if one == other else "`frames` other than it has now"
    return ", ".join(filter(None, [there.difference(survey), frames]))


def _as_read_back(table):
    """Table after a round trip through FITS, which drops trailing blanks and masks."""
    stream = io.BytesIO()
    fits.BinTableHDU(table).writeto(stream)
    stream.seek(0)
    with fits.open(stream) as hdus:
        return Table(hdus[1].data)
