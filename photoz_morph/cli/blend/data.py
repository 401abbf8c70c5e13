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

OF_SOURCES = ("survey", "faintest", "parents")  # options of scenes and pairs
WHAT = {"maps": "maps are of single galaxies, seen by LSST", "fields": "fields are of matter, not of light"}

data_dir_option = click.option(
    "--data-dir", default="blend_data", show_default=True, type=UserPath(), help="Folder of the prepared dataset."
)


@click.command()
@click.option("--n-images", default=3_000, show_default=True, type=click.IntRange(min=1), help="Number of images.")
@click.option("--kind", default="scenes", show_default=True, type=click.Choice(["scenes", "pairs", "maps", "fields"]),
              help="Fields with as many galaxies and stars as the sky has, pairs of isolated galaxies, single "
              "galaxies with maps of their stars and dust, or log-normal fields of matter.")  # fmt: skip
@click.option("--survey", default="lsst", show_default=True, type=click.Choice(["lsst", "sdss"]),
              help="Survey whose pixels, seeing and noise the images have, in g, r and i.")  # fmt: skip
@click.option("--years", type=click.IntRange(1, 10),
              help="Depth in years of LSST; 10 by default. Other depths of a seed have the same sources.")  # fmt: skip
@click.option("--size", type=click.IntRange(32, 250),
              help="Side of an image [pixel]; 128, or 48 for pairs, 64 for maps and fields.")  # fmt: skip
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

    With --kind maps they are of single galaxies, with maps of their stellar mass, age, metallicity and dust; with
    --kind fields they show the density of matter, in files like those of CAMELS.
    """
    if years is not None and survey != "lsst":
        raise click.UsageError("--years goes with --survey lsst; SDSS has a single exposure")
    if kind in ("maps", "fields"):
        _refuse_options(kind, *OF_SOURCES, *(("years",) if kind == "fields" else ()))
        if kind == "maps":
            _simulate_maps(n_images, years or 10, size or 64, seed, out, processes, quiet)
        else:
            _simulate_fields(n_images, size or 64, seed, out, processes, quiet)
        return
    from photoz_morph.simulation.blends.sample import simulate_blends
    from photoz_morph.simulation.blends.scenes import BlendSettings

    settings = BlendSettings(kind=kind, survey=survey, years=years or 10, size=size, faintest=faintest, seed=seed)
    counts = simulate_blends(out, n_images, settings, parents, n_processes=processes, progress=not quiet)
    echo(f"{n_images} simulated images with {counts['sources']} sources in {out}/blends-*.fits. "
         f"Next: blend build {out}", quiet)  # fmt: skip


def _simulate_maps(n_galaxies, years, size, seed, out, processes, quiet):
    """Simulate galaxies with maps."""
    from photoz_morph.simulation.populations.sample import MapSettings, simulate_maps

    simulate_maps(out, n_galaxies, MapSettings(years, size, seed), processes, progress=not quiet)
    echo(f"{n_galaxies} simulated galaxies in {out}/maps-*.fits. Next: blend build {out}", quiet)


def _simulate_fields(n_fields, size, seed, out, processes, quiet):
    """Simulate fields of matter."""
    from photoz_morph.simulation.cosmology.lognormal import FieldSettings
    from photoz_morph.simulation.cosmology.sample import write_fields

    path = write_fields(out, n_fields, FieldSettings(n_pixels=size, seed=seed), processes, progress=not quiet)
    echo(f"{n_fields} simulated fields in {path}. Next: blend build {out}", quiet)


def _refuse_options(kind, *names):
    """Raise a UsageError if one of these options was given to a kind of images that has none of it."""
    given = click.get_current_context().get_parameter_source
    for name in names:
        if given(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} does not go with --kind {kind}; {WHAT[kind]}")


@click.command()
@click.argument("blends", default="blends", type=UserPath())
@data_dir_option
@click.option("--beam-fwhm", type=click.FloatRange(min=0),
              help="Beam through which fields of matter are observed [pixel]; by default 3.")  # fmt: skip
@click.option("--noise", type=click.FloatRange(min=0, min_open=True),
              help="Noise of a pixel of that observation, of the logarithm of the field; by default 0.2.")  # fmt: skip
@click.option("--masked", type=click.FloatRange(0, 0.9),
              help="Part of each field that holes hide; by default 0.1.")  # fmt: skip
@overwrite_option
@beam_options
@quiet_option
def build(blends, data_dir, beam_fwhm, noise, masked, overwrite, runner, beam_option, quiet):
    """Build the TFDS dataset, split 70:10:20, from a folder of BLENDS.

    They are scenes, pairs, galaxies with maps, or fields of matter, as `blend simulate` wrote them; or a file of maps
    of CAMELS, Maps_FIELD_SUITE_SET_z=Z.npy, beside its params_SET_SUITE.txt.
    """
    given = {"beam_fwhm": beam_fwhm, "noise": noise, "masked": masked}
    observation = {name: value for name, value in given.items() if value is not None}
    build_dataset(blends, data_dir, overwrite, quiet, beam_settings_of(runner, beam_option), observation)


def build_dataset(blends, data_dir, overwrite, quiet, beam=None, observation=None):
    """Build the dataset, with the settings of Beam if there are any, and print its contents."""
    kinds = {pattern: any(Path(blends).glob(pattern)) for pattern in ("blends-*.fits", "maps-*.fits", "Maps_*.npy")}
    if sum(kinds.values()) > 1:
        found = " and ".join(pattern for pattern, is_there in kinds.items() if is_there)
        raise ValueError(f"{blends}: holds {found}; keep them in folders of their own")
    are_fields = kinds["Maps_*.npy"] or Path(blends).suffix == ".npy"
    if observation and not are_fields:
        option = next(iter(observation)).replace("_", "-")
        raise click.UsageError(f"--{option} goes with fields of matter; {blends} holds none")
    quiet_tensorflow()
    from tfds_builders import cosmology_fields, lsst_blends, lsst_maps

    builder, then, options = lsst_blends, "train", {}
    if are_fields:
        from photoz_morph.simulation.cosmology.observing import ObservationSettings

        builder, then = cosmology_fields, "train blend_parameters.yaml, or blend train blend_restore.yaml"
        options = {"observation": ObservationSettings(**(observation or {}))}
    elif kinds["maps-*.fits"]:
        builder, then = lsst_maps, "train blend_maps.yaml"
    counts = builder.build(blends, data_dir, overwrite, progress=not quiet, pipeline=build_pipeline(beam), **options)
    listed = ", ".join(f"{number} {split}" for split, number in counts.items())
    echo(f"{listed} images in {data_dir}. Next: blend baseline {data_dir}, or blend {then}", quiet)
