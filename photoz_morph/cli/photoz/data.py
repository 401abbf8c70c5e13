"""The dataset commands of `photoz`: simulate, stack, build."""

from pathlib import Path

import click

from photoz_morph.cli.options import (
    UserPath,
    beam_options,
    beam_settings_of,
    build_pipeline,
    data_dir_option,
    dust_option,
    echo,
    echo_dust,
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
@click.option("--seeing", default=1.0, show_default=True, type=click.FloatRange(0.5, 5),
              help="Width of the point-spread function in units of that of SDSS.")  # fmt: skip
@click.option("--bands", help="Bands that are written, such as griz; the survey is then sdss_griz. All by default.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def simulate(n_galaxies, seed, out, deep_fraction, seeing, bands, processes, quiet):
    """Simulate stacks of the SDSS Main Galaxy Sample with known redshifts (the embedded default)."""
    from photoz_morph.simulation.sdss.sample import simulate_sample

    simulate_sample(
        out, n_galaxies, seed, n_processes=processes, progress=not quiet, deep_fraction=deep_fraction, seeing=seeing,
        bands=bands,
    )  # fmt: skip
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
@click.option("--survey", default="sdss", show_default=True, type=UserPath(),
              help="Survey of the frames: a name of `photoz survey list`, or the path of its description.")  # fmt: skip
@click.option("--combine", default="median", show_default=True, type=click.Choice(["median", "average"]),
              help="Combination of the frames.")  # fmt: skip
@engine_option
@click.option("--swarp", type=UserPath(), help="SWarp executable, if not on the PATH.")
@stacking_processes_option
@click.option(
    "--part", metavar="I/N", callback=lambda ctx, param, value: share_of_work(value),
    help="Stack the Ith of N parts of the shards only; for several processes or machines that fill one folder.",
)  # fmt: skip
@dust_option
@quiet_option
def stack(catalog, frames, out, survey, combine, engine, swarp, processes, part, dust, quiet):
    """Stack the frames in FRAMES around each galaxy of CATALOG.

    CATALOG is a FITS, CSV or Parquet table with obj_id, ra, dec [deg] and optionally z_spec, ebv [mag]. FRAMES is a
    folder of images of the survey, for SDSS of corrected frames, frame-BAND-RUN-CAMCOL-FIELD.fits[.bz2|.gz], or an
    index of `photoz index`.
    """
    from photoz_morph.catalogs.galaxies import read_galaxy_catalog
    from photoz_morph.stacking.stack import stack_catalog
    from photoz_morph.surveys import get_survey

    survey = get_survey(survey)
    with remarks(quiet):
        table = read_galaxy_catalog(catalog, bands=survey.bands)
    echo_dust(table, dust, quiet)
    summary = stack_catalog(
        table, frames, out, survey, combine, swarp, not quiet, engine=engine, processes=processes, part=part, dust=dust
    )
    for message in summary.messages:
        click.echo(message, err=True)
    echo(f"{summary.n_good} stacks in {out}/stacks-*.fits, {summary.n_flagged} galaxies flagged. "
        f"Next: photoz infer MODEL --stacks {out}, or photoz build {out}", quiet)  # fmt: skip


@click.command()
@click.argument("catalog", type=UserPath())
@click.option("-o", "--out", default="selected.fits", show_default=True, type=UserPath(),
              callback=output_file(".fits", ".parquet", ".csv"), help="The galaxies that are left.")  # fmt: skip
@click.option("--skip", multiple=True, metavar="CUT", help="Leave out a cut; those that can be are named in an error.")
@quiet_option
def select(catalog, out, skip, quiet):
    """Select the Main Galaxy Sample of Pasquet et al. (2019), Appendix A, from CATALOG.

    CATALOG is a FITS, CSV or Parquet table with the columns of their query, or an .npz file like the public sdss.npz.
    The number of galaxies that each cut keeps is printed and stored in the output.
    """
    from photoz_morph.catalogs.selection import select_main_sample, write_sample
    from photoz_morph.catalogs.table_files import read_table_file
    from photoz_morph.sources.npz import read_labels

    own_output(out)
    table = read_labels(catalog) if Path(catalog).suffix == ".npz" else read_table_file(catalog)
    selected, counts = select_main_sample(table, catalog, skip)
    write_sample(table[selected], counts, len(table), out)
    echo(f"{len(table):>9} galaxies in {catalog}", quiet)
    for name, rule, kept in counts:
        echo(f"{kept:>9} after {name}: {rule}", quiet)
    echo(f"{selected.sum()} galaxies in {out}.", quiet)


@click.command()
@click.argument("source", default="stacks", type=UserPath())
@data_dir_option
@click.option("--survey", type=UserPath(), help="Survey of the images, a name or a YAML file, if they do not say it.")
@click.option("--simulated", is_flag=True, help="The images are simulated, and do not say it.")
@click.option("--only", type=UserPath(), help="Table whose obj_id are the galaxies to take, such as of photoz select.")
@click.option("--unlabelled", is_flag=True, help="Keep galaxies without z_spec, for photoz pretrain.")
@overwrite_option
@beam_options
@quiet_option
def build(source, data_dir, survey, simulated, only, unlabelled, overwrite, runner, beam_option, quiet):
    """Build the TFDS dataset, one split per fold, from SOURCE.

    SOURCE is a folder of stacks, or galaxy images in one of the other forms that docs/your_data.md lists: an .npz file
    like the public sdss.npz, HDF5, FITS files beside a catalogue, a HATS catalogue.
    """
    choice = {"survey": survey, "origin": "simulated" if simulated else None, "unlabelled": unlabelled}
    if only:
        from photoz_morph.catalogs.galaxies import read_galaxy_catalog

        with remarks(quiet):
            choice["only"] = read_galaxy_catalog(only, needs=())["obj_id"]
    build_dataset(source, data_dir, overwrite, quiet, beam_settings_of(runner, beam_option), choice)


def build_dataset(source, data_dir, overwrite, quiet, beam=None, choice=None):
    """Build the dataset, with the settings of Beam if there are any, and print its contents."""
    quiet_tensorflow()
    pipeline = build_pipeline(beam)
    from tfds_builders.sdss_ugriz import build as build_dataset

    with remarks(quiet):
        counts = build_dataset(source, data_dir, overwrite, not quiet, pipeline, **(choice or {}))
    left_out = ", ".join(f"{number} {reason}" for reason, number in counts.items() if reason != "galaxies")
    echo(f"{counts['galaxies']} galaxies in {data_dir}; left out: {left_out}. Next: photoz train", quiet)
