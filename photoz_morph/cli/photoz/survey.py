"""The commands `photoz survey`: new, check, list."""

from pathlib import Path

import click

from photoz_morph.cli.options import UserPath, echo, output_file, quiet_option

MAX_LINES = 20  # images and problems that `check` prints one by one


@click.group()
def survey():
    """Describe a survey: its bands, stamps and units, and how its images lie on disk.

    A description is a YAML file. `photoz stack`, `photoz index` and `photoz baseline` take it as --survey, configs as
    the key survey. Stacks, datasets, runs and exported models hold it whole.
    """


@survey.command()
@click.argument("name")
@click.option("--out", "-o", type=UserPath(), callback=output_file(".yaml", ".yml"),
              help="File to write; by default NAME.yaml.")  # fmt: skip
@click.option("--from", "start", type=UserPath(), help="Name or file of a survey to begin with, instead of a template.")
@quiet_option
def new(name, out, start, quiet):
    """Write the description of a survey NAME, with a comment beside each key."""
    from photoz_morph.surveys import SURVEYS, Survey, get_survey
    from photoz_morph.surveys.known import shipped_file
    from photoz_morph.surveys.template import new_description
    from photoz_morph.system.files import write_whole

    if name in SURVEYS:
        raise ValueError(f"{name} is the name of a survey that ships with the package; give another one")
    text = None
    if start is not None:
        if not isinstance(get_survey(start), Survey):
            raise ValueError(f"--from {start}: is not described by a file; give another survey, such as {start}_coadd")
        text = (shipped_file(start) if start in SURVEYS else Path(start)).read_text(encoding="utf-8")
    description = new_description(name, text)
    path = Path(out or f"{name}.yaml")
    if path.exists():
        raise ValueError(f"{path}: exists; remove it or give another --out")
    with write_whole(path) as part:
        part.write_text(description, encoding="utf-8")
    echo(f"Description in {path}. Next: edit it, and photoz survey check {path} FRAMES", quiet)


@survey.command()
@click.argument("description", metavar="NAME_OR_FILE", type=UserPath())
@click.argument("frames", nargs=-1, type=UserPath())
@click.option("--all", "show_all", is_flag=True, help=f"List every image, not only {MAX_LINES}.")
def check(description, frames, show_all):
    """Check the description of a survey, and the FRAMES, files or folders, that it is for.

    For each image the band, unit, zero point and pixel scale of its header are printed, and what contradicts the
    description. The exit status is 1 if something does, or a band has no image.
    """
    from photoz_morph.surveys import Survey, get_survey

    found = get_survey(description)
    if not isinstance(found, Survey):
        raise ValueError(f"{description}: single visits, which mocks are made of; photo-z uses {description}_coadd")
    click.echo(_row(found))
    if not frames:
        return
    from photoz_morph.stacking.frame_check import check_frames

    result = check_frames(frames, found)
    _echo_some([_image_line(image) for image in result.images], show_all, "images")
    counts = {band: len(result.of_band(band)) for band in found.bands}
    problems = list(result.problems)
    for band, number in counts.items():
        scales = sorted({round(image.pixel_scale, 4) for image in result.of_band(band)})
        zero_points = sorted({round(image.zero_point, 3) for image in result.of_band(band)})
        spread = f", pixels of {_range(scales)} arcsec, zero points {_range(zero_points)}" if number else ""
        click.echo(f"band {band}: {number} images{spread}")
    click.echo(f"{result.n_ignored} other files")
    missing = [band for band, number in counts.items() if number == 0]
    if missing:
        problems.append(f"no image of band {', '.join(missing)}; is `frames` of {description} right, or the folder?")
    _echo_some([f"Error: {problem}" for problem in problems], show_all, "errors", err=True)
    if problems:
        click.get_current_context().exit(1)


@survey.command("list")
def list_surveys():
    """List the surveys that ship with the package."""
    from photoz_morph.surveys import SURVEYS, Survey

    for found in SURVEYS.values():
        if isinstance(found, Survey):
            click.echo(_row(found))


def _row(found):
    """One line about a survey."""
    return (
        f"{found.name}: {' '.join(found.bands)}, pixels of {found.pixel_scale:g} arcsec, stamps of {found.stamp_size} "
        f"pixels, {found.image_unit} (zero point {found.zero_point:g})"
    )


def _image_line(image):
    """One line about an image."""
    plane = f", plane {image.plane}" if image.plane is not None else ""
    return (
        f"{image.path}: HDU {image.hdu}{plane}: band {image.band}, {image.shape[1]} x {image.shape[0]} pixels of "
        f"{image.pixel_scale:.4g} arcsec, {f'BUNIT {image.unit}' if image.unit else 'no BUNIT'}, zero point "
        f"{image.zero_point:.3f}"
    )


def _range(values):
    """The only value, or the first and the last."""
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _echo_some(lines, show_all, noun, err=False):
    """Print lines, or the first of them and how many there are."""
    for line in lines if show_all else lines[:MAX_LINES]:
        click.echo(line, err=err)
    if not show_all and len(lines) > MAX_LINES:
        click.echo(f"... {len(lines) - MAX_LINES} more {noun}; --all lists them", err=err)
