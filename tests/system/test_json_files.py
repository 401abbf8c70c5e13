import json

import pytest

from photoz_morph.system.json_files import read_json, write_atomically


def test_content_comes_back(tmp_path):
    content = {"folds": [1, 2], "origin": "simulated", "note": "σ"}
    write_atomically(tmp_path / "a.json", json.dumps(content))
    assert read_json(tmp_path / "a.json", ("folds", "origin")) == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"a": 1,', r"not JSON, or truncated \(.*\); make it again"),
        ("", r"not JSON, or truncated"),
        ('{"a": 1}', "has no b, c; make it again"),
        ("[1, 2]", "has no a, b, c; make it again"),
    ],
)
def test_a_damaged_file_is_named_with_its_remedy(tmp_path, text, expected):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"a.json: {expected}"):
        read_json(tmp_path / "a.json", ("a", "b", "c"), "make it again")


def test_a_missing_file_is_named_with_its_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.json: no such file; restore the file, or train another run"):
        read_json(tmp_path / "a.json")
