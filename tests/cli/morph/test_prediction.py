"""The command `morph infer`: what it prints and writes, and what it refuses."""

import h5py
import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.morph.exported_model import ExportedMorphModel, infer_mocks
from tests.support.exports import toy_export, toy_mocks
from tests.support.samples import shape_mocks


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder with an exported model and two shards of mocks."""
    folder = tmp_path_factory.mktemp("place")
    toy_export(folder / "model")
    (folder / "mocks").mkdir()
    toy_mocks(folder / "mocks", (3, 2))
    return folder


def morph(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("out", ["c.fits", "c.parquet"])
def test_classes_of_all_stamps_are_counted_and_written(place, tmp_path, out):
    result = morph("infer", place / "model", place / "mocks", "--years", 1, "--out", tmp_path / out)
    assert result.exit_code == 0, result.output
    expected = infer_mocks(ExportedMorphModel(place / "model"), sorted((place / "mocks").iterdir()), 1, progress=False)
    table = Table.read(tmp_path / out)
    assert list(table["obj_id"]) == list(expected["obj_id"])
    assert [str(name).strip() for name in table["class"]] == list(expected["class"])
    assert f"5 galaxies in {tmp_path / out}: " in result.stdout
    for name in ("spiral", "elliptical", "merger"):
        assert f"{(expected['class'] == name).sum()} {name}" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == [out]


def test_fragility_and_parts_on_the_command_line(place, tmp_path):
    words = ("infer", place / "model", place / "mocks", "--fragility", "--max-queries", 8, "--out", tmp_path / "c.fits")
    first = morph(*words, "--part", "1/2")
    assert "--part 1/2 is finished, 1 partitions of other parts are not" in first.stdout
    last = morph(*words, "--part", "2/2")
    table = Table.read(tmp_path / "c.fits")
    assert f"One pixel changes the class of {table['fragile'].sum()} of them" in last.stdout
    assert len(table) == 5 and (table["fragile_queries"] > 0).all() and table.meta["BUDGET"] == 8


def test_a_search_without_fragility_and_nothing_to_classify_are_one_line(place, tmp_path):
    result = morph("infer", place / "model", place / "mocks", "--max-queries", 8, "--out", tmp_path / "c.fits")
    assert result.exit_code == 2 and "--max-queries needs --fragility" in result.stderr
    (tmp_path / "empty").mkdir()
    result = morph("infer", place / "model", tmp_path / "empty", "--out", tmp_path / "c.fits", "--quiet")
    assert result.exit_code == 1 and "no mocks-*.fits in it; create them with `morph mock`" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_names_that_were_understood_are_one_line_unless_quiet(place, tmp_path, recwarn):
    toy_export(tmp_path / "model", mocks={})
    with h5py.File(tmp_path / "stamps.hdf5", "w") as file:
        file["image"], file["TARGETID"] = shape_mocks(2)[0][10].astype(np.float32), [5, 6]
    for quiet in ((), ("--quiet",)):
        words = (tmp_path / "model", tmp_path / "stamps.hdf5", "--out", tmp_path / "c.fits")
        result = morph("infer", *words, *quiet)
        assert result.exit_code == 0, result.output
        assert ("stamps.hdf5: TARGETID is taken for obj_id" in result.stderr) == (not quiet)
    assert not [warning for warning in recwarn if "TARGETID" in str(warning.message)]
