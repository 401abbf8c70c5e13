"""What a user does wrong, or finds broken, and the one line that says so: nothing that is there is lost or changed."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner
from conftest import TINY, colour_stacks
from synthetic_frames import DATA, swarp_test

from photoz_morph.cli.photoz import main
from photoz_morph.estimator import export
from photoz_morph.inference import predict_run
from photoz_morph.predictions import read_predictions, write_predictions
from photoz_morph.shards import read_shard, shard_path, write_shard
from photoz_morph.surveys import SDSS

SETTINGS = [word for setting in TINY for word in ("--set", setting)]


@pytest.fixture(scope="session")
def finished(run_dir, tmp_path_factory):
    """The tiny run, with its predictions and its exported model."""
    write_predictions(predict_run(run_dir, progress=False), run_dir / "predictions.fits")
    export(run_dir, run_dir / "export")
    return run_dir


class Workplace:
    """A user's folder: what each case breaks is a copy."""

    def __init__(self, folder, run, data, stacks):
        self.folder, self.run, self.data, self.stacks = folder, run, data, stacks
        self.model = run / "export"

    def frames(self):
        """Copy of the real frames; returns the folder."""
        return shutil.copytree(DATA / "frames", self.folder / "frames")

    def catalog(self, **columns):
        """CSV catalogue of the two real galaxies, with columns replaced, or left out if None."""
        table = Table.read(DATA / "galaxies.csv")
        for name, values in columns.items():
            table.remove_column(name) if values is None else table.replace_column(name, values)
        table.write(self.folder / "galaxies.csv")
        return self.folder / "galaxies.csv"

    def shard(self, n_galaxies=4):
        """One shard of a few galaxies; returns its path, in a folder of its own."""
        path = shard_path(self.folder / "stacks", 0)
        path.parent.mkdir()
        images, table = colour_stacks(n_galaxies)
        write_shard(path, images, table, SDSS, "simulated")
        return path

    def copy_of_run(self):
        """Copy of the finished run that may be broken."""
        return shutil.copytree(self.run, self.folder / "run")

    def predictions(self):
        """Copy of its predictions."""
        return Path(shutil.copy(self.run / "predictions.fits", self.folder / "predictions.fits"))

    def train(self, *arguments):
        """The command that trained the run, with more arguments."""
        where = ("--run-dir", self.run, "--data-dir", self.data)
        return ("train", *where, "--ensemble", 2, "--cv", 2, *SETTINGS, *arguments)

    def contents(self):
        """Every file that could be harmed, and its bytes."""
        folders = (self.folder, self.run, self.data, self.stacks)
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(finished, data_dir, stacks_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path, finished, data_dir, stacks_dir)


CASES = []


def case(*expected, swarp=False):
    """Register a case: a function that breaks something and returns the command; its error has these parts."""

    def register(function):
        marks = swarp_test(function).pytestmark if swarp else ()
        CASES.append(pytest.param(function, expected, id=function.__name__, marks=marks))
        return function

    return register


def cut_short(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])


# Frames and catalogues


@case("missing band g", "frames (8 frames of other bands", "download the frames of all bands u, g, r, i, z", swarp=True)
def missing_band(place):
    for path in place.frames().glob("frame-g-*"):
        path.unlink()
    return "stack", DATA / "galaxies.csv", "frames"


@case("missing band z", "download the frames of all bands", swarp=True)
def missing_band_at_infer(place):
    for path in place.frames().glob("frame-z-*"):
        path.unlink()
    return "infer", place.model, "--catalog", DATA / "galaxies.csv", "--frames", "frames"


@case("frame-r-003918-3-0213.fits.gz: truncated or damaged frame", "download it again", swarp=True)
def truncated_frame(place):
    cut_short(place.frames() / "frame-r-003918-3-0213.fits.gz")
    return "stack", DATA / "galaxies.csv", "frames"


