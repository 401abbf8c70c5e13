"""Options shared by the commands, and errors on one line."""

import contextlib
import functools
import importlib.util
import os
import re
import sys
import warnings
from pathlib import Path

import click

from photoz_morph.beam.options import RUNNERS
from photoz_morph.streaming.owners import owned, working_folder
from photoz_morph.system.files import check_writable, reason_and_remedy

DEFAULT_CONFIG = "photoz_simulated.yaml"

FORMATS = (".fits", ".parquet", ".hdf5", ".hats")  # of predictions.write_predictions


class UserPath(click.Path):
    """A path as the user writes it: ~ is the home folder, which shells expand in `--out ~/x` but not in `--out=~/x`."""

    def convert(self, value, param, ctx):
        expanded = os.path.expanduser(value)
        if str(expanded).startswith("~"):
            raise ValueError(f"{value}: no such user; write ./{value} for a name that begins with ~")
        return super().convert(expanded, param, ctx)


run_argument = click.argument("run", type=UserPath())
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress bar and no messages, only errors.")
seed_option = click.option("--seed", type=int, help="Seed, instead of that of the config.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a config key, such as train.epochs=20."
)
data_dir_option = click.option(
    "--data-dir", default="photoz_data", show_default=True, type=UserPath(), help="Folder of the prepared dataset."
)
strategy_option = click.option(
    "--strategy", default="auto", show_default=True, type=click.Choice(["auto", "mirrored", "none"]),
    help="auto: MirroredStrategy on all GPUs, or CPUs if there are none.",
)  # fmt: skip
jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), help="Number of networks trained at once on CPUs; by default one per core."
)
part_option = click.option(
    "--part", "share", metavar="I/N", callback=lambda ctx, param, value: share_of_work(value),
    help="Compute every Nth partition only, from the Ith; for several machines, whose shares are joined by the last.",
)  # fmt: skip
engine_option = click.option(
    "--engine", type=click.Choice(["lanczos", "swarp"]),
    help="What makes the stacks: SWarp's rules in NumPy, or the program; lanczos, or swarp if --swarp is given.",
)  # fmt: skip
stacking_processes_option = click.option(
    "--processes", type=click.IntRange(min=1),
    help="Number of processes that stack; all cores by default. The stacks do not depend on it.",
)  # fmt: skip
dust_option = click.option(
    "--dust", default="auto", show_default=True, metavar="MAP", callback=lambda ctx, param, value: checked_dust(value),
    help="Map of E(B-V) where it is unknown: auto, shipped, sfdmap:DIR, dustmaps[:DIR].",
)  # fmt: skip
onnx_option = click.option(
    "--onnx", "with_onnx", is_flag=True, help="Write model.onnx beside the SavedModel; needs the extra [onnx]."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing dataset.")


def beam_options(command):
    """Decorator that adds --runner and --beam-option to a command; see `beam_settings_of`."""
    of_beam = click.option(
        "--beam-option", "beam_option", multiple=True, metavar="KEY=VALUE",
        help="Pipeline option of Apache Beam, such as direct_num_workers=2; may be repeated.",
    )  # fmt: skip
    return click.option(
        "--runner", type=click.Choice(RUNNERS),
        help="Runner of Apache Beam that does the work, perhaps on a cluster; by default this process does it.",
    )(of_beam(command))  # fmt: skip


def beam_settings_of(runner, beam_option):
    """Runner and pipeline options from --runner and --beam-option; None without --runner."""
    if runner is None:
        if beam_option:
            raise click.UsageError("--beam-option needs --runner")
        return None
    from photoz_morph.beam.options import beam_settings

    return beam_settings(runner, beam_option)


def build_pipeline(settings):
    """Maker of the pipeline of a build, from settings of Beam; None without them."""
    if settings is None:
        return None
    from photoz_morph.beam.build import BeamBuild

    return functools.partial(BeamBuild, settings)


def filling(settings):
    """Function that computes the parts of an output: with Beam, if there are settings of it, or in this process."""
    if settings is None:
        from photoz_morph.streaming.working_folder import fill

        return fill
    from photoz_morph.beam.infer import fill_on_beam

    return functools.partial(fill_on_beam, settings)


def share_of_work(text):
    """Numbers (I, N) of a share I/N of the work, None where the whole is asked for."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise click.UsageError(f"--part is {text!r}; give I/N with I from 1 to N, such as 2/3")
    return number, count


def output_file(*suffixes, in_parts=False):
    """Callback of an option for an output file: refuse before the work a name that could not be written after it.

    Without suffixes any is allowed. With `in_parts` the output is joined from a working folder, and may be there
    already if that is, too: the command was killed before it could remove it.
    """

    def check(ctx, param, value):
        path = Path(value) if value else None
        if path and suffixes and path.suffix not in suffixes:
            raise ValueError(f"{path}: {param.opts[0]} must end in {' or '.join(suffixes)}")
        if path and path.parent.exists() and not path.parent.is_dir():
            raise ValueError(f"{path}: Not a directory: {path.parent} is a file; give another {param.opts[0]}")
        if path and not path.parent.is_dir():
            raise ValueError(f"{path}: folder {path.parent} does not exist; create it or give another {param.opts[0]}")
        if path and path.suffix == ".hats" and path.exists() and not (in_parts and working_folder(path).exists()):
            raise ValueError(f"{path}: exists; remove it or give another {param.opts[0]}")
        if path and path.suffix == ".hats" and importlib.util.find_spec("hats") is None:
            raise ValueError(f"{path}: needs the package hats, which is not installed; `pip install hats`")
        if path and path.is_dir() and path.suffix != ".hats":
            raise ValueError(f"{path}: is a folder; give the name of a file as {param.opts[0]}")
        if path:
            check_writable(path.parent)
        return value

    return check


def explain_options(methods, stride):
    """Decorator that adds the options that `explain` has in both chains; see `explain_settings`.

    Parameters
    ----------
    methods : str
        Default methods, with commas between.
    stride : int
        Default step of the patches.
    """
    options = (
        click.option("--obj-id", "obj_ids", multiple=True, type=int,
                     help="Galaxy to explain; may be repeated. By default some are picked."),
        click.option("--galaxies", default=8, show_default=True, type=click.IntRange(1, 100),
                     help="Number of galaxies that are picked."),
        click.option("--methods", default=methods, show_default=True, metavar="NAMES",
                     callback=lambda ctx, param, value: [part.strip() for part in value.split(",") if part.strip()],
                     help="Methods with commas between; `docs/explain.md` lists them."),
        click.option("--network", default=1, show_default=True, type=click.IntRange(min=1),
                     help="Member whose maps are shown, counted from 1; the others vote."),
        click.option("--stride", default=stride, show_default=True, type=click.IntRange(min=1),
                     help="Step between the patches of occlusion [pixel]."),
        click.option("--patch", "size", default=stride + 2, show_default=True, type=click.IntRange(min=1),
                     help="Side of the patches of occlusion [pixel]."),
        click.option("--layer",
                     help="Layer whose maps are shown and weighted by Grad-CAM; by default the last with maps."),
        click.option("--anatomy/--no-anatomy", default=True, show_default=True,
                     help="Whether to show kernels, strongest patches, made images and the latent space."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
                     help="Seed of noise, random masks and the choice of galaxies."),
        click.option("--name", help="Name of the folder; by default that of the target."),
        click.option("--out", type=UserPath(), help="Where the folder is made; by default RUN/explanations."),
        click.option("--data-dir", type=UserPath(),
                     help="Prepared dataset; by default the one RUN was trained on."),
    )  # fmt: skip
    return lambda command: functools.reduce(lambda made, option: option(made), options[::-1], command)


def explain_settings(**options):
    """Settings of the methods from `explain_options`."""
    from photoz_morph.explain.methods import Settings

    return Settings(**options)


def check_new_folder(path):
    """Refuse before the work a folder that exists, or that could not be made after the work."""
    if Path(path).exists():
        raise ValueError(f"{path}: exists; remove it or give another --out")
    check_writable(path)


def checked_dust(dust):
    """The choice of a dust map, the same for all workers; refused before the work if it cannot be read."""
    from photoz_morph.catalogs.dust import open_dust, settled_dust

    open_dust(dust)
    return settled_dust(dust)


def echo_dust(table, dust, quiet):
    """Say which dust map gives the E(B-V) that a catalogue does not have."""
    import numpy as np

    from photoz_morph.catalogs.dust import open_dust

    n_unknown = int(np.sum(~np.isfinite(np.asarray(table["ebv"], float))))
    if n_unknown:
        echo(f"E(B-V) of {n_unknown} galaxies that have none: {open_dust(dust)[1]}.", quiet)


def check_onnx(is_wanted=True):
    """Refuse before the work an ONNX file that could not be written after it: a package is missing."""
    missing = [name for name in ("onnx", "tf2onnx") if importlib.util.find_spec(name) is None]
    if is_wanted and missing:
        raise ValueError(
            f"--onnx needs the package {' and '.join(missing)}, which is not installed; "
            "`pip install photoz-morph[onnx]`, or leave out --onnx"
        )


def own_output(path, remedy="give another --out", share=None):
    """Own an output file, a folder that is written as a whole, or a share of an output, until the command ends.

    See `streaming.owners.owned`.
    """
    click.get_current_context().with_resource(owned(path, share, remedy))


class OneLineErrors(click.Group):
    """A command group that prints user errors and wrong options on one line.

    With PHOTOZ_MORPH_TRACEBACK=1 in the environment the traceback is shown.
    """

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):  # of --help; to Python these are RuntimeErrors
            raise
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else ctx.command_path
            message = " ".join(error.format_message().split()).rstrip(".")
            click.echo(f"Error: {message}; see `{command} --help`.", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # of `| head`: nobody reads on
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
            ctx.exit(1)
        except user_errors() as error:
            if os.environ.get("PHOTOZ_MORPH_TRACEBACK"):
                raise
            click.echo(f"Error: {one_line(error)}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("Interrupted. Finished work is kept; run the same command again to resume.", err=True)
            ctx.exit(130)


def user_errors():
    """Types of errors that a user can correct; TensorFlow's only if it is imported."""
    tensorflow = sys.modules.get("tensorflow")
    return (ValueError, OSError, RuntimeError, MemoryError, *([tensorflow.errors.OpError] if tensorflow else []))


def one_line(error):
    """Message of an error on one line, with the file that an OSError names."""
    if isinstance(error, OSError) or "No space left" in str(error):  # TFDS makes another error of it
        return reason_and_remedy(error if isinstance(error, OSError) else OSError(str(error)))
    if hasattr(error, "op"):  # of TensorFlow, which puts its own names around the message
        reason = re.sub(r"\{\{.*?\}\} |\[Op:.*", "", " ".join(str(error).split()))
        return f"TensorFlow: {reason}; if a file of the dataset is damaged, build the dataset again with --overwrite"
    return " ".join(str(error).split()) or type(error).__name__


def echo(message, quiet=False):
    """Print a message unless the command is quiet."""
    if not quiet:
        click.echo(message)


@contextlib.contextmanager
def remarks(quiet=False):
    """Print what the package warns of inside a `with` statement in lines on standard error, unless quiet."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        show = warnings.showwarning

        def show_line(message, category, *where, **more):
            if category is not UserWarning:  # of a library
                show(message, category, *where, **more)
            elif not quiet:
                click.echo(" ".join(str(message).split()), err=True)

        warnings.showwarning = show_line
        yield
