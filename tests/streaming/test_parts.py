import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.streaming.parts import OnePart, Parts
from photoz_morph.system.tables import write_parquet


def parts_of(folder, *tables):
    """Tables written as parts."""
    paths = [folder / f"{number}.parquet" for number in range(len(tables))]
    for table, path in zip(tables, paths):
        write_parquet(table, path)
    return Parts(paths)


def test_parts_have_the_rows_of_the_table_in_order(tmp_path):
    table = Table({"obj_id": np.arange(7), "pdf": np.arange(14.0).reshape(7, 2)}, meta={"survey": "sdss"})
    table["pdf"].unit, table["pdf"].description = "mag", "of each bin"
    for parts in (parts_of(tmp_path, table[:3], table[:0], table[3:]), OnePart(table)):
        assert parts.n_rows == 7 and len(parts.template) == 0 and parts.template.meta == {"survey": "sdss"}
        found = list(parts.tables())
        for name in table.colnames:
            np.testing.assert_array_equal(np.concatenate([one[name] for one in found]), table[name])
            assert {(one[name].unit, one[name].description) for one in found} == {
                (table[name].unit, table[name].description)
            }
        assert [one.colnames for one in parts.tables(["pdf"])] == [["pdf"]] * len(found)


def test_a_column_has_the_type_that_holds_the_values_of_all_parts(tmp_path):
    first = Table({"a": [1, 2], "b": [True, False], "name": ["x", "yz"], "c": [1, 2], "d": [1.5, 2.5]})
    second = Table({"a": [0.5], "b": [True], "name": ["long name"], "c": ["many"]})
    found = list(parts_of(tmp_path, first, second).tables())
    assert [one["a"].dtype.kind for one in found] == ["f", "f"] and [one["b"].dtype.kind for one in found] == ["b", "b"]
    assert found[0]["c"].tolist() == ["1", "2"] and found[1]["name"].tolist() == ["long name"]
    assert found[0]["d"].tolist() == [1.5, 2.5] and np.isnan(found[1]["d"]).all()


def test_integers_that_a_part_lacks_are_floats_and_nan_there(tmp_path):
    found = list(parts_of(tmp_path, Table({"a": [1], "n": [3]}), Table({"a": [2]})).tables())
    assert found[0]["n"].tolist() == [3.0] and np.isnan(found[1]["n"]).all()


def test_vectors_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"column pdf has vectors of different lengths, \[\(2,\), \(3,\)\]"):
        parts_of(tmp_path, Table({"pdf": np.zeros((1, 2))}), Table({"pdf": np.zeros((1, 3))}))


def test_a_damaged_part_is_named_with_the_remedy(tmp_path):
    parts = parts_of(tmp_path, Table({"a": np.random.default_rng(0).random(5000)}))
    content = bytearray(parts.paths[0].read_bytes())
    content[len(content) // 2] ^= 1
    parts.paths[0].write_bytes(content)
    with pytest.raises(ValueError, match="0.parquet: damaged .*; remove it and run the same command again"):
        list(parts.tables())
