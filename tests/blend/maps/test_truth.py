import shutil

import numpy as np
import pytest

from photoz_morph.blend.dataset import open_dataset
from photoz_morph.blend.maps.galaxies import read_mapped_galaxies
from photoz_morph.blend.maps.truth import answers_of, read_truth


def test_datasets_have_the_answers_of_their_features(maps_data_dir, fields_data_dir, blend_data_dir):
    answers = [answers_of(open_dataset(folder)) for folder in (maps_data_dir, fields_data_dir, blend_data_dir)]
    assert answers == [("maps",), ("field", "parameters"), ()]


def test_of_galaxies_maps_are_asked_for_where_pixels_count(maps_data_dir):
    builder = open_dataset(maps_data_dir)
    truth, galaxies = read_truth(builder, "maps", "test"), read_mapped_galaxies(builder, "test")
    np.testing.assert_array_equal(truth.values, galaxies.maps)
    np.testing.assert_array_equal(truth.inside, galaxies.inside)
    assert truth.names == ("mass", "age", "metallicity", "a_v")


def test_of_fields_the_field_and_the_parameters_are_asked_for(fields_data_dir):
    builder = open_dataset(fields_data_dir)
    restored, regressed = (read_truth(builder, answer, "test") for answer in ("field", "parameters"))
    np.testing.assert_array_equal(restored.values, regressed.images)  # the field is the answer, and what is seen
    assert restored.images.shape[-1] == 2 and restored.inside.all() and restored.names == ("field",)
    assert regressed.values.shape == (len(regressed.images), 2) and regressed.names == ("Omega_m", "sigma_8")
    assert len(read_truth(builder, "field", "test[:3]").images) == 3


def test_a_damaged_file_is_named(fields_data_dir, tmp_path):
    shutil.copytree(fields_data_dir, tmp_path / "data")
    (path,) = (tmp_path / "data" / "cosmology_fields" / "1.0.0").glob("*train*")
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="1.0.0, train: TensorFlow: .*; build the dataset again with --overwrite"):
        read_truth(open_dataset(tmp_path / "data"), "parameters", "train")
