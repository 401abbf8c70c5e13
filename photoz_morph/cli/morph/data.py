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
@click.option("--sky", type=UserPath(), metavar="IMAGES",
              help="Folder of real colour images, to which composites of MOCKS are the simulated source.")  # fmt: skip
@click.option("--labels", type=UserPath(), help="With --sky: CSV file with a row for each image and its class.")
@click.option("--name-column", help="With --sky: column of the names of the images; by default the first.")
@click.option("--label-column", help="With --sky: column of the classes; label by default.")
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS",
              help="With --sky: what a value in that column means: spiral, elliptical, merger, or none to leave the "
              "images out; may be repeated.")  # fmt: skip
@click.option("--truth", type=click.Choice(["label", "intended_type"]),
              help="With --sky: class of a simulated galaxy, from Gini and M20 or as simulated; label by default.")
@click.option("--without-mergers", is_flag=True, help="With --sky: leave mergers out, for spirals and ellipticals.")
@click.option("--size", type=click.IntRange(16, 1024), help="With --sky: side of all images [pixel]; 128 by default.")
@click.option("--field-radii", type=click.FloatRange(1, 50),
              help="With --sky: side of the real images in Petrosian radii; 6.144 by default.")  # fmt: skip
@click.option("--merger-copies", default=0, show_default=True, type=click.IntRange(0, 4),
              help="Flipped and rotated copies of each merger, added to its split; 4 in the paper.")  # fmt: skip
@overwrite_option
@beam_options
@quiet_option
def build(mocks, data_dir, released, merger_copies, overwrite, runner, beam_option, quiet, sky, **of_sky):
    """Build the TFDS dataset, split 70:10:20 by galaxy, from a folder of MOCKS.

    With --sky it holds two samples: composites of MOCKS as SDSS would show them, with labels, and the real images of a
    folder, such as Galaxy Zoo, whose labels no training sees.
    """
    beam = beam_settings_of(runner, beam_option)
    of_sky = {name: value for name, value in of_sky.items() if value}
    if sky:
        build_composites(mocks, sky, data_dir, overwrite, quiet, released or merger_copies or beam, **of_sky)
        return
    if of_sky:
        name = {"classes": "class"}.get(next(iter(of_sky)), next(iter(of_sky)))
        raise click.UsageError(f"--{name.replace('_', '-')} needs --sky")
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


def build_composites(mocks, sky, data_dir, overwrite, quiet, others, labels=None, classes=(), without_mergers=False,
                     **options):  # fmt: skip
    """Build the dataset of composites and real images, and print its contents."""
    if others:
        raise click.UsageError("--released, --merger-copies and --runner do not go with --sky")
    if labels is None:
        raise click.UsageError("--sky needs --labels, a CSV file with a row for each image")
    meaning = dict(word.partition("=")[::2] for word in classes)
    quiet_tensorflow()
    from tfds_builders import gri_composites

    counts = gri_composites.build(
        mocks, sky, labels, data_dir, with_mergers=not without_mergers, classes=meaning, overwrite=overwrite,
        progress=not quiet, **options,
    )  # fmt: skip
    following = f"morph train morph_sky.yaml --data-dir {data_dir}"
    echo(f"{listed(counts)} in {data_dir}/gri_composites. Next: {following}", quiet)
