import numpy as np
import pytest

from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.predictions import write_morph_predictions
from photoz_morph.morph.selection.answers import mixed_images, validation_answers
from photoz_morph.morph.selection.outputs import network_outputs, read_answers
from photoz_morph.runs.folder import finished_members


def images_of(builder, domain):
    return np.concatenate(list(dataset.domain_images(builder, "validation", domain, 64).as_numpy_iterator()))


def test_mixtures_are_of_an_image_and_the_one_half_a_split_further(morph_data_dir):
    builder = dataset.open_dataset(morph_data_dir)
    images = images_of(builder, "y1")
    offset = len(images) // 2
    mixed = np.concatenate(list(mixed_images(builder, "validation", "y1", offset).as_numpy_iterator()))
    expected = 0.55 * images + 0.45 * np.roll(images, -offset, axis=0)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-3)


def test_answers_are_those_of_every_network(morph_data_dir, morph_run_dirs, tmp_path):
    table = validation_answers(morph_run_dirs["mmd"], progress=False)
    builder = dataset.open_dataset(morph_data_dir)
    assert list(table["obj_id"]) == list(reading.read_columns(builder, "validation")["obj_id"])
    paths = finished_members(morph_run_dirs["mmd"], MorphConfig)[0]
    for seed, path in enumerate(paths):
        network = load_network(path)
        for domain in ("y10", "y1"):
            latent = network({"image": images_of(builder, domain)})["latent"]
            np.testing.assert_allclose(table[f"latents_{domain}"][:, seed], latent, atol=1e-4)
        mixed = np.concatenate(list(mixed_images(builder, "validation", "y1", len(table) // 2).as_numpy_iterator()))
        logits = np.array(network({"image": mixed})["logits"], float)
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(table["probability_mixed"][:, seed], expected, atol=1e-4)
    np.testing.assert_array_equal(table["latents_y1"][:, 0], table["latent_y1"])
    write_morph_predictions(table, tmp_path / "validation.fits")
    assert len(network_outputs(read_answers(tmp_path / "validation.fits"))) == len(paths) == 2


def test_partners_are_the_rows_that_images_are_mixed_with(morph_run_dirs):
    partner = np.asarray(validation_answers(morph_run_dirs["regular"], progress=False)["partner"])
    assert sorted(partner) == list(range(len(partner)))
    assert partner[0] == len(partner) // 2 and partner != pytest.approx(np.arange(len(partner)))
