import numpy as np
import pytest
from astropy.table import Column, MaskedColumn

from photoz_morph.catalogs.numbers import floats, integers


@pytest.mark.parametrize(
    "values",
    [
        [0.1, np.nan, np.nan],
        [0.1, -9999.0, np.nan],
        MaskedColumn([0.1, 1, 1], mask=[0, 1, 1]),
        ["0.1", "null", "--"],
        [b" 0.1", b"", b"N/A"],
        np.array(["0.1", None, "NaN"], object),
    ],
)
def test_unknown_numbers_are_nan_however_they_are_written(values):
    found = floats(Column(values) if not isinstance(values, MaskedColumn) else values, "a.csv", [-9999])
    np.testing.assert_array_equal(found, [0.1, np.nan, np.nan])


def test_a_column_without_any_value_is_unknown():
    assert np.isnan(floats(MaskedColumn(["a", "b"], mask=True), "a.csv")).all()


@pytest.mark.parametrize(
    "values, message",
    [
        (["0.1", "bad", "0.2"], "^a.csv: ra in row 2 is 'bad', which is no number; write decimal numbers"),
        (["12:30:00", "1", "2"], "ra in row 1 is '12:30:00'"),
        ([True, False], "ra holds true or false; give decimal numbers"),
    ],
)
def test_what_is_no_number_is_named_by_row_and_text(values, message):
    with pytest.raises(ValueError, match=message):
        floats(Column(values, name="ra"), "a.csv")


@pytest.mark.parametrize("values", [[5, 2**63 - 1], ["5", str(2**63 - 1)], np.array([5, 2**63 - 1], np.uint64)])
def test_identifiers_of_64_bits_are_exact(values):
    found = integers(Column(values, name="obj_id"), "a.csv")
    assert found.dtype == np.int64 and found.tolist() == [5, 2**63 - 1]


@pytest.mark.parametrize(
    "values, message",
    [
        (np.array([1, 10**19 + 37], np.uint64), "^a.csv: obj_id in row 2 is 10000000000000000037; identifiers are"),
        (["1", "10000000000000000037"], "obj_id in row 2 is 10000000000000000037; .*keep these under another name"),
        (["1", "J1237"], "obj_id in row 2 is 'J1237', which is no integer"),
        (["1", "null"], "obj_id is empty in row 2"),
        ([1.0, 2.0], r"obj_id holds floats, which round identifiers beyond 2\^53 \(the first is 1.0\)"),
        ([True, False], "obj_id holds bool values"),
    ],
)  # fmt: skip
def test_other_identifiers_are_refused_in_plain_words(values, message):
    with pytest.raises(ValueError, match=message):
        integers(Column(values, name="obj_id"), "a.csv")
