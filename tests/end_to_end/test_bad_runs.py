"""Faults of configs, runs, predictions and exported models, the error line for each, and the files kept."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.cli.photoz import evaluation, prediction
from photoz_morph.photoz.export import export
from photoz_morph.photoz.predict import predict_run
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from photoz_morph.runs.progress import locked, read_history
from photoz_morph.system.json_files import read_json
from tests.support.broken_input import (
    SETTINGS,
    SHARD_DAMAGE,
    Cases,
    Workplace,
    check_error,
    check_full_disk,
    check_success,
    cut_short,
    emptied,
    flipped,
    replace_text,
    untouched,
)
from tests.support.paths import DATA
from tests.support.samples import TINY

FRAMES, GALAXIES = DATA / "frames", DATA / "galaxies.csv"
case = Cases()


@pytest.fixture(scope="module")
def finished(run_dir, tmp_path_factory):
    """A copy of the tiny run, with its predictions and its exported model."""
    run = shutil.copytree(run_dir, tmp_path_factory.mktemp("finished") / "tiny")
    write_predictions(predict_run(run, progress=False), run / "predictions.fits")
    export(run, run / "export")
    return run


@pytest.fixture
def place(finished, data_dir, stacks_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path, data_dir, stacks_dir, finished)


# Configs and training

case.config("unknown_config_key", b"train: {epoch: 3}", "mine.yaml: unknown key 'train.epoch'. Did you mean 'train.ep")
case.config("config_that_is_no_yaml", b"train: {epochs: [3}", "mine.yaml: not valid YAML", "line 1")
case.config("binary_for_a_config", bytes(range(256)), "mine.yaml: not valid YAML")
case.config("config_of_zero_size", b"", "mine.yaml: give exactly one of 'train.epochs' and 'train.iterations'")
case.config("unknown_survey_in_a_config_file", b"survey: des\ntrain: {epochs: 1}",
            "mine.yaml: 'survey': unknown survey 'des'", command="summary")  # fmt: skip
case.train("unknown_key_of_set", "--set train.epoch=3", "--set train.epoch=3: unknown key 'train.epoch'. Did you mean")
case.train("value_of_set_that_is_no_yaml", "--set train.epochs=[3", "--set train.epochs=[3", "not valid YAML")
case.train("set_without_a_value", "--set train.epochs", "--set train.epochs: expected key=value, for example")
case.train("unknown_survey", "--set survey=des --run-dir new", "'survey': unknown survey 'des'")
case.train("epochs_and_iterations", "--set train.iterations=5", "give exactly one of 'train.epochs' and 'train.iter")
case.train("run_of_another_config", "--set train.epochs=5", "was trained with another train.epochs; give another --")
case.train("run_of_another_seed", "--seed 7", "was trained with another seed; give another --run-dir, or the same")
case.train("batch_larger_than_the_sample", "--set data.batch_size=5000 --run-dir new --strategy mirrored",
           "data.batch_size is 5000, there are 2", "training galaxies; lower it")  # fmt: skip
case.train("more_validation_galaxies_than_there_are", "--set data.n_validation=200 --run-dir new",
           "data.n_validation is 200, but fold 1, from which it is taken, has", "lower it")  # fmt: skip
case.train("redshifts_beyond_the_grid", "--set redshift.z_max=0.2 --run-dir new --strategy mirrored",
           "galaxies have z_spec outside [0.0, 0.2]", "cut the sample or widen the grid")  # fmt: skip
case.train("more_folds_than_there_are", "--cv 6", "--cv is 6", "has 5 folds: give 1 to 5")
case.train("nine_folds", "--cv 9", "--cv is 9", "has 5 folds: give 1 to 5")
case.train("no_fold", "--cv 0", "'--cv': 0 is not in the range x>=1", "see `main train --help`")
case.train("no_network", "--ensemble 0", "'--ensemble': 0 is not in the range x>=1", "see `main train --help`")
case.train("unknown_option", "--epochs 3", "No such option", "see `main train --help`")
case.train("no_config", "--run-dir new photoz_sdss2.yaml", "photoz_sdss2.yaml: no such config; the package comes with")
case.command("no_galaxies", "train --data-dir data --set simulation.n_galaxies=0", "'simulation.n_galaxies' must be")
case.command("no_dataset_for_the_papers_protocol", "train photoz_sdss.yaml --data-dir nowhere",
             "nowhere: no prepared dataset found; make one with `photoz build STACKS --data-dir nowhere`")  # fmt: skip


# Runs and datasets

MODEL, DATASET = "fold_1/member_0/model.keras", replace_text('fold": [\n  ', 'fold": [\n  1')
NETWORK = (f"{MODEL}: cannot be read as a network", "remove it and run the same `train` again")
RESTORE = (": not JSON, or truncated", "restore the file, or train another run")
HISTORY = "fold_0/member_0/history.csv"
case.run("damaged_network", "predict", MODEL, cut_short, *NETWORK)
case.run("emptied_network", "predict", MODEL, emptied, *NETWORK)
case.run("bit_flipped_network", "predict", MODEL, flipped(b"vars", 1000, bit=2), *NETWORK)
case.run("damaged_network_at_export", "export --fold 1 --out m", MODEL, cut_short, *NETWORK)
case.run("export_of_an_unfinished_fold", "export --fold 1 --out m", MODEL, os.unlink, "fold 1 has 1 finished network")
case.run("unfinished_run", "predict", MODEL, os.unlink, "(fold_0 2, fold_1 1); finish the training")
case.run("run_without_a_finished_network", "report", "",
         lambda run: [path.unlink() for path in run.rglob("model.keras")],
         "run: no network of this run is finished; run the same `photoz train` again")  # fmt: skip
for words in ("train", "predict", "report", "export --out m"):
    case.run(f"truncated_description_at_{words.split()[0]}", words, "dataset.json", cut_short, "dataset.json", *RESTORE)
case.run("emptied_description", "baseline", "dataset.json", emptied, "run/dataset.json", *RESTORE)
case.run("bit_flipped_in_the_config_of_a_run", "predict", "config.yaml", flipped(b"n_bins", 2),
         "run/config.yaml: unknown key 'redshift.n_cins'. Did you mean 'redshift.n_bins'?")  # fmt: skip
case.run("truncated_sessions", "train", "sessions.json", cut_short, "run/sessions.json", *RESTORE)
case.run("trained_on_another_dataset", "train", "dataset.json", DATASET, "was trained on [1", "give another --run-dir")
case.run("predict_from_another_dataset", "predict", "dataset.json", DATASET, "build the run's dataset again")
case.run("predict_without_the_dataset", "predict --data-dir nowhere", "", untouched, "nowhere: no prepared dataset")
case.run("report_of_truncated_predictions", "report", "predictions.fits", cut_short, "not a predictions table")
case.run("report_of_a_truncated_history", "report", HISTORY, lambda path: cut_short(path, 0.8), "history.csv: not a")
case.run("report_without_a_history", "report", HISTORY, os.unlink, "history.csv: missing", "remove", "photoz train")
case.run("report_with_truncated_environment", "report", "environment.json", cut_short, "run/environment.json", *RESTORE)
case.run("report_with_stacks_of_no_dataset", "report --data-dir nowhere", "", untouched, "no prepared dataset")
case.run("broken_scores", "export --out m", "scores.json", lambda path: path.write_text('{"data": '),
         "scores.json: not a file of scores", "evaluate again")  # fmt: skip
case.run("export_twice", "export", "", untouched, "run/export: exists; remove it or give another --out")
case.command("export_of_a_fold_not_trained", "export {run} --fold 3 --out model",
             "fold 3 has no finished network; finished are folds [0, 1]")  # fmt: skip
for words in ("predict", "baseline", "export", "report"):
    case.command(f"{words}_without_a_run", f"{words} nowhere",
                 "nowhere: not a run folder (config.yaml is missing); create one with")  # fmt: skip


@case("empty: not a run folder", "create one with `photoz train`")
def evaluate_of_an_empty_folder(place):
    Path("empty").mkdir()
    return "evaluate", "empty"


FOLD_0, FOLD_2, REBUILD = "*fold_0.tfrecord*", "*fold_2.tfrecord*", "build the dataset again with --overwrite"
DAMAGED = ("not a dataset, or a damaged one", "build it again with --overwrite")
case.dataset("truncated_dataset", "predict", FOLD_0, cut_short, "data/sdss_ugriz", "TensorFlow: ", REBUILD)
case.dataset("bit_flipped_in_a_dataset", "predict", FOLD_0, flipped(offset=500_000), "sdss_ugriz", REBUILD)
case.dataset("bit_flipped_in_a_training_set", "train", FOLD_2, flipped(offset=500_000), "corrupted", REBUILD)
case.dataset("fold_missing_in_a_dataset", "predict", FOLD_0, os.unlink, "fold_0", REBUILD)
case.dataset("truncated_description_of_a_dataset", "predict", "dataset_info.json", cut_short, *DAMAGED)
case.dataset("emptied_features_of_a_dataset", "train", "features.json", emptied, *DAMAGED)


# Predictions


def changed(name, change, *expected, against=False):
    """A case of a table of predictions that `change` returns, alone or as another method's."""

    def make(place):
        path = place.predictions()
        table, _ = read_predictions(path)
        write_predictions(change(table), path)
        return ("evaluate", place.run, "--against", path, "--out", "scores.json") if against else ("evaluate", path)

    case.add(name, make, *expected)


