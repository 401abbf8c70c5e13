import copy
import json
import tempfile

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.surveys import SURVEYS, Survey, read_survey, survey_from_dict, survey_to_dict
from photoz_morph.surveys.files import FRAME_KEYS, KEYS
from tests.support.surveys import DESCRIPTION, THREE_BANDS

FUZZ = settings(max_examples=50, deadline=None, derandomize=True)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.dates(),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.none()), max_size=6),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.sampled_from(["g", "nJy", "1e-3", 10**400, [[]], [["g"]], ["g", "G", "r"], "{band}{band}", "HIERARCH A B"]),
)  # fmt: skip


DESCRIBED = [survey for survey in (*SURVEYS.values(), THREE_BANDS) if isinstance(survey, Survey)]


@pytest.mark.parametrize("survey", DESCRIBED, ids=lambda survey: survey.name)
def test_a_survey_is_itself_after_a_way_through_json_and_yaml(survey, tmp_path):
    values = survey_to_dict(survey)
    assert survey_from_dict(json.loads(json.dumps(values))) == survey
    (tmp_path / "survey.yaml").write_text(yaml.safe_dump(values))
    assert read_survey(tmp_path / "survey.yaml") == survey


def changed(**changes):
    values = copy.deepcopy(DESCRIPTION)
    frames = changes.pop("frames", None)
    values |= changes
    if frames is not None:
        values["frames"] = {key: value for key, value in (values["frames"] | frames).items() if value != "absent"}
    return {key: value for key, value in values.items() if value != "absent"}


@pytest.mark.parametrize(
    "values, message",
    [
        (changed(pixelscale=1), "my.yaml: unknown key 'pixelscale'; did you mean 'pixel_scale'?"),
        (changed(frames={"unti": 1}), "unknown key 'frames.unti'; did you mean 'frames.unit'?"),
        (changed(frames={"bands": {"U": "u"}}), "unknown key 'frames.bands.U'; keys are V, R, B"),
        (changed(zero_point="absent"), "my.yaml: no 'zero_point'; a survey needs name, bands"),
        (changed(pixel_scale=-1), r"'pixel_scale' is -1; give a number in \[0.001, 3600\], the side of a pixel"),
        (changed(pixel_scale=float("nan")), "'pixel_scale' is nan"),
        (changed(pixel_scale=True), "'pixel_scale' is True"),
        (changed(stamp_size=24.5), "'stamp_size' is 24.5; give a whole number from 4 to 1024"),
        (changed(sky_sigma=[1, 2]), r"'sky_sigma' has 2 values, the survey 3 bands \(V, R, B\); give one for each"),
        (changed(sky_sigma=[1, 2, -3]), r"'sky_sigma\[B\]' is -3; give a number"),
        (changed(gain=7), "'gain' is 7; give a list, one number for each of V R B"),
        (changed(bands="VRB"), "'bands' is 'VRB'; give a list of 1 to 100 names"),
        (changed(bands=["V", "R", False]), "'bands' holds False; a band is a letter and up to 15"),
        (changed(bands=["V", "R", "v"]), "'bands' holds 'V' twice, letter case aside"),
        (changed(name="My Survey"), "'name' is 'My Survey'; give small letters, digits and _"),
        (changed(image_unit="nJy"), "'zero_point' is 27, but one nJy has the AB magnitude 31.4; give that"),
        (changed(frames={"unit": "nJy"}), "'frames.unit' is 'nJy', which cannot be converted to 'image_unit' 'count'"),
        (changed(frames={"zero_point": 25}), "'frames' has zero_point and zero_point_keyword; give one of unit"),
        (changed(frames={"zero_point_keyword": "absent"}), "'frames' has no flux scale; give one of unit, zero_point"),
        (changed(frames={"zero_point_keyword": "magzero"}), "'frames.zero_point_keyword' is 'magzero'; give a FITS"),
        (changed(frames={"file_name": "a/{band}.fits"}), "'frames.file_name' is 'a/{band}.fits'; give the name of a"),
        (changed(frames={"file_name": "{band}_{x}_{x}.fits"}), "{x} is twice in it"),
        (changed(frames={"file_name": "{band}_{.fits"}), "it has a brace without a word"),
        (changed(frames={"file_name": "*{band}*-*-*-*-*-*"}), "at most 6 parts in braces"),
        (changed(frames={"file_name": "x.fits", "band_keyword": "absent"}), "does not tell the band of each frame"),
        (changed(frames={"bands": {"V": "v", "R": ["r", "v"]}}), "'frames.bands' has 'v' twice; a name belongs to one"),
        (changed(frames={"bands": {"V": 7}}), "'frames.bands.V' is 7; give the name that headers have"),
        (changed(frames={"hdu": -1}), "'frames.hdu' is -1; give a whole number from 0"),
        ([1, 2], r"my.yaml: holds \[1, 2\], not `key: value` lines; keys are name, bands"),
        (None, "my.yaml: holds None"),
        (changed() | {"frames": 3}, "'frames' is 3, not `key: value` lines"),
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_remedy(values, message):
    with pytest.raises(ValueError, match=message) as caught:
        survey_from_dict(values, "my.yaml")
    assert str(caught.value).startswith("my.yaml: ") and "\n" not in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert survey_from_dict(changed(asinh_softening=["1e-10", 1e-10, "2E-10"])).asinh_softening == (1e-10, 1e-10, 2e-10)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"name: a\nname: b\n", "key 'name' is twice there"),
        (b"name: [a\n", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"[" * 9000, "not valid YAML"),
        (b"&a [*a, *a]", "not `key: value` lines"),
        (b"bands: &b [x, x, x, x]\nname: &c [*b, *b, *b, *b]\n", "no 'pixel_scale'"),
        (b"x: 2020-99-99", "not valid YAML"),
        (b"#" * 200_000, "has 200000 bytes"),
        (b"", "holds None"),
    ],
)
def test_a_file_that_is_no_description_is_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_survey(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value) and len(str(caught.value)) < 600


@FUZZ
@given(st.sampled_from(KEYS), ODD)
def test_any_value_of_any_key_is_read_or_refused(key, value):
    check_refused_or_read(changed() | {key: value})


@FUZZ
@given(st.sampled_from(FRAME_KEYS), ODD)
def test_any_value_of_any_key_of_the_frames_is_read_or_refused(key, value):
    values = changed()
    values["frames"][key] = value
    check_refused_or_read(values)


@FUZZ
@given(st.binary(max_size=80), st.integers(0, 300))
def test_a_damaged_file_is_read_or_refused(noise, place):
    text = yaml.safe_dump(DESCRIPTION).encode()
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text[:place] + noise + text[place + len(noise) :])
        file.flush()
        try:
            read_survey(file.name)
        except ValueError as error:
            assert str(error).startswith(f"{file.name}: ") and "\n" not in str(error)


def check_refused_or_read(values):
    try:
        survey = survey_from_dict(values, "my.yaml")
    except ValueError as error:
        assert str(error).startswith("my.yaml: ") and "\n" not in str(error) and len(str(error)) < 700
    else:
        assert survey_from_dict(json.loads(json.dumps(survey_to_dict(survey)))) == survey