@case("frame-i-004510-4-0030.fits: no celestial TAN WCS (CTYPE is None, None)", "solve its astrometry", swarp=True)
def frame_without_wcs(place):
    packed = place.frames() / "frame-i-004510-4-0030.fits.gz"
    plain = packed.with_suffix("")
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    with fits.open(plain, mode="update") as hdus:
        del hdus[0].header["CTYPE1"], hdus[0].header["CTYPE2"]
    return "stack", DATA / "galaxies.csv", "frames"


@case("nowhere: no such folder; give the folder with the frame-*.fits files", swarp=True)
def no_frames_folder(place):
    return "stack", DATA / "galaxies.csv", "nowhere"


@case("galaxies.csv: no column ra (columns found: obj_id, dec, z_spec); add it or rename")
def catalog_without_ra(place):
    return "stack", place.catalog(ra=None), DATA / "frames"


@case("galaxies.csv: no column ra", "add it or rename")
def catalog_without_ra_at_infer(place):
    return "infer", place.model, "--catalog", place.catalog(ra=None), "--frames", DATA / "frames"


@case("galaxies.csv: obj_id 7 occurs 2 times", "keep one row per galaxy")
def duplicate_obj_id(place):
    return "stack", place.catalog(obj_id=[7, 7]), DATA / "frames"


@case("galaxies.csv: ra of obj_id 2 is 400.0", "must be in degrees, in [0, 360)")
def position_off_the_sky(place):
    return "stack", place.catalog(ra=[229.5, 400.0]), DATA / "frames"


@case("galaxies.txt: unknown suffix", ".csv, .parquet")
def catalog_of_unknown_suffix(place):
    return "stack", place.catalog().rename("galaxies.txt"), DATA / "frames"


@case("missing.fits: no such file; give a galaxy catalogue")
def no_catalog(place):
    return "stack", "missing.fits", DATA / "frames"


@case("swarp-2 is not installed; install it with `apt-get install swarp`")
def swarp_of_that_name_not_installed(place):
    return "stack", DATA / "galaxies.csv", DATA / "frames", "--swarp", "swarp-2"


# Stacks


def with_nan(place):
    path = place.shard()
    with fits.open(path, mode="update") as hdus:
        hdus["IMAGE"].data[2, 30, 30:33, 3] = np.nan
    return path.parent


@case("stacks-00000.fits: galaxy 2 has 3 pixels in band i that are not finite", "make its stack again or set its flag")
def nan_stack_at_build(place):
    return "build", with_nan(place), "--data-dir", "data"


@case("stacks-00000.fits: galaxy 2 has 3 pixels in band i that are not finite", "make its stack again or set its flag")
def nan_stack_at_infer(place):
    return "infer", place.model, "--stacks", with_nan(place)


@case("stacks-00000.fits: cannot be read as a shard of stacks", "make it again")
def truncated_shard_at_build(place):
    path = place.shard()
    cut_short(path)
    return "build", path.parent, "--data-dir", "data"


@case("stacks-00000.fits: cannot be read as a shard of stacks", "make it again")
def truncated_shard_at_infer(place):
    path = place.shard()
    cut_short(path)
    return "infer", place.model, "--stacks", path.parent


@case("stacks-00000.fits: image cube has shape (4, 32, 32, 5)", "need (4, 64, 64, 5)", "make them again")
def wrong_size_stack_at_infer(place):
    path = place.shard()
    with fits.open(path) as hdus:
        small = fits.ImageHDU(np.ascontiguousarray(hdus["IMAGE"].data[:, 16:48, 16:48]), name="IMAGE")
        fits.HDUList([hdus[0].copy(), small, hdus["CATALOG"].copy()]).writeto("small.fits")
    Path("small.fits").replace(path)
    return "infer", place.model, "--stacks", path.parent


@case("stacks-00000.fits: bands are g,u,r,i,z, sdss needs u,g,r,i,z in order")
def wrong_band_order(place):
    path = place.shard()
    fits.setval(path, "BANDS", value="g,u,r,i,z")
    return "build", path.parent, "--data-dir", "data"