def with_values(row=slice(None), **columns):
    """A change of columns in some rows, and of facts in the header."""

    def change(table):
        for name, value in columns.items():
            if name in table.meta:
                table.meta[name] = value
            else:
                table[name][row] = value(table[name][row]) if callable(value) else value
        return table

    return change


NO_TABLE = ("predictions.fits: not a predictions table, or truncated", "predict again")
case.predictions("truncated_predictions", cut_short, *NO_TABLE)
case.predictions("emptied_predictions", emptied, *NO_TABLE)
case.predictions("bit_flipped_in_their_grid", flipped(b"N_BINS  ", 29), "the grid in its header needs", "predict again")
changed("sign_bit_flipped_in_a_pdf", with_values(3, pdf=np.negative), "PDFs are negative somewhere", "predict again")
case.predictions("wrong_grid_of_predictions", lambda path: fits.setval(path, "N_BINS", value=90, ext=1), "shape")
case.predictions("predictions_without_an_origin", lambda path: fits.delval(path, "ORIGIN", ext=1), "lacks origin")
changed("predictions_without_z_spec", lambda table: table[[name for name in table.colnames if name != "z_spec"]],
        "no column z_spec to be scored with")  # fmt: skip
changed("only_flagged_predictions", with_values(flag=1), "no galaxy to score: of", "are flagged")
changed("nan_in_a_pdf_that_is_not_flagged", with_values(3, pdf=np.nan), "do not sum to one", "predict again")
changed("comparison_of_different_galaxies", with_values(obj_id=np.invert, model="other"),
        "no good galaxy in common; were they made from one catalogue?", against=True)  # fmt: skip
