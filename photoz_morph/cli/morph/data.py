"""The dataset commands of `morph`: simulate, mock, build."""

import warnings
from pathlib import Path

import click

from photoz_morph.cli.options import (
    UserPath,
    beam_options,
    beam_settings_of,
    build_pipeline,
    echo,
    overwrite_option,
    quiet_option,
)
from photoz_morph.training.quiet import quiet_tensorflow

IMAGE_OPTIONS = ("unit", "pixel_kpc", "redshift", "band_axis", "dataset")  # of `mock`, for image files
TNG_OPTIONS = ("pixel_kpc", "redshift", "zero_point", "groups")
data_dir_option = click.option(
    "--data-dir", default="morph_data", show_default=True, type=UserPath(), help="Folder of the prepared dataset."
)


@click.command()
@click.option("--n-galaxies", default=6_000, show_default=True, type=click.IntRange(min=1), help="Number of galaxies.")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation.")
@click.option("--out", default="scenes", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def simulate(n_galaxies, seed, out, processes, quiet):
    """Simulate noiseless images of spirals, ellipticals and mergers (the embedded default)."""
    from photoz_morph.simulation.morphology.sample import simulate_morphology

    counts = simulate_morphology(out, n_galaxies, seed, n_processes=processes, progress=not quiet)
    echo(f"{n_galaxies} simulated galaxies in {out}/scenes-*.fits. {listed(counts)}. Next: morph mock {out}", quiet)


@click.command()
@click.argument("scenes", nargs=-1, type=UserPath())
@click.option("--out", default="mocks", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--years", multiple=True, default=(10, 1), show_default=True, type=click.IntRange(1, 10),
              help="Depth in years of the survey; may be repeated.")  # fmt: skip
@click.option("--binning", default="sample", show_default=True, type=click.Choice(["sample", "sum"]),
              help="A stamp pixel is one of its 0.2 arcsec camera pixels (as in the paper) or their sum.")  # fmt: skip
@click.option("--field-kpc", default=100.0, show_default=True, help="Side of the field at redshift 0.05 [kpc].")
@click.option("--nested", is_flag=True,
              help="Deeper images contain the shallower ones; by default all are independent.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Seed of the noise.")
@click.option("--unit", type=click.Choice(["nJy", "mag/arcsec2"]), help="Unit of image files that do not state it.")
@click.option("--pixel-kpc", type=float, help="Side of a pixel of image files that do not state it [kpc].")
@click.option("--redshift", type=float, help="Redshift of image files that do not state it; 0.05 by default.")
@click.option("--band-axis", type=click.Choice(["first", "last"]), default="first", show_default=True,
              help="Axis of the bands in image files.")  # fmt: skip
@click.option("--dataset", help="Name of the image in an HDF5 or npz file that holds several.")
@click.option("--tng", type=UserPath(), help="Folder of TNG100 images, instead of SCENES; needs --morphologies.")
@click.option("--morphologies", type=UserPath(), help="Folder of the morphs_snap*_{g,i}.hdf5 catalogues.")
@click.option("--groups", type=UserPath(),
              help="Table of snapshot, subhalo_id, group_id, to identify galaxies across snapshots.")  # fmt: skip
@click.option("--zero-point", type=float, help="AB magnitude of one unit of TNG images, if not in nJy.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def mock(scenes, out, years, binning, field_kpc, nested, seed, tng, morphologies, groups, processes, quiet, **reading):
    """Mock LSST observations of noiseless images, labelled by Gini and M20.

    SCENES is the output folder of `morph simulate` (by default `scenes`), or files of noiseless g, r, i images: FITS,
    HDF5 or npz, in nJy per pixel or AB mag/arcsec^2. Each image is observed at the depths of ten years and one year.
    """
    from photoz_morph.mocks.sample import mock_scene_list, mock_scenes

    settings = {"years": years, "binning": binning, "field_kpc": field_kpc, "nested": nested, "seed": seed}
    settings["progress"] = not quiet
    if (tng is None) != (morphologies is None) or (tng and scenes):
        raise click.UsageError("give --tng and --morphologies together, and no SCENES with them")
    is_folder = not tng and (not scenes or Path(scenes[0]).is_dir())
    allowed = TNG_OPTIONS if tng else () if is_folder else IMAGE_OPTIONS
    given = {name for name, value in (reading | {"groups": groups}).items() if value not in (None, "first")}
    if given - set(allowed):
        name = sorted(given - set(allowed))[0].replace("_", "-")
        what = "--tng" if tng else "a folder of scenes" if is_folder else "image files"
        raise click.UsageError(f"--{name} does not go with {what}")
    if processes and not is_folder:
        raise click.UsageError("--processes goes with a folder of scenes; image files are observed one by one")
    reading = {name: value for name, value in reading.items() if name in given}
    if tng:
        from photoz_morph.mocks.tng import iter_tng_scenes, read_tng_morphologies

        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            catalogue = read_tng_morphologies(morphologies, groups)
        for note in notes:
            click.echo(f"Warning: {note.message}", err=True)
        galaxies = iter_tng_scenes(tng, catalogue, **reading)
        counts = mock_scene_list(galaxies, out, origin="tng", **settings)
    elif not is_folder:
        from photoz_morph.mocks.image_files import iter_scene_images

        images = iter_scene_images(scenes, **reading)
        counts = mock_scene_list(images, out, origin="images", **settings)
    else:
        counts = mock_scenes(*(scenes or ("scenes",)), out, n_processes=processes, **settings)
    echo(f"{listed(counts)} in {out}/mocks-*.fits. Next: morph build {out}", quiet)


@click.command()
@click.argument("mocks", default="mocks", type=UserPath())
@data_dir_option
@click.option("--released", type=UserPath(), help="Folder of the authors' arrays (Zenodo 5514180), instead of MOCKS.")
@click.option("--merger-copies", default=0, show_default=True, type=click.IntRange(0, 4),
              help="Flipped and rotated copies of each merger, added to its split; 4 in the paper.")  # fmt: skip
@overwrite_option
@beam_options
@quiet_option
def build(mocks, data_dir, released, merger_copies, overwrite, runner, beam_option, quiet):
    """Build the TFDS dataset, split 70:10:20 by galaxy, from a folder of MOCKS."""
    beam = beam_settings_of(runner, beam_option)
    build_dataset(mocks, data_dir, released, merger_copies, overwrite, quiet, beam)


def listed(counts):
    """Counts by name, in one line."""
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())


def build_dataset(mocks, data_dir, released, merger_copies, overwrite, quiet, beam=None):
    """Build the dataset, with the settings of Beam if there are any, and print its contents."""
    quiet_tensorflow()
    options = {"progress": not quiet, "pipeline": build_pipeline(beam)}
    from tfds_builders import tng_lsst_mocks

    if released:
        counts = tng_lsst_mocks.build_released(released, data_dir, overwrite, **options)
    else:
        counts = tng_lsst_mocks.build(mocks, data_dir, merger_copies, overwrite, **options)
    echo(f"{listed(counts)} in {data_dir}/tng_lsst_mocks. Next: morph train", quiet)
