from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.morph.robustness.fragility import flag_fragile, fragile_columns, pixel_range

CLASSES = ("spiral", "merger")
LOW, HIGH = np.full(3, -20.0), np.full(3, 20.0)


def model_of(logit):
    """An exported model of two classes whose second has the log odds `logit(stamps)`; probabilities are float32."""
    def predict(stamps, years):
        odds = logit(np.asarray(stamps, float))
        return {"probability": np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1).astype(np.float32)}

    return SimpleNamespace(classes=CLASSES, predict=predict)


def one_weak_pixel(stamps):
    """A merger where band 0 of pixel (2, 5) is above 10; dark in band 2 all over, nothing helps."""
    return stamps[:, 2, 5, 0] - 10 + 0.1 * stamps[..., 2].sum(axis=(1, 2))


def stamps_of(n, side=8):
    """Stamps of zeros, every third with -20 in band 2."""
    stamps = np.zeros((n, side, side, 3), np.float32)
    stamps[::3, ..., 2] = -20
    return stamps


def test_the_one_pixel_that_changes_the_class_is_found_and_no_other():
    # All corners of all pixels are 8 x 64 = 512 queries, and a flip is confirmed by one more.
    found = fragile_columns(model_of(one_weak_pixel), stamps_of(6), range(6), 10, LOW, HIGH, 600)
    fragile = np.arange(6) % 3 != 0
    np.testing.assert_array_equal(found["fragile"], fragile)
    np.testing.assert_array_equal(found["fragile_row"], np.where(fragile, 2, -1))
    np.testing.assert_array_equal(found["fragile_column"], np.where(fragile, 5, -1))
    np.testing.assert_array_equal(found["fragile_class"], np.where(fragile, "merger", ""))
    assert np.all(found["fragile_queries"] <= 513) and np.all(found["fragile_queries"][~fragile] == 512)


def test_bounds_that_do_not_reach_the_threshold_leave_the_class():
    model = model_of(one_weak_pixel)
    assert not fragile_columns(model, stamps_of(4), range(4), 10, LOW, np.full(3, 7.0), 600)["fragile"].any()


def test_a_probability_that_underflows_is_no_obstacle():
    """Log odds of 200: the other class has a probability of 0 in float32, until the pixel changes them to -200."""
    model = model_of(lambda stamps: 200 * np.tanh(stamps[:, 2, 5, 0] - 10))
    found = fragile_columns(model, stamps_of(3), range(3), 10, LOW, HIGH, 600)
    assert found["fragile"].all() and np.all(found["fragile_row"] == 2) and np.all(found["fragile_column"] == 5)


def test_a_stamp_is_searched_alike_whatever_stamps_are_beside_it():
    model, ids = model_of(one_weak_pixel), [7, 3, 9, 4, 8]
    whole = fragile_columns(model, stamps_of(5), ids, 10, LOW, HIGH, 600)
    alone = fragile_columns(model, stamps_of(5)[4:], ids[4:], 10, LOW, HIGH, 600)
    assert whole[4]["fragile"] and tuple(whole[4]) == tuple(alone[0])


def test_the_pixel_range_is_that_of_all_parts_without_broken_stamps():
    stamps = np.random.default_rng(0).normal(size=(7, 5, 5, 3))
    low, high = pixel_range([stamps[:4], stamps[4:], stamps[:0], np.full((1, 5, 5, 3), np.nan)])
    np.testing.assert_array_equal(low, stamps.min(axis=(0, 1, 2)))
    np.testing.assert_array_equal(high, stamps.max(axis=(0, 1, 2)))


@pytest.mark.parametrize("flag", [[0, 1, 0], [1, 1, 1]])
def test_flagged_stamps_are_not_searched(flag):
    stamps = stamps_of(3)
    stamps[1] = np.nan
    table = Table({"obj_id": [4, 5, 6], "flag": flag})
    flag_fragile(model_of(one_weak_pixel), table, stamps, 10, LOW, HIGH, 600)
    good = np.array(flag) == 0
    assert not table["fragile"][~good].any() and not table["fragile_queries"][~good].any()
    assert (table["fragile_row"][~good] == -1).all() and (table["fragile_class"][~good] == "").all()
    assert (table["fragile_queries"][good] > 0).all() and table.meta["budget"] == 600
    if good.any():
        expected = fragile_columns(model_of(one_weak_pixel), stamps[good], [4, 6], 10, LOW, HIGH, 600)
        assert list(table["fragile_class"][good]) == list(expected["fragile_class"])


def test_classes_are_named_as_in_the_model():
    model = model_of(one_weak_pixel)
    model.classes = ("early", "late")
    found = fragile_columns(model, stamps_of(2), range(2), 10, LOW, HIGH, 600)
    assert found["fragile_class"].tolist() == ["", "late"]


@pytest.mark.parametrize("budget", [16, 64])
def test_no_stamp_takes_more_queries_than_allowed(budget):
    found = fragile_columns(model_of(one_weak_pixel), stamps_of(3), range(3), 10, LOW, HIGH, budget)
    assert np.all(found["fragile_queries"][~found["fragile"]] == budget)
    assert np.all(found["fragile_queries"] <= budget + 1)  # the confirmation of a flip comes on top


def test_a_stamp_without_probabilities_is_not_fragile_and_stops_no_other():
    def logit(stamps):
        return np.where(stamps[:, 7, 7, 1] > 50, np.nan, one_weak_pixel(stamps))

    stamps, done = stamps_of(6), []
    stamps[[1, 3], 7, 7, 1] = 99
    found = fragile_columns(model_of(logit), stamps, range(6), 10, LOW, HIGH, 600, on_done=done.append)
    assert found["fragile"].tolist() == [False, False, True, False, True, True] and sum(done) == 6
    assert found["fragile_class"][[1, 3]].tolist() == ["", ""] and found["fragile_row"][[1, 3]].tolist() == [-1, -1]
    assert found["fragile_queries"][[1, 3]].tolist() == [0, 0]
    alone = fragile_columns(model_of(logit), stamps[1:2], [1], 10, LOW, HIGH, 600)
    assert alone.colnames == found.colnames and not alone["fragile"].any()