changed("comparison_with_other_redshifts", with_values(3, z_spec=0.3, model="other"),
        "z_spec of 1 galaxies differs from the first method's", "predict from one catalogue", against=True)  # fmt: skip
changed("comparison_of_simulated_and_real", with_values(origin="stacked", model="other"),
        "simulated and real galaxies cannot be compared", against=True)  # fmt: skip
changed("comparison_with_a_galaxy_twice", lambda table: table[[0, *range(len(table))]], "occurs 2 times", against=True)
case.command("no_predictions", "evaluate {run} --against missing.fits --out scores.json",
             "missing.fits: no such file; `photoz predict` writes it")  # fmt: skip
case.command("comparison_with_itself", "evaluate {run} --against {run}/predictions.fits --out scores.json",
             "a comparison needs two methods or more")  # fmt: skip
case.command("shard_for_predictions", "evaluate {stacks}/stacks-00000.fits", "not a predictions table", "predict again")
case.command("text_for_predictions", f"evaluate {GALAXIES}", "galaxies.csv: predictions are written as .fits, .parq")


# Exported models and what they are given


def of_another_program(path):
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(path.parent))


for name, (damage, *expected) in SHARD_DAMAGE.items():
    case.add(f"{name}_at_infer", lambda place, damage=damage: (
        "infer", place.model, "--stacks", place.shard(damage=damage).parent), *expected)  # fmt: skip
