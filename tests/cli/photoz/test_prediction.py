"""The command `photoz infer`: what is refused before the first stack, and what is kept."""

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.cli.photoz import prediction
from photoz_morph.photoz import infer, predictions
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.stacking import stack
from tests.support.broken_input import run_command
from tests.support.exports import toy_photoz_export
from tests.support.frames import swarp_test
from tests.support.paths import DATA
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
        "photoz_morph.photoz.baselines.local_linear.cross_validate", lambda *_: pytest.fail("the work was begun")
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


@swarp_test
def test_parts_outlive_a_failed_infer_and_are_used_by_the_next(tmp_path, model, monkeypatch):
    made = []

    def stack_part(part, *arguments):
        made.append(len(part))
        return _stack_part(part, *arguments)

    def write(*_):
        raise OSError("No space left on device")

    _stack_part = stack._stack_part
    monkeypatch.setattr(stack, "_stack_part", stack_part)
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


@swarp_test
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
