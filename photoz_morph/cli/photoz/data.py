"""The dataset commands of `photoz`: simulate, stack, build."""

from pathlib import Path

import click

from photoz_morph.cli.options import (
    UserPath,
    beam_options,
    beam_settings_of,
    build_pipeline,
    data_dir_option,
    echo,
    engine_option,
    output_file,
    overwrite_option,
    own_output,
    quiet_option,
    remarks,
    share_of_work,
    stacking_processes_option,
)
from photoz_morph.training.quiet import quiet_tensorflow


@click.command()
@click.option("--n-galaxies", default=10_000, show_default=True, type=click.IntRange(min=1),
              help="Number of galaxies.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation.")
@click.option("--out", default="stacks", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--deep-fraction", default=0.03, show_default=True, type=click.FloatRange(0, 1),
              help="Fraction of galaxies with stacks of 10 to 64 frames, like Stripe 82.")  # fmt: skip
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def simulate(n_galaxies, seed, out, deep_fraction, processes, quiet):
    """Simulate stacks of the SDSS Main Galaxy Sample with known redshifts (the embedded default)."""
    from photoz_morph.simulation.sdss.sample import simulate_sample

    simulate_sample(
        out, n_galaxies, seed, n_processes=processes, progress=not quiet, deep_fraction=deep_fraction
    )
    echo(f"{n_galaxies} simulated galaxies in {out}/stacks-*.fits. Next: photoz build {out}", quiet)


@click.command()
@click.argument("frames", nargs=-1, required=True, type=UserPath())
@click.option("--out", "-o", default="frames.parquet", show_default=True, type=UserPath(),
              callback=output_file(".parquet"), help="Output file.")  # fmt: skip
@click.option("--survey", default="sdss", show_default=True, type=UserPath(), help="Name or file of the survey.")
@click.option("--processes", type=click.IntRange(min=1), help="Number of processes; all cores by default.")
@quiet_option
def index(frames, out, survey, processes, quiet):
    """Index FRAMES, folders or files, for `photoz stack` and `photoz infer`.

    Every header is read once. If OUT is there, only new and changed files are read, and files that are gone are left
    out. Frames that cannot be used are listed.
    """
    from photoz_morph.stacking.frame_index import index_frames, read_frame_index, survey_description
    from photoz_morph.surveys import get_survey

    survey = get_survey(survey)
    own_output(out)
    known = read_frame_index(out) if Path(out).exists() else None
    if known is not None and known.meta["survey"] != survey_description(survey):
        raise ValueError(f"{out}: is an index of another survey, {known.meta['survey']['name']}; give another --out")
    found = index_frames(frames, survey, not quiet, processes, known, keep_bad=True)
    found.write(out)
    bad = [reason for reason in found["damage"] if reason]
    for reason in bad:
        click.echo(reason, err=True)
    counts = ", ".join(f"{number} {band}" for band, number in found.counts().items())
    echo(f"{len(found)} frames in {out} ({counts}); {found.meta['n_read']} headers read, {len(bad)} frames cannot be "
         f"used, {found.meta['n_ignored']} other files. Next: photoz stack CATALOG {out}", quiet)  # fmt: skip


@click.command()
@click.argument("catalog", type=UserPath())
@click.argument("frames", type=UserPath())
@click.option("--out", default="stacks", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--combine", default="median", show_default=True, type=click.Choice(["median", "average"]),
              help="Combination of the frames.")  # fmt: skip
@engine_option
@click.option("--swarp", type=UserPath(), help="SWarp executable, if not on the PATH.")
@stacking_processes_option
@click.option(
    "--part", metavar="I/N", callback=lambda ctx, param, value: share_of_work(value),
    help="Stack the Ith of N parts of the shards only; for several processes or machines that fill one folder.",
)  # fmt: skip
@quiet_option
def stack(catalog, frames, out, combine, engine, swarp, processes, part, quiet):
    """Stack the frames in FRAMES around each galaxy of CATALOG.

    CATALOG is a FITS, CSV or Parquet table with obj_id, ra, dec [deg] and optionally z_spec, ebv [mag]. FRAMES is a
    folder of SDSS corrected frames, frame-BAND-RUN-CAMCOL-FIELD.fits[.bz2|.gz], or an index of `photoz index`.
    """
    from photoz_morph.catalogs.galaxies import read_galaxy_catalog
    from photoz_morph.stacking.stack import stack_catalog

    with remarks(quiet):
        table = read_galaxy_catalog(catalog)
    summary = stack_catalog(
        table, frames, out, combine=combine, swarp=swarp, progress=not quiet, engine=engine, processes=processes,
        part=part,
    )  # fmt: skip
    for message in summary.messages:
        click.echo(message, err=True)
    echo(f"{summary.n_good} stacks in {out}/stacks-*.fits, {summary.n_flagged} galaxies flagged. "
        f"Next: photoz infer MODEL --stacks {out}, or photoz build {out}", quiet)  # fmt: skip


@click.command()
@click.argument("stacks", default="stacks", type=UserPath())
@data_dir_option
@overwrite_option
@beam_options
@quiet_option
def build(stacks, data_dir, overwrite, runner, beam_option, quiet):
    """Build the TFDS dataset, one split per fold, from a folder of STACKS."""
    build_dataset(stacks, data_dir, overwrite, quiet, beam_settings_of(runner, beam_option))


def build_dataset(stacks, data_dir, overwrite, quiet, beam=None):
    """Build the dataset, with the settings of Beam if there are any, and print its contents."""
    quiet_tensorflow()
    pipeline = build_pipeline(beam)
    from tfds_builders.sdss_ugriz import build as build_dataset

    counts = build_dataset(stacks, data_dir, overwrite, progress=not quiet, pipeline=pipeline)
    left_out = ", ".join(f"{number} {reason}" for reason, number in counts.items() if reason != "galaxies")
    echo(f"{counts['galaxies']} galaxies in {data_dir}/sdss_ugriz; left out: {left_out}. Next: photoz train", quiet)