FACTS, WEIGHTS, NO_MODEL = "estimator.json", "variables/*.data-*", "model: not a SavedModel, or truncated"
case.model("damaged_estimator", FACTS, cut_short, "estimator.json: not JSON, or truncated")
case.model("estimator_without_a_survey", FACTS, replace_text('"survey"', '"surveys"'), "no key 'survey'")
case.model("estimator_of_another_survey", FACTS, replace_text('"survey": "sdss"', '"survey": "des"'), "survey is des")
case.model("estimator_with_another_grid", FACTS, replace_text('"n_bins": 180', '"n_bins": 90'), "says 90", "gives 180")
case.model("damaged_saved_model", WEIGHTS, cut_short, NO_MODEL)
case.model("bit_flipped_in_a_saved_model", WEIGHTS, flipped(offset=9000), NO_MODEL)
case.model("graph_of_zero_size", "saved_model.pb", emptied)
case.model("graph_missing", "saved_model.pb", os.unlink, NO_MODEL)
case.model("saved_model_of_another_program", "saved_model.pb", of_another_program, "has no function `serve`")
case.command("infer_with_a_run_instead_of_its_export", "infer {run} --stacks {stacks}", "not an exported model")
case.command("infer_without_a_model", "infer nowhere --stacks {stacks}", "nowhere: not an exported model")
case.command("infer_of_nothing", "infer {model}", "give SOURCE, or --catalog and --frames", "see `main infer --help`")
case.command("infer_without_frames", f"infer {{model}} --catalog {GALAXIES}", "give SOURCE, or --catalog and --fra")
case.command("figure_of_unknown_suffix", "infer {model} --stacks {stacks} --figure table.jpeg",
             "table.jpeg: --figure must end in .png or .pdf")  # fmt: skip


@case("galaxies.csv: column ra is missing", "add it, or rename")
def catalog_without_ra_at_infer(place):
    return "infer", place.model, "--catalog", place.catalog(ra=None), "--frames", FRAMES


def frames_without(name, bands, *expected):
    def make(place):
        for path in place.frames().iterdir():
            if path.name.split("-")[1] in bands:
                path.unlink()
        return "infer", place.model, "--catalog", GALAXIES, "--frames", "frames"

    case.add(name, make, *expected, "give frames of all bands u, g, r, i, z")


frames_without("missing_band_at_infer", "z", "missing band z")
frames_without("frames_of_one_band_at_infer", "ugiz", "missing band u", "2 frames of other bands")

# Outputs: refused before the work that they are to hold

for name, words in (
    ("train", "train --data-dir {data} --run-dir"), ("export", "export {run} --out"),
    ("scores", "evaluate {run} --out"), ("report", "report {run} --out"),
):  # fmt: skip
    case.add(f"{name}_to_an_unwritable_folder", lambda place, words=words: (
        *words.format(**vars(place)).split(), place.in_the_way()), "file/out", "Not a directory")  # fmt: skip


@pytest.mark.parametrize("words", ["predict {run}", "baseline {run}", "infer {model} --stacks {stacks}"], ids=str.split)
@pytest.mark.parametrize(
    "out, message",
    [
        ("table.txt", "table.txt: --out must end in .fits or .parquet"),
        ("no/where/table.fits", "no/where/table.fits: folder no/where does not exist; create it or give another --out"),
        ("folder.fits", "folder.fits: is a folder; give the name of a file as --out"),
    ],
)
def test_table_that_could_not_be_written_is_refused_first(place, words, out, message, monkeypatch):
    Path("folder.fits").mkdir()
    for module in (prediction, evaluation):
        monkeypatch.setattr(module, "quiet_tensorflow", lambda: pytest.fail("the work was begun"))
    check_error(place, [*words.format(**vars(place)).split(), "--out", out], [message])


