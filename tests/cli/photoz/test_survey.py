import pytest
import yaml
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.surveys import SURVEYS, read_survey
from tests.support.paths import DATA
from tests.support.surveys import DESCRIPTION


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["survey", *map(str, arguments)])


def test_a_new_description_passes_its_check(tmp_path):
    assert run("new", "mine").output.startswith("Description in mine.yaml. Next: edit it, and photoz survey check")
    assert run("check", "mine.yaml").output.startswith("mine: g r i, pixels of 0.25 arcsec, stamps of 64 pixels")
    assert run("new", "ours", "--from", "sdss", "-o", "o.yaml", "-q").output == ""
    assert read_survey("o.yaml").bands == ("u", "g", "r", "i", "z") and read_survey("o.yaml").name == "ours"
    assert run("new", "theirs", "--from", "o.yaml").exit_code == 0 and read_survey("theirs.yaml").name == "theirs"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["new", "sdss"], "sdss is the name of a survey that ships with the package"),
        (["new", "A B"], "'name' is 'A B'; give small letters"),
        (["new", "mine", "--from", "lsst"], "--from lsst: is not described by a file; give another survey, such as"),
        (["new", "mine", "-o", "mine.txt"], "--out must end in .yaml or .yml"),
        (["new", "taken"], "taken.yaml: exists; remove it or give another --out"),
        (["check", "lsst"], "single visits, which mocks are made of; photo-z uses lsst_coadd"),
        (["check", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["check", "sdss", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, message, tmp_path):
    (tmp_path / "taken.yaml").touch()
    result = run(*arguments)
    assert result.exit_code == 1 and message in result.output.splitlines()[-1]
    assert result.output.count("Error") == 1


def test_the_check_of_real_frames_tells_their_facts():
    result = run("check", "sdss", DATA / "frames")
    assert result.exit_code == 0
    facts = "HDU 0: band r, 150 x 150 pixels of 0.396 arcsec, BUNIT nanomaggy, zero point 22.500"
    assert f"frame-r-003918-3-0213.fits.gz: {facts}" in result.output
    assert "band z: 2 images, pixels of 0.3959 to 0.396 arcsec, zero points 22.5" in result.output


def test_the_check_fails_where_frames_contradict_or_lack_a_band(tmp_path):
    frames = {"file_name": "frame-{band}-{run}.fits", "zero_point": 25.0}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(DESCRIPTION | {"bands": ["g", "r", "y"], "frames": frames}))
    result = run("check", "tiny.yaml", DATA / "frames")
    assert result.exit_code == 1
    assert "BUNIT is nanomaggy, of zero point 22.5, but the description says 25" in result.output
    assert "Error: no image of band g, r, y; is `frames` of tiny.yaml right, or the folder?" in result.output


def test_every_shipped_survey_of_stacks_is_listed():
    lines = run("list").output.splitlines()
    assert [line.split(":")[0] for line in lines] == [name for name in SURVEYS if name != "lsst"]
    assert lines[1] == "legacy: g r z, pixels of 0.262 arcsec, stamps of 64 pixels, nanomaggy (zero point 22.5)"
