"""The dataset commands of `blend`: simulate, build."""

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

data_dir_option = click.option(
    "--data-dir", default="blend_data", show_default=True, type=UserPath(), help="Folder of the prepared dataset."
)


@click.command()
@click.option("--n-images", default=3_000, show_default=True, type=click.IntRange(min=1), help="Number of images.")
@click.option("--kind", default="scenes", show_default=True, type=click.Choice(["scenes", "pairs", "maps"]),
              help="Fields with as many galaxies and stars as the sky has, pairs of isolated galaxies, or single "
              "galaxies with maps of their stars and dust.")  # fmt: skip
@click.option("--survey", default="lsst", show_default=True, type=click.Choice(["lsst", "sdss"]),
              help="Survey whose pixels, seeing and noise the images have, in g, r and i.")  # fmt: skip
@click.option("--years", type=click.IntRange(1, 10),
              help="Depth in years of LSST; 10 by default. Other depths of a seed have the same sources.")  # fmt: skip
@click.option("--size", type=click.IntRange(32, 250),
              help="Side of an image [pixel]; 128, or 48 for pairs, 64 for maps.")  # fmt: skip
@click.option("--faintest", type=click.FloatRange(18, 28, min_open=True),
              help="Limit of galaxies in i and of stars in r [mag]; 26 for scenes of LSST, 22.5 of SDSS, and two "
              "magnitudes brighter for the galaxy in the middle of a pair.")  # fmt: skip
@click.option("--parents", default=400, show_default=True, type=click.IntRange(min=40),
              help="Number of simulated galaxies that the sources are made of.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation.")
@click.option("--out", default="blends", show_default=True, type=UserPath(), help="Output folder.")
@click.option("--processes", type=click.IntRange(min=1),
              help="Number of processes; all cores by default. The output does not depend on it.")  # fmt: skip
@quiet_option
def simulate(n_images, kind, survey, years, size, faintest, parents, seed, out, processes, quiet):
    """Simulate images of many galaxies and stars with known truth (the embedded default).

    With --kind maps they are of single galaxies, with maps of their stellar mass, age, metallicity and dust.
    """
    if years is not None and survey != "lsst":
        raise click.UsageError("--years goes with --survey lsst; SDSS has a single exposure")
    if kind == "maps":
        _simulate_maps(n_images, years or 10, size or 64, seed, out, processes, quiet)
        return
    from photoz_morph.simulation.blends.sample import simulate_blends
    from photoz_morph.simulation.blends.scenes import BlendSettings

    settings = BlendSettings(kind=kind, survey=survey, years=years or 10, size=size, faintest=faintest, seed=seed)
    counts = simulate_blends(out, n_images, settings, parents, n_processes=processes, progress=not quiet)
    echo(f"{n_images} simulated images with {counts['sources']} sources in {out}/blends-*.fits. "
         f"Next: blend build {out}", quiet)  # fmt: skip


def _simulate_maps(n_galaxies, years, size, seed, out, processes, quiet):
    """Simulate galaxies with maps."""
    given = click.get_current_context().get_parameter_source
    for option in ("survey", "faintest", "parents"):
        if given(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option} goes with scenes and pairs; maps are of single galaxies, seen by LSST")
    from photoz_morph.simulation.populations.sample import MapSettings, simulate_maps

    simulate_maps(out, n_galaxies, MapSettings(years, size, seed), processes, progress=not quiet)
    echo(f"{n_galaxies} simulated galaxies in {out}/maps-*.fits. Next: blend build {out}", quiet)


@click.command()
@click.argument("blends", default="blends", type=UserPath())
@data_dir_option
@overwrite_option
@beam_options
@quiet_option
def build(blends, data_dir, overwrite, runner, beam_option, quiet):
    """Build the TFDS dataset, split 70:10:20, from a folder of BLENDS.

    They are scenes, pairs, or galaxies with maps, as `blend simulate` wrote them.
    """
    build_dataset(blends, data_dir, overwrite, quiet, beam_settings_of(runner, beam_option))


def build_dataset(blends, data_dir, overwrite, quiet, beam=None):
    """Build the dataset, with the settings of Beam if there are any, and print its contents."""
    are_maps = any(Path(blends).glob("maps-*.fits"))
    if are_maps and any(Path(blends).glob("blends-*.fits")):
        raise ValueError(f"{blends}: holds blends-*.fits and maps-*.fits; keep them in folders of their own")
    quiet_tensorflow()
    from tfds_builders import lsst_blends, lsst_maps

    builder = lsst_maps if are_maps else lsst_blends
    counts = builder.build(blends, data_dir, overwrite, progress=not quiet, pipeline=build_pipeline(beam))
    listed = ", ".join(f"{number} {split}" for split, number in counts.items())
    then = "" if are_maps else f" Next: blend baseline {data_dir}, or blend train"
    echo(f"{listed} images in {data_dir}.{then}", quiet)
