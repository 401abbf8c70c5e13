import os

import click
import pytest
from click.testing import CliRunner

from photoz_morph.cli import runs
from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.runs.folder import member_dir, start_run

CONFIG = load_config("photoz_simulated.yaml", PhotozConfig)
DATASET = {"path": "data", "name": "sdss_ugriz", "origin": "simulated", "galaxies_per_fold": [9, 9]}


@pytest.fixture
def run(tmp_path):
    """A run with two finished networks, the second of which is the newer."""
    start_run(tmp_path / "run", CONFIG, DATASET, ["CPU"])
    for member in range(2):
        folder = member_dir(tmp_path / "run", 0, member)
        folder.mkdir(parents=True)
        (folder / "model.keras").touch()
        os.utime(folder / "model.keras", (100 + member, 100 + member))
    return tmp_path / "run"


def current(path):
    """Predictions file of a path, and the arguments of the calls of `predict`."""
    calls = []

    @click.command()
    @click.argument("run")
    @click.option("--data-dir")
    @click.option("--out")
    @click.option("--quiet", is_flag=True)
    def predict(**arguments):
        calls.append(arguments)

    with click.Context(predict):
        return runs.current_predictions(path, PhotozConfig, predict, True, "data"), calls


@pytest.mark.parametrize(("written", "n_calls"), [(None, 1), (100.5, 1), (101, 0), (102, 0)])
def test_a_run_is_predicted_if_its_predictions_are_missing_or_older_than_a_network(run, written, n_calls):
    if written:
        (run / "predictions.fits").touch()
        os.utime(run / "predictions.fits", (written, written))
    path, calls = current(run)
    assert path == run / "predictions.fits"
    assert calls == n_calls * [{"run": str(run), "data_dir": "data", "out": None, "quiet": True}]


def test_a_file_is_its_own_predictions(tmp_path):
    assert current(tmp_path / "other.fits") == (tmp_path / "other.fits", [])


def missing(folder):
    raise FileNotFoundError(f"{folder}: no prepared dataset")


@pytest.mark.parametrize(("n_simulated", "can_be_made"), [(None, True), (100, False)])
def test_without_a_dataset_the_error_is_raised_where_none_can_be_simulated(n_simulated, can_be_made):
    make = (lambda: pytest.fail("made")) if can_be_made else None
    with pytest.raises(FileNotFoundError, match="data: no prepared dataset"):
        runs.dataset_or_default(n_simulated, "data", missing, None, make, True)


def test_the_default_is_made_only_without_a_dataset():
    made = []
    runs.dataset_or_default(100, "data", missing, None, lambda: made.append("simulated"), True)
    assert made == ["simulated"]
    runs.dataset_or_default(100, "data", lambda folder: "builder", lambda builder: None, missing, True)
    assert made == ["simulated"]


def test_an_error_inside_the_simulation_is_not_taken_for_a_missing_dataset():
    with pytest.raises(FileNotFoundError, match="swarp"):
        runs.dataset_or_default(100, "data", missing, None, lambda: missing("swarp"), True)


def test_the_seed_option_wins_over_set():
    assert runs.read_config("photoz_simulated.yaml", PhotozConfig, 7, ["seed=3", "train.epochs=2"]).seed == 7
    assert runs.read_config("photoz_simulated.yaml", PhotozConfig, None, ["seed=3"]).seed == 3


def test_status_lists_each_network_and_the_time_left(capsys):
    found = {
        "is_running": True, "n_epochs": 30, "seconds_left": 150.0,
        "members": [{"is_finished": True, "epochs": 30, "loss": 0.01}, {"is_finished": False, "epochs": 12}],
    }  # fmt: skip
    names = iter(["first", "second"])
    runs.echo_status(found, lambda entry: next(names), "loss")
    assert capsys.readouterr().out.splitlines() == [
        "first: finished  loss 0.0100",
        "second: epoch 12 of 30",
        "1 of 2 networks finished, running; about 2 minutes of training left on one core.",
    ]


def test_status_of_a_run_that_was_never_trained_names_the_command(run):
    result = CliRunner().invoke(main, ["status", str(run)])
    assert result.exit_code == 1 and "no training has been started; run `photoz train`" in result.output


def refuse(reason):
    raise ValueError(f"stacks: {reason}")


def test_an_error_of_a_build_in_a_subprocess_keeps_its_message():
    with pytest.raises(RuntimeError, match="^stacks: no shard$"):
        runs.build_in_subprocess(refuse, "no shard")