@case("stacks: obj_id 3 is there twice; drop one of its rows")
def galaxy_in_two_shards(place):
    path = place.shard()
    images, table = colour_stacks(4, first_id=3)
    write_shard(shard_path(path.parent, 1), images, table, SDSS, "simulated")
    return "build", path.parent, "--data-dir", "data"


@case("stacks: simulated and stacked shards in one folder; keep them apart")
def simulated_and_real_stacks_in_one_folder(place):
    path = place.shard()
    images, table, _ = read_shard(path)
    write_shard(shard_path(path.parent, 1), images, table, SDSS, "stacked")
    return "infer", place.model, "--stacks", path.parent


@case("nowhere: no stacks-*.fits there; make them with `photoz simulate` or `photoz stack`")
def no_stacks(place):
    return "build", "nowhere", "--data-dir", "data"


@case("a dataset is there; use it, or replace it with --overwrite")
def dataset_is_there(place):
    return "build", place.stacks, "--data-dir", place.data


@case("stacks-00000.fits: SEED is 1, this sample has 2", "remove the folder or write to another one")
def simulation_with_another_seed_in_the_same_folder(place):
    CliRunner().invoke(main, ["simulate", "--n-galaxies", "1", "--quiet"], catch_exceptions=False)
    return "simulate", "--n-galaxies", 1, "--seed", 2


# Configs and training


@case("mine.yaml: unknown key 'train.epoch'. Did you mean 'train.epochs'?")
def unknown_config_key(place):
    Path("mine.yaml").write_text("train: {epoch: 3}\n")
    return "train", "mine.yaml", "--data-dir", place.data


@case("--set train.epoch=3: unknown key 'train.epoch'. Did you mean 'train.epochs'?")
def unknown_key_of_set(place):
    return place.train("--set", "train.epoch=3")


@case("--set train.epochs=[3", "not valid YAML")
def value_of_set_that_is_no_yaml(place):
    return place.train("--set", "train.epochs=[3")


@case("mine.yaml: not valid YAML", "line 1")
def config_that_is_no_yaml(place):
    Path("mine.yaml").write_text("train: {epochs: [3}\n")
    return "train", "mine.yaml", "--data-dir", place.data


@case("unknown survey 'des'; photoz_morph.surveys describes sdss")
def unknown_survey(place):
    return *place.train("--set", "survey=des"), "--run-dir", "new"


@case("'simulation.n_galaxies' must be positive, got 0")
def no_galaxies(place):
    return "train", "--data-dir", "data", "--set", "simulation.n_galaxies=0"


@case("photoz_sdss2.yaml: no such config; the package comes with photoz_sdss.yaml")
def no_config(place):
    return "train", "photoz_sdss2.yaml"


@case("unknown survey 'des'")
def unknown_survey_in_a_config_file(place):
    Path("mine.yaml").write_text("survey: des\ntrain: {epochs: 1}\n")
    return "summary", "mine.yaml"


@case("was trained with another train.epochs; give another --run-dir, or the same values")
def run_of_another_config(place):
    return place.train("--set", "train.epochs=5")


@case("data.batch_size is 5000, there are 2", "training galaxies; lower it")
def batch_larger_than_the_sample(place):
    return *place.train("--set", "data.batch_size=5000"), "--run-dir", "new"


@case("data.n_validation is 200, fold 1 it is taken from has", "lower it")
def more_validation_galaxies_than_there_are(place):
    return *place.train("--set", "data.n_validation=200"), "--run-dir", "new"


@case("--cv is 6", "has 5 folds: give 1 to 5")
def more_folds_than_there_are(place):
    return *place.train(), "--cv", 6


@case("nowhere: no prepared dataset there; make it with `photoz build STACKS --data-dir nowhere`")
def no_dataset_for_the_papers_protocol(place):
    return "train", "photoz_sdss.yaml", "--data-dir", "nowhere"


