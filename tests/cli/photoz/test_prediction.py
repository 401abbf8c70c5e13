"""The command `photoz infer`: what is refused before the first stack, and what is kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from photoz_morph.cli.photoz import prediction
from photoz_morph.photoz import catalog_source, infer, predictions
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.streaming import working_folder
from photoz_morph.surveys import SDSS
from tests.support.broken_input import run_command
from tests.support.exports import toy_photoz_export
from tests.support.paths import DATA
from tests.support.samples import colour_stacks
from tests.support.sources import sdss_arrays
from tests.system.test_locks import owner


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_photoz_export(tmp_path_factory.mktemp("toy") / "export")


@pytest.mark.parametrize(
    ("column", "out", "message"),
    [
        ("z_phot", "p.fits", "catalogue column z_phot would be overwritten by the predictions; rename it"),
        ("PDF", "p.parquet", "catalogue column PDF would be overwritten by the predictions; rename it"),
        ("redshift", "p.hdf5", "catalogue column redshift has a name that RAIL uses for its own; rename it"),
        ("id", "p.hdf5", "catalogue column id has a name that RAIL uses for its own; rename it"),
        ("z_mean", "p.hdf5", "catalogue column z_mean has a name that RAIL uses for its own; rename it"),
    ],
)
@pytest.mark.parametrize("command", ["infer", "baseline"])
def test_a_column_that_the_output_cannot_hold_is_refused_before_the_work(
    tmp_path, monkeypatch, command, column, out, message
):
    galaxies = Table.read(DATA / "galaxies.csv")
    galaxies[column] = 0.5
    for band in "ugriz":
        galaxies[f"mag_{band}"] = 17.0
    galaxies.write(tmp_path / "mine.csv")
    monkeypatch.setattr(prediction, "quiet_tensorflow", lambda: pytest.fail("the work was begun"))
    monkeypatch.setattr(
        "photoz_morph.photoz.baselines.photometry.cross_validate", lambda *_: pytest.fail("the work was begun")
    )
    words = {
        "infer": ("infer", "nowhere", "--catalog", tmp_path / "mine.csv", "--frames", DATA / "frames"),
        "baseline": ("baseline", tmp_path / "mine.csv", "--method", "knn"),
    }[command]
    result, _ = run_command([*words, "--out", tmp_path / out])
    assert result.exit_code == 1 and "\n" not in result.stderr.strip()
    if (command, column) == ("baseline", "z_phot"):  # it has words of its own for these
        message = "column z_phot would be overwritten"
    assert message in result.stderr and "mine.csv: " in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize("out", ["p.fits", "p.parquet", "p.hdf5", "p.hats"])
def test_columns_of_a_usual_catalogue_pass_the_rehearsal_and_nothing_is_left(tmp_path, out):
    if out.endswith("hats"):
        pytest.importorskip("hats")
    galaxies = {"obj_id": [1, 2], "ra": [10.0, 20.0], "dec": [1.0, 2.0], "z_spec": [0.1, np.nan], "name": ["a", "b"]}
    predictions.rehearse_predictions(galaxies, tmp_path / out)
    assert not list(tmp_path.iterdir())


def test_parts_outlive_a_failed_infer_and_are_used_by_the_next(tmp_path, model, monkeypatch):
    made = []

    def iter_stacks(catalog, *arguments, **options):
        made.append(len(catalog))
        return one(catalog, *arguments, **options)

    def write(*_):
        raise OSError("No space left on device")

    one = catalog_source.iter_stacks
    monkeypatch.setattr(catalog_source, "iter_stacks", iter_stacks)
    words = ("infer", model, "--catalog", DATA / "galaxies.csv", "--frames", DATA / "frames")
    words = (*words, "--out", tmp_path / "p.fits")
    with monkeypatch.context() as patch:
        patch.setattr(infer, "write_predictions_parts", write)
        result, _ = run_command(words)
    assert "No space left" in result.stderr and made == [2]
    assert sorted(path.name for path in (tmp_path / "p.fits.parts").iterdir()) == [
        "settings.json", "stacks-00000.parquet",
    ]  # fmt: skip
    assert run_command([*words, "--figure", tmp_path / "p.png"])[0].exit_code == 0
    assert made == [2, 2]  # the second time for the figure only
    table, _ = read_predictions(tmp_path / "p.fits")
    np.testing.assert_allclose(table["z_phot"], 0.15)
    assert table.meta["origin"] == "stacked"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.fits", "p.png"]


def test_parts_of_another_swarp_are_refused(tmp_path, model):
    words = ["infer", model, "--catalog", DATA / "galaxies.csv", "--frames", DATA / "frames", "--out"]
    for version in ("2.38.0", "2.41.5"):
        program = tmp_path / f"swarp{version}"
        program.write_text(f"#!/bin/sh\necho SWarp version {version}\n")
        program.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalog_source.CatalogSource, "iter_stacks", lambda *_: iter([]))
            patch.setattr(working_folder.WorkingFolder, "remove", lambda *_: None)
            result, _ = run_command([*words, tmp_path / "p.fits", "--swarp", program])
    assert "parts were computed with swarp 2.38.0 (this run has 2.41.5)" in result.stderr


def test_a_frame_that_spoils_galaxies_is_named_by_infer_as_by_stack(tmp_path, model):
    frames = Path(shutil.copytree(DATA / "frames", tmp_path / "frames"))
    bad = sorted(frames.glob("frame-r-*"))[0]
    bad.write_bytes(bad.read_bytes()[:20_000])
    (frames / "notes.txt").touch()
    galaxies = ("--catalog", DATA / "galaxies.csv", "--frames", frames)
    result, warned = run_command(["infer", model, *galaxies, "--out", tmp_path / "p.fits"], quiet=False)
    assert result.exit_code == 0 and not warned
    assert f"{bad}: truncated or damaged frame (" in result.stderr and "galaxies are flagged" in result.stderr
    assert f"{frames}: 1 files are not frames of sdss, ignored" in result.stderr


def test_a_second_infer_of_the_same_output_is_told_of_the_first(tmp_path, model):
    words = ("infer", model, "--catalog", DATA / "galaxies.csv", "--frames", DATA / "frames", "--out")
    first = owner(tmp_path / "p.fits", is_folder=False)
    try:
        result, _ = run_command([*words, tmp_path / "p.fits"])
        assert f"p.fits: process {first.pid} on " in result.stderr and not (tmp_path / "p.fits.parts").exists()
        assert run_command([*words, tmp_path / "q.fits"])[0].exit_code == 0
    finally:
        first.kill()
        first.wait()


@pytest.fixture
def stacks(tmp_path):
    """Folder of two shards of three galaxies."""
    folder = tmp_path / "stacks"
    folder.mkdir()
    for index in range(2):
        images, table = colour_stacks(3, first_id=3 * index)
        write_shard(shard_path(folder, index), images, table, SDSS, "simulated")
    return folder


@pytest.mark.parametrize("out", ["p.fits", "p.parquet", "p.hdf5", "p.hats"])
def test_a_source_is_an_argument_and_its_reddening_a_catalogues(tmp_path, model, stacks, out):
    if out.endswith("hats"):
        pytest.importorskip("hats")
    Table({"obj_id": [4, 77], "ebv": [0.625, 0.5]}).write(tmp_path / "ebv.csv")
    result, warned = run_command(["infer", model, stacks, "--catalog", tmp_path / "ebv.csv", "--out", tmp_path / out])
    assert result.exit_code == 0 and not warned, result.output
    table, _ = read_predictions(tmp_path / out)
    assert list(table["obj_id"]) == list(range(6)) and table["ebv"][4] == 0.625
    assert list(table["ebv_source"]) == ["given"] * 4 + ["catalogue", "given"]
    assert not (tmp_path / f"{out}.parts").exists()


def test_a_hats_catalogue_of_images_becomes_one_of_pdfs(tmp_path, model):
    pytest.importorskip("hats")
    images, table = colour_stacks(4)
    lists = np.moveaxis(images, -1, 1).tolist()
    columns = {name: np.asarray(table[name]) for name in ("obj_id", "ra", "dec", "ebv")}
    file = tmp_path / "cutouts" / "dataset" / "Norder=0" / "Dir=0" / "Npix=0.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"_healpix_29": [1, 2, 3, 4], **columns, "image": lists}), file)
    result, _ = run_command(["infer", model, tmp_path / "cutouts", "--out", tmp_path / "p.hats"])
    assert result.exit_code == 0, result.output
    found, _ = read_predictions(tmp_path / "p.hats")
    assert list(found["obj_id"]) == list(table["obj_id"]) and not found["flag"].any()
    assert found.meta["origin"] == "stacked" and list(found["ebv_source"]) == ["given"] * 4  # not by a --catalog


def test_names_that_were_understood_are_one_line_unless_quiet(tmp_path, model):
    images, labels, _ = sdss_arrays(2)
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    for quiet in (False, True):
        words = ["infer", model, tmp_path / "sdss.npz", "--out", tmp_path / "p.fits"]
        result, warned = run_command(words, quiet=quiet)
        assert result.exit_code == 0 and not warned
        assert (f"{tmp_path / 'sdss.npz'}: specObjID is taken for obj_id; " in result.stderr) == (not quiet)


def test_images_that_do_not_say_so_are_real_unless_called_simulated(tmp_path, model):
    images, labels, _ = sdss_arrays(2)
    np.savez(tmp_path / "sdss.npz", cube=images, labels=labels)
    words = ["infer", model, tmp_path / "sdss.npz", "--out", tmp_path / "p.fits"]
    for more, origin in (([], "stacked"), (["--simulated"], "simulated")):
        assert run_command([*words, *more])[0].exit_code == 0
        assert read_predictions(tmp_path / "p.fits")[0].meta["origin"] == origin
    assert f"{tmp_path}/sdss.csv: has no E(B-V)" in run_command([*words, "--catalog", _without_ebv(tmp_path)])[0].stderr


def _without_ebv(folder):
    Table({"obj_id": [1, 2]}).write(folder / "sdss.csv")
    return folder / "sdss.csv"


def test_z_of_a_catalogue_is_a_magnitude_by_the_bands_of_the_model(tmp_path, model, monkeypatch):
    galaxies = Table({"obj_id": [1], "ra": [10.0], "dec": [5.0], "g": [18.0], "r": [17.5], "z": [17.0]})
    galaxies.write(tmp_path / "mine.csv")
    other = shutil.copytree(model, tmp_path / "model")
    described = json.loads((other / "estimator.json").read_text()) | {"bands": ["g", "r", "z"]}
    (other / "estimator.json").write_text(json.dumps(described))
    read = []

    def stop():
        raise ValueError("far enough")

    monkeypatch.setattr(prediction, "quiet_tensorflow", stop)
    monkeypatch.setattr(predictions, "rehearse_predictions", lambda galaxies, *_: read.append(galaxies))
    for folder in (model, other, tmp_path / "nowhere"):
        words = ["infer", folder, "--catalog", tmp_path / "mine.csv", "--frames", DATA / "frames"]
        run_command([*words, "--out", tmp_path / "p.fits"])
    assert [float(table["z_spec"][0]) for table in read] == pytest.approx([17.0, np.nan, 17.0], nan_ok=True)


def test_parts_of_several_commands_are_joined_by_the_last(tmp_path, model, stacks):
    words = ("infer", model, "--stacks", stacks, "--out", tmp_path / "p.parquet", "--part")
    first, _ = run_command([*words, "2/2"], quiet=False)
    assert "--part 2/2 is finished, 1 partitions of other parts are not" in first.stdout
    assert not (tmp_path / "p.parquet").exists()
    last, _ = run_command([*words, "1/2"], quiet=False)
    assert f"6 galaxies in {tmp_path / 'p.parquet'}, 0 of them flagged" in last.stdout
    assert list(read_predictions(tmp_path / "p.parquet")[0]["obj_id"]) == list(range(6))
    again, _ = run_command([*words, "1/2"])
    assert "p.parquet: exists, and all its parts were joined; remove it" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--part", "3/2"], "--part is '3/2'; give I/N with I from 1 to N"),
        (["--part", "0/2"], "--part is '0/2'"),
        (["--part", "half"], "--part is 'half'"),
        (["--stacks", "elsewhere"], "give SOURCE or --stacks, not both"),
        (["--frames", "elsewhere"], "give SOURCE, or --catalog and --frames"),
        (["--combine", "median"], "--combine goes with --frames; the images of"),
        (["--engine", "swarp"], "--engine goes with --frames"),
        (["--swarp", "swarp"], "--swarp goes with --frames"),
        (["--processes", "2"], "--processes goes with --frames"),
    ],
)
def test_options_that_contradict_each_other_are_one_line(tmp_path, model, stacks, words, message):
    result, _ = run_command(["infer", model, stacks, "--out", tmp_path / "p.fits", *words])
    assert result.exit_code == 2 and message in result.stderr and "\n" not in result.stderr.strip()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stacks"]


@pytest.mark.parametrize(
    ("column", "out", "message"),
    [
        ("z_phot", "p.fits", "stacks: catalogue column z_phot would be overwritten"),
        ("redshift", "p.hdf5", "stacks: catalogue column redshift has a name that RAIL uses for its own"),
        ("toy_z_mean", "p.hats", "stacks: catalogue column toy_z_mean has a name of the HATS catalogue's own; rename"),
    ],
)
def test_a_source_that_the_output_cannot_hold_is_refused_before_the_work(tmp_path, model, stacks, column, out, message):
    images, table = colour_stacks(3, first_id=9)
    table[column] = 0.5
    write_shard(shard_path(stacks, 2), images, table, SDSS, "simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infer, "open_working_folder", lambda *_: pytest.fail("the work was begun"))
        result, _ = run_command(["infer", model, stacks, "--out", tmp_path / out])
    assert result.exit_code == 1 and message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["stacks"]


def test_a_name_that_begins_with_that_of_the_network_is_refused_in_hats(tmp_path, model):
    pytest.importorskip("hats")
    galaxies = Table.read(DATA / "galaxies.csv")
    galaxies["toy_z_mode"], galaxies["knn_z_mode"] = 0.1, 0.1
    galaxies.write(tmp_path / "mine.csv")
    words = ["infer", model, "--catalog", tmp_path / "mine.csv", "--frames", DATA / "frames", "--out"]
    result, _ = run_command([*words, tmp_path / "p.hats"])
    assert "mine.csv: catalogue column toy_z_mode has a name of the HATS catalogue's own; rename it" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
