"""A pipeline run to its end, with errors in one line and without the log of Beam and of its workers."""

import contextlib
import logging
import os
import re
import signal
import sys
import threading
from types import SimpleNamespace


@contextlib.contextmanager
def beam_run(settings):
    """Run pipelines inside a `with` statement.

    Nothing is logged: what a worker raises is raised again here. With PHOTOZ_MORPH_TRACEBACK=1 in the environment the
    log of Beam is shown.

    Parameters
    ----------
    settings : BeamSettings

    Yields
    ------
    file
        Standard error, for a progress bar.

    Raises
    ------
    ValueError
        The first error of a user that a worker met, in its own words.
    RuntimeError
        Any other, with the name of its type; or if a worker process of this machine was ended from outside.
    """
    shows_log = bool(os.environ.get("PHOTOZ_MORPH_TRACEBACK"))
    with contextlib.ExitStack() as stack:
        screen = sys.stderr if shows_log else stack.enter_context(_log_dropped())
        lost = stack.enter_context(_worker_losses())
        try:
            yield screen
        except (Exception, KeyboardInterrupt) as error:
            if lost.reason:
                raise RuntimeError(
                    f"{lost.reason}, perhaps for lack of memory; finished work is kept: run the same command again, "
                    "with fewer --beam-option direct_num_workers"
                ) from error
            if lost.is_over:  # by Ctrl-C, which Beam makes an error of its own
                raise KeyboardInterrupt from error
            if shows_log:
                raise
            raise _of_worker(error) from error


def _of_worker(error):
    """The error of a worker, from one that may have its traceback as the message."""
    text = re.sub(r" \[while running '.*?'\]", "", str(error)).strip()
    named = re.findall(r"^(?:\w+\.)*(\w+): (.*)$", text, re.M) if "Traceback (most recent call last)" in text else []
    name, reason = named[-1] if named else (type(error).__name__, text)
    if name in ("ValueError", "FileNotFoundError", "OSError"):
        return ValueError(reason)
    return RuntimeError(f"Beam: {name}: {reason}")


@contextlib.contextmanager
def _log_dropped():
    """Drop what Beam logs and what its worker processes print to file descriptor 2; yield the real standard error."""
    loggers = [logging.getLogger("apache_beam"), logging.getLogger("root")]
    levels = [logger.level for logger in loggers]
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        screen = os.fdopen(os.dup(2), "w", buffering=1)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield screen
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        os.dup2(kept, 2)
        os.close(kept)
        screen.close()


@contextlib.contextmanager
def _worker_losses():
    """What is known of worker processes of this machine that ended early; the first interrupts the pipeline.

    Beam waits for ever for a worker process that is gone.
    """
    lost, hook, main = SimpleNamespace(reason=None, is_over=False), threading.excepthook, threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(*arguments):
        lost.is_over = True  # Ctrl-C ends the workers too
        raise KeyboardInterrupt

    def notice(arguments):
        if arguments.thread is not None and arguments.thread.name == "run_worker":
            if lost.reason is None and not lost.is_over:
                lost.reason = " ".join(str(arguments.exc_value).split())
                signal.pthread_kill(main.ident, signal.SIGINT)
        elif not arguments.exc_type.__module__.startswith("grpc"):  # of a connection to the lost worker
            hook(arguments)

    threading.excepthook = notice
    is_main = threading.current_thread() is main
    if is_main:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield lost
    finally:
        threading.excepthook = hook
        if is_main:
            signal.signal(signal.SIGINT, handler)