# Runs, predictions and exported models


@case("nowhere: no run there (no config.yaml); make one with `photoz train`")
def predict_without_a_run(place):
    return "predict", "nowhere"


@case("nowhere: no run there", "make one with `photoz train`")
def baseline_without_a_run(place):
    return "baseline", "nowhere", "--out", "knn.fits"


@case("nowhere: no run there", "make one with `photoz train`")
def export_without_a_run(place):
    return "export", "nowhere"


@case("empty: no run there", "make one with `photoz train`")
def evaluate_of_an_empty_folder(place):
    Path("empty").mkdir()
    return "evaluate", "empty"


@case("fold_1/member_0/model.keras: cannot be read", "remove it and run the same `photoz train` again")
def damaged_network(place):
    run = place.copy_of_run()
    cut_short(run / "fold_1/member_0/model.keras")
    return "predict", run


@case("folds have different numbers of finished members (fold_0 2, fold_1 1); finish the training")
def unfinished_run(place):
    run = place.copy_of_run()
    (run / "fold_1/member_1/model.keras").unlink()
    return "predict", run


@case("run/export: exists; remove it or give another --out")
def export_twice(place):
    return "export", place.copy_of_run()


@case("fold 3 has no finished network; finished are folds [0, 1]")
def export_of_a_fold_not_trained(place):
    return "export", place.run, "--fold", 3, "--out", "model"


@case("no exported model there (no estimator.json); make it with `photoz export`")
def infer_with_a_run_instead_of_its_export(place):
    return "infer", place.run, "--stacks", place.stacks


@case("TensorFlow: ", "truncated", "build the dataset again with --overwrite")
def truncated_dataset(place):
    data = Path(shutil.copytree(place.data, "data"))
    cut_short(next(data.glob("sdss_ugriz/*/*fold_0.tfrecord*")))
    return "predict", place.run, "--data-dir", data, "--out", "predictions.fits"


@case("estimator.json: ", "export the model again")
def damaged_estimator(place):
    model = shutil.copytree(place.model, "model")
    cut_short(Path(model) / "estimator.json")
    return "infer", model, "--stacks", place.stacks


@case("model: ", "export the model again")
def damaged_saved_model(place):
    model = shutil.copytree(place.model, "model")
    cut_short(next(Path(model, "variables").glob("*.data-*")))
    return "infer", model, "--stacks", place.stacks


@case("predictions.fits: not a predictions table, or truncated", "predict again")
def truncated_predictions(place):
    path = place.predictions()
    cut_short(path)
    return "evaluate", path


@case("missing.fits: no such file; `photoz predict` writes it")
def no_predictions(place):
    return "evaluate", place.run, "--against", "missing.fits", "--out", "scores.json"


@case("no column z_spec to be scored with")
def predictions_without_z_spec(place):
    path = place.predictions()
    table, _ = read_predictions(path)
    table.remove_column("z_spec")
    write_predictions(table, path)
    return "evaluate", path


@case("no good galaxy in common; were they made from one catalogue?")
def comparison_of_different_galaxies(place):
    path = place.predictions()
    table, _ = read_predictions(path)
    table["obj_id"] += 1_000_000
    table.meta["model"] = "other"
    write_predictions(table, path)
    return "evaluate", place.run, "--against", path, "--out", "scores.json"


# Outputs: refused before the work that they are to hold


