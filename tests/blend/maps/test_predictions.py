from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend.maps.predictions import (
    MapPredictions,
    answer_of,
    read_map_predictions,
    write_map_predictions,
)
from photoz_morph.system.tables import write_fits
from tests.support.maps import toy_predictions, toy_truth


@pytest.mark.parametrize("answer", ["maps", "field", "parameters"])
def test_predictions_come_back(answer, tmp_path):
    found = toy_predictions(toy_truth(answer))
    path = tmp_path / "predictions.fits"
    write_map_predictions(found, path)
    back = read_map_predictions(path)
    assert back.answer == answer == answer_of(path)
    assert back.table.meta == found.table.meta and back.table.colnames == found.table.colnames
    if answer == "parameters":
        assert back.maps is None
        np.testing.assert_allclose(back.posterior, found.posterior)
    else:
        np.testing.assert_array_equal(back.maps, found.maps)


def test_files_of_another_kind_have_no_answer_and_are_refused(tmp_path):
    write_fits(Table({"obj_id": [1]}), tmp_path / "other.fits")
    assert answer_of(tmp_path / "other.fits") is None
    with pytest.raises(ValueError, match="other.fits: .*predict again"):
        read_map_predictions(tmp_path / "other.fits")
    with pytest.raises(FileNotFoundError, match="nowhere.fits: no such file"):
        read_map_predictions(tmp_path / "nowhere.fits")


def test_predictions_that_contradict_themselves_are_refused(tmp_path):
    found = toy_predictions(toy_truth("maps"))
    with pytest.raises(ValueError, match=r"predictions are written as .fits, not '.txt'"):
        write_map_predictions(found, tmp_path / "a.txt")
    for maps in (found.maps[:3], found.maps[..., :2], None):
        with pytest.raises(ValueError, match="a.fits: maps have shape .*, 12 images need 4 maps each; predict again"):
            write_map_predictions(replace(found, maps=maps), tmp_path / "a.fits")
    table = toy_predictions(toy_truth("parameters")).table
    table["sigma"][3, 1] = 0
    with pytest.raises(ValueError, match="a.fits: 1 parameters have no finite mean and error"):
        write_map_predictions(MapPredictions(table), tmp_path / "a.fits")
    del table.meta["split"]
    with pytest.raises(ValueError, match="a.fits: no predictions of maps or parameters, it lacks split"):
        write_map_predictions(MapPredictions(table), tmp_path / "a.fits")
    assert not list(tmp_path.iterdir())
