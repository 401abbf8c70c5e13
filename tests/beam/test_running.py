import logging
import os
import signal
import threading

import apache_beam as beam
import pytest

from photoz_morph.beam.options import beam_settings
from photoz_morph.beam.running import beam_run

WORKERS = ("direct_num_workers=2", "direct_running_mode=multi_processing")


def raise_at_two(number):
    if number == 2:
        raise ValueError("stacks-00002.fits: damaged [in parts]; make it again")
    return number


def die_at_two(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def interrupt_at_two(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return number


def map_all(function, *assignments):
    settings = beam_settings("DirectRunner", assignments)
    with beam_run(settings):
        with beam.Pipeline(runner=settings.runner, options=settings.options) as pipeline:
            pipeline | beam.Create(range(4)) | beam.Reshuffle() | beam.Map(function)


@pytest.mark.parametrize("assignments", [(), WORKERS])
def test_an_error_of_a_worker_is_that_of_the_command(assignments, capfd):
    hook, level = threading.excepthook, logging.getLogger("apache_beam").level
    with pytest.raises(ValueError, match=r"^stacks-00002.fits: damaged \[in parts\]; make it again$"):
        map_all(raise_at_two, *assignments)
    assert capfd.readouterr().err == ""
    assert (threading.excepthook, logging.getLogger("apache_beam").level) == (hook, level)


def test_a_killed_worker_does_not_leave_the_command_waiting(capfd):
    with pytest.raises(RuntimeError, match="exited with return code .*perhaps for lack of memory; finished"):
        map_all(die_at_two, *WORKERS)
    assert capfd.readouterr().err == ""


def test_an_interrupt_stays_one():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        map_all(interrupt_at_two)
    assert signal.getsignal(signal.SIGINT) == handler


def test_an_error_of_another_kind_keeps_its_name():
    with pytest.raises(RuntimeError, match="^Beam: ZeroDivisionError: division by zero$"):
        with beam_run(beam_settings("DirectRunner")):
            1 / 0


def test_a_progress_bar_is_still_seen(capfd):
    with beam_run(beam_settings("DirectRunner")) as screen:
        os.write(2, b"of a library\n")
        print("1 of 4", file=screen)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "1 of 4\nafterwards\n"


def test_the_log_is_shown_on_request(monkeypatch, capfd):
    monkeypatch.setenv("PHOTOZ_MORPH_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        with beam_run(beam_settings("DirectRunner")):
            os.write(2, b"of a library\n")
            1 / 0
    assert capfd.readouterr().err == "of a library\n"