@pytest.mark.parametrize(
    "arguments",
    [("predict", "{run}"), ("baseline", "{run}"), ("infer", "{run}/export", "--stacks", "{stacks}")],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize(
    "out, message",
    [
        ("table.txt", "table.txt: --out must end in .fits or .parquet"),
        ("no/where/table.fits", "no/where/table.fits: there is no folder no/where; make it or give another --out"),
    ],
)
def test_table_that_could_not_be_written_is_refused_first(place, arguments, out, message, monkeypatch):
    monkeypatch.setattr("photoz_morph.cli.photoz.quiet_tensorflow", lambda: pytest.fail("the work was begun"))
    arguments = [word.format(run=place.run, stacks=place.stacks) for word in arguments]
    check_error(place, [*arguments, "--out", out], [message])


@case("table.jpeg: --figure must end in .png or .pdf")
def figure_of_unknown_suffix(place):
    return "infer", place.model, "--stacks", place.stacks, "--figure", "table.jpeg"


def in_the_way(place):
    """A path that no one can write to, not even root: its parent is a file."""
    path = place.folder / "file"
    path.write_text("in the way")
    return path / "out"


@case("file/out: Not a directory")
def simulate_to_an_unwritable_folder(place):
    return "simulate", "--n-galaxies", 1, "--out", in_the_way(place)


@case("file/out: Not a directory", swarp=True)
def stack_to_an_unwritable_folder(place):
    return "stack", DATA / "galaxies.csv", DATA / "frames", "--out", in_the_way(place)


@case("file/out", "Not a directory")
def build_to_an_unwritable_folder(place):
    return "build", place.stacks, "--data-dir", in_the_way(place)


@case("file/out", "Not a directory")
def train_to_an_unwritable_folder(place):
    return *place.train(), "--run-dir", in_the_way(place)


@case("file/out", "Not a directory")
def export_to_an_unwritable_folder(place):
    return "export", place.run, "--out", in_the_way(place)


@case("file/out", "Not a directory")
def scores_to_an_unwritable_folder(place):
    return "evaluate", place.run, "--out", in_the_way(place)


def check_error(place, arguments, expected):
    """Run a command that must fail with one line that has all expected parts, and leave every file as it was."""
    before = place.contents()
    result = CliRunner().invoke(main, [str(word) for word in arguments] + ["--quiet"] * (arguments[0] != "summary"))
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: "), result.output
    for part in expected:
        assert part in lines[0]
    after = place.contents()
    assert {path: after.get(path) for path in before} == before
    assert not [path for path in set(after) - set(before) if ".part" in path.name]


@pytest.mark.parametrize("make, expected", CASES)
def test_error_is_one_line_with_the_remedy_and_nothing_is_lost(place, make, expected):
    check_error(place, make(place), expected)


def test_swarp_not_installed(place, monkeypatch):
    arguments = ("infer", place.model, "--catalog", DATA / "galaxies.csv", "--frames", DATA / "frames")
    monkeypatch.setenv("PATH", str(place.folder))
    check_error(place, arguments, ["SWarp is not installed", "apt-get install swarp", "conda-forge astromatic-swarp"])


@swarp_test
def test_galaxy_outside_every_frame_is_a_flagged_row(place):
    catalog = place.catalog(ra=[229.52556, 10.0])
    result = CliRunner().invoke(main, ["stack", str(catalog), str(DATA / "frames"), "--out", "stacks", "--quiet"])
    assert result.exit_code == 0
    images, table, _ = read_shard("stacks/stacks-00000.fits")
    assert table["flag"].tolist() == [0, 1] and np.isnan(images[1]).all()
    assert table["flag_reason"][1].startswith("no frame of band u covers it; no frame of band g covers it")


def test_training_that_failed_at_once_can_be_corrected(place):
    """The first command made the run folder; the corrected one must not be refused for being another config."""
    settings = ("train", "--run-dir", "new", "--data-dir", place.data, "--ensemble", 1, "--cv", 1, *SETTINGS)
    check_error(place, (*settings, "--set", "data.batch_size=5000"), ["lower it"])
    result = CliRunner().invoke(main, [str(word) for word in settings])
    assert result.exit_code == 0, result.output
    assert "1 networks trained" in result.stdout


def test_negative_number_is_a_usage_error():
    result = CliRunner().invoke(main, ["simulate", "--n-galaxies", "0"])
    assert result.exit_code == 2 and "0 is not in the range x>=1" in result.stderr
