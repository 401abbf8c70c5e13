import pytest
import yaml

from photoz_morph.surveys import SDSS, read_survey, survey_from_dict, survey_to_dict
from photoz_morph.surveys.files import FRAME_KEYS, KEYS
from photoz_morph.surveys.known import shipped_file
from photoz_morph.surveys.template import new_description


def test_the_template_is_a_valid_description_and_names_every_key(tmp_path):
    text = new_description("mine")
    (tmp_path / "mine.yaml").write_text(text)
    assert read_survey(tmp_path / "mine.yaml").name == "mine"
    for key in (*KEYS, *FRAME_KEYS):
        assert f"{key}:" in text, key


def test_every_example_in_the_comments_of_the_template_is_valid():
    lines = new_description("mine").splitlines()
    frames = lines.index("frames:")
    for number, line in enumerate(lines):
        name, _, rest = line.strip().removeprefix("# ").partition(":")
        if not line.strip().startswith("# ") or name not in (*KEYS, *FRAME_KEYS) or not rest:
            continue
        example = [*lines[:number], line.replace("# ", "", 1), *lines[number + 1 :]]
        if number > frames and name in ("zero_point_keyword", "unit"):  # one of three
            example = [text for text in example if not text.startswith("  zero_point: ")]
        survey_from_dict(yaml.safe_load("\n".join(example)), line)


def test_a_description_begun_from_another_differs_in_its_name_alone():
    text = new_description("mine", shipped_file("sdss").read_text())
    assert survey_from_dict(yaml.safe_load(text)) != SDSS
    assert yaml.safe_load(text) == survey_to_dict(SDSS) | {"name": "mine", "frames": yaml.safe_load(text)["frames"]}
    assert "# arcsec; Pasquet et al. (2019), Sec. 2" in text


def test_a_name_that_no_survey_can_have_is_refused():
    with pytest.raises(ValueError, match="'name' is 'My Survey'; give small letters"):
        new_description("My Survey")
