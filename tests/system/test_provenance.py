import shutil
import subprocess

import pytest

from photoz_morph import __version__
from photoz_morph.surveys import LSST, SDSS
from photoz_morph.system.provenance import (
    KEYS,
    check_engine,
    check_images,
    code_version,
    described_facts,
    file_hash,
    folder_hash,
    header_facts,
    image_facts,
    joined_facts,
    provenance_of,
    scored_provenance,
)
from tests.support.paths import ROOT

TRAINED = image_facts(SDSS, engine="swarp", combine="median")


def test_every_key_is_a_fits_keyword():
    assert all(key == key.lower() and len(key) <= 8 and key.isascii() for key in KEYS)


def test_code_version_is_that_of_the_package_and_of_the_commit_in_a_checkout():
    assert code_version().startswith(__version__)
    if (ROOT / ".git").exists() and shutil.which("git"):
        head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
        assert code_version().removeprefix(f"{__version__}+g")[:10] == head[:10]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "variables" / "data").write_bytes(bytes(100))
    (tmp_path / "model" / "graph.pb").write_bytes(b"graph")
    return tmp_path / "model"


def test_a_hash_is_of_the_content_and_not_of_the_place(folder):
    before = folder_hash(folder)
    assert folder_hash(folder.rename(folder.with_name("renamed"))) == before
    assert folder_hash(shutil.copytree(folder.with_name("renamed"), folder.with_name("copy"))) == before


@pytest.mark.parametrize("change", ["one bit", "a name", "one more file"])
def test_a_hash_changes_with_any_file(folder, change):
    before = folder_hash(folder)
    if change == "one bit":
        (folder / "variables" / "data").write_bytes(bytes(99) + b"\x01")
    elif change == "a name":
        (folder / "graph.pb").rename(folder / "graph.pbtxt")
    else:
        (folder / "assets").write_bytes(b"")
    assert folder_hash(folder) != before


def test_only_the_files_asked_for_count(folder):
    before = folder_hash(folder, ("graph.pb", "variables/*"))
    (folder / "MODEL_CARD.md").write_text("a note")
    assert folder_hash(folder, ("graph.pb", "variables/*")) == before != folder_hash(folder)


def test_a_large_file_has_the_hash_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    sha256 = subprocess.run(["sha256sum", tmp_path / "a"], capture_output=True, text=True).stdout
    assert file_hash(tmp_path / "a") == sha256[:16]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"survey": "legacy"}, "survey is legacy, the training data's sdss"),
        ({"bands": "g,r,z"}, "bands is g,r,z, the training data's u,g,r,i,z"),
        ({"pixel_scale": 0.262}, "pixel scale is 0.262, the training data's 0.396"),
        ({"unit": "nJy", "size": 32}, "size is 32, the training data's 64, unit is nJy, the training data's nanomaggy"),
    ],
)
def test_images_that_differ_are_refused_and_the_message_says_in_what(changes, said):
    with pytest.raises(ValueError, match=f"stacks: {said}; MODEL knows no other images"):
        check_images(TRAINED, {**TRAINED, **changes}, "stacks", "MODEL")


def test_equal_images_pass_and_what_is_unknown_is_not_compared():
    check_images(TRAINED, TRAINED, "stacks", "MODEL")
    check_images({}, TRAINED, "stacks", "MODEL")
    check_images(TRAINED, {**TRAINED, "pixel_scale": 0.396 * (1 + 1e-9)}, "stacks", "MODEL")


def test_another_engine_is_a_remark_and_an_error_where_asked_for():
    given = {**TRAINED, "engine": "lanczos", "combine": "average"}
    said = "stacking engine is lanczos, the training data's swarp, combination of the frames is average, .* median"
    with pytest.warns(UserWarning, match=said):
        check_engine(TRAINED, given, "stacks", "MODEL")
    with pytest.raises(ValueError, match=f"{said}; make the stacks again"):
        check_engine(TRAINED, given, "stacks", "MODEL", same_engine=True)


@pytest.mark.filterwarnings("error")
def test_an_engine_among_those_of_the_training_data_passes():
    both = joined_facts([TRAINED, {**TRAINED, "engine": "lanczos"}])
    assert both == {**TRAINED, "engine": "lanczos,swarp"}
    check_engine(both, TRAINED, "stacks", "MODEL", same_engine=True)


def test_headers_and_descriptions_tell_the_same_facts():
    header = {"SURVEY": "lsst", "BANDS": "g,r,i", "PIXSCALE": 0.2, "BUNIT": "nJy"}
    header |= {"ENGINE": "swarp", "COMBINE": "MEDIAN"}
    described = {
        "survey": "lsst", "bands": ["g", "r", "i"], "pixel_scale_arcsec": 0.2, "image_size": 100, "image_unit": "nJy",
        "engine": "swarp", "combine": "median",
    }  # fmt: skip
    facts = image_facts(LSST, engine="swarp", combine="median", other=None)
    assert described_facts(described) == facts
    assert header_facts(header) == {key: value for key, value in facts.items() if key != "size"}


def test_scores_name_the_code_of_the_predictions_beside_their_own():
    meta = {"code": "0.0.1", "model_id": "abc", "data_id": "", "z_min": 0.0, "survey": "sdss"}
    assert provenance_of(meta) == {"code": "0.0.1", "model_id": "abc", "survey": "sdss"}
    assert scored_provenance(meta) == {
        "code": code_version(), "code_of_predictions": "0.0.1", "model_id": "abc", "survey": "sdss",
    }  # fmt: skip
