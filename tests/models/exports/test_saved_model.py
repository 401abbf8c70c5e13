import json

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.models.exports.saved_model import load_saved_model, model_hash, read_description, write_saved_model
from photoz_morph.system.provenance import code_version

SIGNATURE = [tf.TensorSpec((None, 2), tf.float32, name="image")]


def export(folder, name="serve", description=None):
    functions = {
        name: (lambda image: {"double": 2 * image}, SIGNATURE),
        "total": (lambda image: {"sum": tf.reduce_sum(image, axis=1)}, SIGNATURE),
    }
    write_saved_model(folder, functions, description or {"bands": ["g", "r"]})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "model"
    export(folder)
    return folder


def test_every_function_and_the_description_come_back(exported):
    model, image = load_saved_model(exported), np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(model.serve(image)["double"], 2 * image)
    np.testing.assert_array_equal(model.total(image)["sum"], [3, 7])
    description = read_description(exported, "photoz")
    assert description == {"bands": ["g", "r"], "code": code_version(), "model_id": model_hash(exported)}
    assert not list(exported.parent.glob("*.part"))


def weighted(folder, weight):
    """A model with a variable; returns its identifier."""
    variable = tf.Variable([weight])
    signature = {"serve": (lambda image: {"product": variable * image}, SIGNATURE)}
    return write_saved_model(folder, signature, {})["model_id"]


def test_a_model_is_known_by_its_weights_and_not_by_its_folder(tmp_path):
    model_id = weighted(tmp_path / "one", 0.5)
    assert weighted(tmp_path / "other", np.nextafter(np.float32(0.5), np.float32(1))) != model_id
    moved = (tmp_path / "one").rename(tmp_path / "renamed")
    (moved / "MODEL_CARD.md").write_text("a note")
    assert model_hash(moved) == model_id
    load_saved_model(moved)


def test_a_model_whose_weights_were_changed_after_the_export_is_refused(tmp_path):
    weighted(tmp_path / "one", 0.5)
    weighted(tmp_path / "other", 0.75)
    for path in (tmp_path / "other" / "variables").iterdir():
        path.replace(tmp_path / "one" / "variables" / path.name)
    with pytest.raises(ValueError, match="not the one that estimator.json describes .*export the model again"):
        load_saved_model(tmp_path / "one")


def test_an_existing_folder_is_not_overwritten(exported):
    with pytest.raises(ValueError, match="model: exists; remove it or give another --out"):
        export(exported)


def test_an_export_that_fails_leaves_no_folder(tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        export(tmp_path / "model", description={"bands": np.zeros(2)})
    assert not list(tmp_path.iterdir())


def test_what_is_no_export_or_damaged_is_named(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match="not an exported model .*missing.*; see `morph export`"):
        read_description(tmp_path, "morph")
    (tmp_path / "estimator.json").write_text(json.dumps({"bands": 1})[:-3])
    with pytest.raises(ValueError, match="estimator.json: not JSON, or truncated .*; export the model again"):
        read_description(tmp_path, "morph")
    with pytest.raises(ValueError, match="not a SavedModel, or truncated .*; export the model again"):
        load_saved_model(tmp_path)
    export(tmp_path / "other", name="predict")
    with pytest.raises(ValueError, match="its SavedModel has no function `serve`; export the model again"):
        load_saved_model(tmp_path / "other")


def test_a_row_with_a_value_that_is_not_finite_is_answered_by_nan_in_every_output(tmp_path):
    """A ReLU and a clip turn NaN into a number on CPUs, argmax takes it for bin 0."""
    def serve(image, ebv):
        brightest = tf.cast(tf.argmax(image, axis=1), tf.float32)
        return {"maps": tf.nn.relu(image) + ebv[:, None], "brightest": brightest, "square": image[:, :, None] ** 2}

    signature = [*SIGNATURE, tf.TensorSpec((None,), tf.float32, name="ebv")]
    write_saved_model(tmp_path / "model", {"serve": (serve, signature)}, {})
    model = load_saved_model(tmp_path / "model")
    image, ebv = np.array([[1, 2], [np.nan, 2], [np.inf, 2], [3, 4], [1e30, 2]], np.float32), np.zeros(5, np.float32)
    ebv[3] = np.nan
    answers = model.serve(image, ebv)
    for name, good in (("maps", [1, 2]), ("brightest", 1), ("square", [[1], [4]])):
        np.testing.assert_array_equal(answers[name][0], good)
        assert np.isnan(answers[name][1:]).all(), name  # the square of the last one overflows
    assert {name: values.shape[0] for name, values in model.serve(image[:0], ebv[:0]).items()}["maps"] == 0


def test_arguments_go_by_position_by_keyword_and_in_a_dictionary(tmp_path):
    signature = [*SIGNATURE, tf.TensorSpec((None,), tf.float32, name="ebv")]
    write_saved_model(tmp_path / "model", {"serve": (lambda image, ebv: {"sum": image[:, 0] + ebv}, signature)}, {})
    model, image, ebv = load_saved_model(tmp_path / "model"), np.ones((2, 2), np.float32), np.array([1, 2], np.float32)
    answers = (
        model.serve(image, ebv), model.serve(image=image, ebv=ebv), model.serve_dict({"image": image, "ebv": ebv}),
        model.signatures["serving_default"](image=tf.constant(image), ebv=tf.constant(ebv)),
    )  # fmt: skip
    for answer in answers:
        np.testing.assert_array_equal(answer["sum"], [2, 3])
