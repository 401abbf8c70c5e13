import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.runs.folder import finished_members, member_dir, read_run
from photoz_morph.runs.progress import is_locked, locked, read_sessions, run_status
from tests.support.samples import TINY


def test_status_of_a_finished_run(run_dir):
    status = run_status(run_dir, PhotozConfig)
    assert (status["n_members"], status["n_folds"], status["n_epochs"]) == (2, 2, 2)
    assert all(entry["is_finished"] and entry["epochs"] == 2 for entry in status["members"])
    assert status["seconds_left"] == 0 and not status["is_running"]


def test_time_left_is_the_epochs_left_at_the_pace_so_far(tmp_path, run_dir):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", run_dir, run], check=True)
    folder = member_dir(run, 1, 1)
    (folder / "model.keras").unlink()
    history = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text("\n".join(history[:2]) + "\n")  # one epoch of two
    seconds = [
        float(line.rsplit(",", 1)[1])
        for fold, member in ((0, 0), (0, 1), (1, 0), (1, 1))
        for line in (member_dir(run, fold, member) / "history.csv").read_text().splitlines()[1:]
    ]
    assert run_status(run, PhotozConfig)["seconds_left"] == pytest.approx(np.mean(seconds))


def test_sessions_record_what_was_asked_and_what_it_took(run_dir):
    first = read_sessions(run_dir)[0]
    assert (first["n_members"], first["n_folds"], first["n_trained"]) == (2, 2, 4)
    assert first["seconds"] > 0 and 0.2 < first["peak_memory_gb"] < 24


def test_a_second_process_is_refused_while_one_trains(tmp_path):
    with locked(tmp_path / "run"):
        assert is_locked(tmp_path / "run")
        with pytest.raises(ValueError, match=f"process {os.getpid()} on .* trains there"), locked(tmp_path / "run"):
            pass
    assert not is_locked(tmp_path / "run")


def test_a_killed_process_leaves_no_lock(tmp_path):
    script = "import sys, time; from photoz_morph.runs.progress import locked\nwith locked(sys.argv[1]): time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    deadline = time.monotonic() + 30
    while not is_locked(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_locked(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not is_locked(tmp_path)


def test_folders_that_are_no_run_say_what_makes_one(tmp_path):
    for read in (read_run, finished_members, run_status):
        for config_class, command in ((PhotozConfig, "photoz train"), (MorphConfig, "morph train")):
            with pytest.raises(FileNotFoundError, match=f"no run there .*{command}"):
                read(tmp_path, config_class)


def test_finished_members_are_in_the_order_of_their_numbers(tmp_path, run_dir):
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", run_dir, run], check=True)
    for member in (10, 2):
        member_dir(run, 0, member).mkdir()
        (member_dir(run, 0, member) / "model.keras").touch()
    assert [path.parent.name for path in finished_members(run, PhotozConfig)[0]] == ["member_0", "member_1", "member_2", "member_10"]


def final_weights(run):
    from photoz_morph.models.loading import load_network

    return {str(path.relative_to(run)): load_network(path).get_weights() for path in run.rglob("model.keras")}


def test_a_run_killed_at_random_moments_ends_with_the_weights_of_an_undisturbed_one(data_dir, tmp_path):
    """SIGKILL, wherever it strikes: in an epoch, while a checkpoint is written, between members."""
    n_kills = int(os.environ.get("PHOTOZ_MORPH_KILLS", 3))  # 10 before a release
    options = [word for pair in (*TINY, "train.epochs=6") for word in ("--set", pair)]
    command = [sys.executable, "-c", "from photoz_morph.cli.photoz import main; main()", "train", "--quiet"]
    command += ["--ensemble", "2", "--cv", "2", "--data-dir", str(data_dir), *options, "--run-dir"]
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run([*command, str(undisturbed)], check=True)
    training = read_sessions(undisturbed)[0]["seconds"]
    moments = random.Random(5)
    for _ in range(n_kills):
        process = subprocess.Popen([*command, str(killed)])
        n_sessions = len(read_sessions(killed))
        while len(read_sessions(killed)) == n_sessions and process.poll() is None:
            time.sleep(0.05)
        time.sleep(moments.uniform(0.2, training / 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = list(killed.rglob("*.keras"))
    subprocess.run([*command, str(killed)], check=True)
    weights, weights_killed = final_weights(undisturbed), final_weights(killed)
    assert len(weights) == 4 and weights.keys() == weights_killed.keys()
    for name in weights:
        assert all(np.array_equal(a, b) for a, b in zip(weights[name], weights_killed[name], strict=True)), name
    assert left or n_kills == 0  # else nothing was resumed
    assert not list(killed.rglob("checkpoint*"))