@pytest.mark.parametrize("make, expected", case.rows)
def test_error_is_one_line_with_the_remedy_and_nothing_is_lost(place, make, expected):
    check_error(place, make(place), expected)


def test_swarp_not_installed(place, monkeypatch):
    arguments = ("infer", place.model, "--catalog", GALAXIES, "--frames", FRAMES, "--engine", "swarp")
    monkeypatch.setenv("PATH", str(place.folder))
    check_error(place, arguments, ["SWarp is not installed", "apt-get install swarp", "conda-forge astromatic-swarp"])


FULL_DISK = {
    "predict": (32, "predict {run} --out disk/p.fits", "disk/p.fits"),
    "baseline": (32, "baseline {run} --method knn --out disk/p.parquet", "disk/p.parquet"),
    "evaluate": (0, "evaluate {run} --out disk/scores.json", "disk/scores.json"),
    "report": (200, "report {run} --out disk/report", "disk/report/"),
    "export": (200, "export {run} --out disk/export", "disk/export"),
    "infer": (32, "infer {model} --stacks {stacks} --out disk/p.fits", "disk/p.fits"),
    "train": (1000, "train --run-dir disk/run --data-dir {data} --ensemble 1 --cv 1 --strategy mirrored", "disk/run/"),
}


@pytest.mark.parametrize("free_kib, words, expected", FULL_DISK.values(), ids=FULL_DISK)
def test_full_disk_is_named_and_with_room_the_same_command_resumes(place, free_kib, words, expected):
    more = SETTINGS if words.startswith("train") else []
    check_full_disk(place, free_kib, [*words.format(**vars(place)).split(), *more], [expected])


def test_interrupted_training_says_so_and_the_same_command_resumes(place):
    """Ctrl-C reaches every process of the terminal, the workers too."""
    script = [sys.executable, "-c", "from photoz_morph.cli.photoz import main; main()"]
    settings = [word for setting in (*TINY, "train.epochs=6") for word in ("--set", setting)]
    command = ["train", "--run-dir", "run", "--data-dir", str(place.data), "--ensemble", "1", "--cv", "1", *settings]
    pipe = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}

    def listen_to_interrupts():  # a test suite in the background of a shell ignores them, and so would its children
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen([*script, *command, "--quiet"], preexec_fn=listen_to_interrupts, **pipe)
    while not list(Path("run").glob("fold_*/*/checkpoint.keras")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "Interrupted. Finished work is kept; run the same command again to resume.\n"
    member = Path("run/fold_0/member_0")
    before = read_history(member)
    assert before and not (member / "model.keras").exists()
    check_success(command)
    after = read_history(member)
    kept = before[:-1]  # an epoch whose checkpoint was not written yet is run again
    assert len(after) == 6 and after[: len(kept)] == kept


def test_training_that_failed_at_once_can_be_corrected(place):
    """The first command made the run folder; the corrected one must not be refused for being another config."""
    settings = f"train --run-dir new --data-dir {place.data} --ensemble 1 --cv 1 --strategy mirrored".split()
    check_error(place, (*settings, *SETTINGS, "--set", "data.batch_size=5000"), ["lower it"])
    assert "1 networks trained" in check_success((*settings, *SETTINGS)).stdout


def test_two_runs_of_one_network_can_be_compared(place):
    path = place.predictions()
    check_success(("evaluate", place.run, "--against", path, "--out", "scores.json"))
    assert set(read_json("scores.json")["comparison"]["methods"]) == {str(place.run / "predictions.fits"), str(path)}


def test_report_of_a_run_whose_dataset_is_gone_says_so_and_has_the_rest(place):
    run = place.copy_of_run()
    replace_text(str(place.data.resolve()), "/nowhere")(run / "dataset.json")
    check_success(("report", run))
    page = (run / "report" / "report.html").read_text()
    assert "the dataset is missing in /nowhere" in page and page.count("<img") >= 6


def test_run_that_another_process_trains_is_refused(place):
    with locked(place.copy_of_run()):
        check_error(place, place.train("--run-dir", "run"), ["run: process ", "is writing there; wait"])
