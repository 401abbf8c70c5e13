"""Beam's runner and pipeline options, from `--runner NAME` and `--beam-option KEY=VALUE`.

Beam ignores an option it does not know, with a line in its log; here each is refused before anything starts.
"""

import contextlib
import difflib
import importlib.util
import io
import logging
from dataclasses import dataclass

RUNNERS = ("DirectRunner", "FlinkRunner", "SparkRunner", "DataflowRunner", "PortableRunner")


@dataclass(frozen=True)
class BeamSettings:
    """Runner of a pipeline and its options.

    Attributes
    ----------
    runner : apache_beam.runners.PipelineRunner
    options : apache_beam.options.pipeline_options.PipelineOptions
    is_local : bool
        True where the pipeline runs on this machine.
    """

    runner: object
    options: object
    is_local: bool


def beam_settings(runner, assignments=()):
    """Runner and options of a pipeline.

    Parameters
    ----------
    runner : str
        One of `RUNNERS`.
    assignments : iterable of str
        Pipeline options: "direct_num_workers=2", or the name alone of one that is a switch.

    Returns
    -------
    BeamSettings

    Raises
    ------
    ValueError
        If Beam, or the part of it that the runner needs, is not installed, the runner or an option is unknown, or a
        value is none of that option.
    """
    check_beam(runner)
    _import_beam()
    options = _pipeline_options(runner, tuple(assignments))
    return BeamSettings(_make_runner(runner, options), options, is_local=runner == "DirectRunner")


def check_beam(runner):
    """Raise a ValueError if a runner is unknown or Beam is not installed; nothing is imported."""
    if runner not in RUNNERS:
        raise ValueError(f"--runner {runner}: unknown runner; give one of {', '.join(RUNNERS)}")
    if importlib.util.find_spec("apache_beam") is None:
        raise ValueError(
            f"--runner {runner}: needs the package apache-beam, which is not installed; "
            "`pip install 'photoz-morph[beam]'`"
        )


def _import_beam():
    """Import Beam without what it says of Google packages that are not there."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    finally:
        logging.disable(disabled)


def _pipeline_options(runner, assignments):
    """PipelineOptions of Beam."""
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

    known = set(PipelineOptions([]).get_all_options())
    for assignment in assignments:
        key = assignment.partition("=")[0]
        if key == "runner" or not key.isidentifier():
            raise ValueError(f"--beam-option {assignment}: give KEY=VALUE or a switch, and the runner as --runner")
        with _parse_errors(assignment):
            found = set(PipelineOptions([f"--{assignment}"]).get_all_options(retain_unknown_options=True))
        if found - known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else "see Beam's documentation of the runner"
            raise ValueError(f"--beam-option {assignment}: Beam has no option {key}; {hint}")
    flags = [f"--runner={runner}", *(f"--{assignment}" for assignment in assignments)]
    with _parse_errors(" ".join(assignments)):
        options = PipelineOptions(flags)
        options.get_all_options()
    direct = options.view_as(DirectOptions)
    if direct.direct_num_workers != 1 and direct.direct_running_mode == "in_memory":
        raise ValueError(
            f"--beam-option direct_num_workers={direct.direct_num_workers}: has no effect in memory; add --beam-option "
            "direct_running_mode=multi_processing"
        )
    return options


def _make_runner(name, options):
    """Runner object of Beam."""
    from apache_beam.runners.runner import create_runner

    if name == "DirectRunner":
        # Beam's own choice under this name first downloads another program, Prism.
        return _local_runner(options)
    if name == "DataflowRunner" and importlib.util.find_spec("apitools") is None:
        raise ValueError(
            f"--runner {name}: needs Google's clients, which are not installed; `pip install 'apache-beam[gcp]'`"
        )
    return create_runner(name)


def _local_runner(options):
    """Runner of pipelines on this machine, whose worker processes know the options."""
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle

    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    information = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(information))


@contextlib.contextmanager
def _parse_errors(assignment):
    """Turn an exit of Beam's parser, which prints its usage, into a ValueError."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    except SystemExit as error:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise ValueError(f"--beam-option {assignment}: {reason or 'not an option of Beam'}") from error

