import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.runs.folder import member_dir
from photoz_morph.runs.progress import (
    locked,
    members_of_complete_fold,
    read_history,
    read_sessions,
    run_status,
    write_sessions,
)
from photoz_morph.system.locks import is_locked
from tests.support.samples import PIXELS_ALONE


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


def test_sessions_record_options_and_resources(run_dir):
    first = read_sessions(run_dir)[0]
    assert (first["n_members"], first["n_folds"], first["n_trained"]) == (2, 2, 4)
    assert first["seconds"] > 0 and 0.2 < first["peak_memory_gb"] < 24


def test_a_second_process_is_refused_while_one_trains(tmp_path):
    with locked(tmp_path / "run"):
        assert is_locked(tmp_path / "run")
        with pytest.raises(ValueError, match=f"process {os.getpid()} on .* is writing there; .* --run-dir"):
            with locked(tmp_path / "run"):
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


def test_an_unfinished_or_untrained_fold_is_refused(tmp_path, run_dir):
    assert [path.parent.name for path in members_of_complete_fold(run_dir, PhotozConfig, 1)] == ["member_0", "member_1"]
    with pytest.raises(ValueError, match=r"fold 4 has no finished network; finished are folds \[0, 1\]"):
        members_of_complete_fold(run_dir, PhotozConfig, 4)
    run = tmp_path / "run"
    shutil.copytree(run_dir, run)
    (member_dir(run, 1, 0) / "model.keras").unlink()
    with pytest.raises(ValueError, match="fold 1 has 1 finished networks of 2; finish it with the same `photoz train`"):
        members_of_complete_fold(run, PhotozConfig, 1)
    assert len(members_of_complete_fold(run, PhotozConfig, 0)) == 2


def test_the_last_session_decides_how_many_members_a_fold_needs(tmp_path, run_dir):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run)
    write_sessions(run, [*read_sessions(run), {**read_sessions(run)[-1], "n_members": 3}])
    with pytest.raises(ValueError, match="2 finished networks of 3"):
        members_of_complete_fold(run, PhotozConfig)


def test_history_of_a_new_member_is_empty_and_a_truncated_one_is_named(tmp_path):
    assert read_history(tmp_path) == []
    (tmp_path / "history.csv").write_text("epoch,iterations,loss\n1,12,0.5\n2,24,0.25\n")
    expected = [{"epoch": 1, "iterations": 12, "loss": 0.5}, {"epoch": 2, "iterations": 24, "loss": 0.25}]
    assert read_history(tmp_path) == expected
    (tmp_path / "history.csv").write_text("epoch,iterations,loss\n1,12,0.5\n2,2")
    with pytest.raises(ValueError, match="history.csv: not a history of losses, or truncated .*; remove .* `train`"):
        read_history(tmp_path)


def test_status_before_any_training_says_how_to_start(tmp_path, run_dir):
    shutil.copytree(run_dir, tmp_path / "run", ignore=shutil.ignore_patterns("sessions.json"))
    with pytest.raises(FileNotFoundError, match="no training has been started; run `photoz train`"):
        run_status(tmp_path / "run", PhotozConfig)


def final_weights(run):
    from photoz_morph.models.loading import load_network

    return {str(path.relative_to(run)): load_network(path).get_weights() for path in run.rglob("model.keras")}


def test_a_run_killed_at_random_moments_ends_with_the_weights_of_an_undisturbed_one(data_dir, tmp_path):
    """SIGKILL, wherever it strikes: in an epoch, while a checkpoint is written, between members."""
    n_kills = int(os.environ.get("PHOTOZ_MORPH_KILLS", 3))  # 10 before a release
    options = [word for pair in (*PIXELS_ALONE, "train.epochs=6") for word in ("--set", pair)]
    command = [sys.executable, "-c", "from photoz_morph.cli.photoz import main; main()", "train", "--quiet"]
    command += ["--ensemble", "3", "--cv", "1", "--jobs", "2", "--data-dir", str(data_dir), *options, "--run-dir"]
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run([*command, str(undisturbed)], check=True)
    training = read_sessions(undisturbed)[0]["seconds"]
    moments = random.Random(5)
    for kill in range(n_kills):
        process = subprocess.Popen([*command, str(killed)])
        n_sessions = len(read_sessions(killed))
        while len(read_sessions(killed)) == n_sessions and process.poll() is None:
            time.sleep(0.05)
        time.sleep(moments.uniform(0.2, training / 2))
        while kill == n_kills - 1 and not list(killed.rglob("*.keras")) and process.poll() is None:
            time.sleep(0.05)  # on a busy machine the others may strike before anything is saved
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = list(killed.rglob("*.keras"))
    subprocess.run([*command, str(killed)], check=True)
    weights, weights_killed = final_weights(undisturbed), final_weights(killed)
    assert len(weights) == 3 and weights.keys() == weights_killed.keys()
    for name in weights:
        assert all(np.array_equal(a, b) for a, b in zip(weights[name], weights_killed[name], strict=True)), name
    assert left or n_kills == 0  # else nothing was resumed
    assert not list(killed.rglob("checkpoint*"))
