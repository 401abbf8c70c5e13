import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.morph.predictions import write_morph_predictions
from photoz_morph.morph.selection.outputs import network_outputs, read_answers
from tests.support.morph import toy_answers, toy_predictions


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("answers") / "validation.fits"
    write_morph_predictions(toy_answers(n=60), path)
    return path


def test_answers_come_back_as_they_were_written(written):
    table, back = toy_answers(n=60), read_answers(written)
    for name in ("latents_y10", "latents_y1", "partner", "probability_mixed", "probability_y1", "label"):
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]).astype(back[name].dtype))


def test_the_source_has_labels_and_the_target_has_none(written):
    table = read_answers(written)
    outputs = network_outputs(table)
    known = np.asarray(table["label"]) >= 0
    assert len(outputs) == 2 and 0 < known.sum() < 60
    second = outputs[1]
    np.testing.assert_array_equal(second.label, table["label"][known])
    np.testing.assert_allclose(second.source_probability, table["probability_y10"][known, 1])
    np.testing.assert_allclose(second.target_probability, table["probability_y1"][:, 1])
    np.testing.assert_allclose(second.target_latent, table["latents_y1"][:, 1])
    np.testing.assert_array_equal(second.source_group, table["group_id"][known])


def test_plain_predictions_are_no_answers(tmp_path):
    write_morph_predictions(toy_predictions(n=30), tmp_path / "validation.fits")
    with pytest.raises(ValueError, match="validation.fits: lacks column latents_y10, .*`morph select` makes it"):
        read_answers(tmp_path / "validation.fits")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("partner", np.arange(60) + 1, "partner holds numbers that are no rows of 60"),
        ("partner", np.full(60, 0.5), "no rows"),
        ("latents_y1", np.zeros((60, 3, 3)), r"latents_y1 has shape \(60, 3, 3\)"),
        ("probability_mixed", np.zeros((60, 2)), "probability_mixed has shape"),
    ],
)
def test_columns_that_do_not_match_are_refused(tmp_path, name, value, message):
    table = toy_answers(n=60)
    table[name] = value
    write_morph_predictions(table, tmp_path / "validation.fits")
    with pytest.raises(ValueError, match=message):
        read_answers(tmp_path / "validation.fits")


def test_answers_without_any_label_are_refused():
    table = toy_answers(n=30)
    table["label"] = -1
    with pytest.raises(ValueError, match="none of 30 validation galaxies has a label"):
        network_outputs(table)


@settings(max_examples=25)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_answers_are_refused_in_one_line(written, tmp_path_factory, place, byte, cut):
    content = bytearray(written.read_bytes())
    place %= len(content)
    content[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "validation.fits"
    path.write_bytes(content[:place] if cut else content)
    try:
        table = read_answers(path)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error)
    else:
        assert len(table) == 60
