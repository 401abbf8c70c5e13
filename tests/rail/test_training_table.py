import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.rail.training_table import TableFold
from tests.support.rail import SMALLEST
from tests.support.samples import colour_stacks


def arrays(n_galaxies=60):
    """Images, reddening, redshifts and identifiers of galaxies whose colour tells their redshift."""
    images, table = colour_stacks(n_galaxies)
    columns = {"image": images, "ebv": np.array(table["ebv"], np.float32)}
    return columns | {"z_spec": np.array(table["z_spec"]), "obj_id": np.array(table["obj_id"])}


def config(*overrides):
    return load_config("photoz_simulated.yaml", PhotozConfig, [*SMALLEST, "train.label_sigma=0", *overrides])


def test_training_batches_pair_images_with_their_redshifts():
    table, settings = arrays(), config()
    fold, seen = TableFold(settings, table), []
    for batch, (inputs, target) in enumerate(fold.train.epoch(seed=5, epoch=2).as_numpy_iterator()):
        rows = fold.train.obj_ids(5, 2, batch)
        np.testing.assert_array_equal(target.argmax(axis=1), settings.redshift.bin_index(table["z_spec"][rows]))
        np.testing.assert_array_equal(inputs["ebv"], table["ebv"][rows])
        turned = [np.sort(image, axis=None) for image in inputs["image"]]  # a flip keeps the pixels
        np.testing.assert_array_equal(turned, [np.sort(image, axis=None) for image in table["image"][rows]])
        seen.extend(rows)
    assert len(set(seen)) == 32  # two full batches of the 40 training galaxies


def test_groups_are_held_out_whole():
    table = arrays()
    table["group_id"] = np.random.default_rng(3).permutation(np.arange(60) // 3)
    for n_validation, expected in ((20, 21), (21, 21), (1, 3)):
        fold = TableFold(config(f"data.n_validation={n_validation}"), table)
        held_out = np.flatnonzero(np.isin(table["z_spec"], fold._z_spec))
        others = np.setdiff1d(np.arange(60), held_out)
        assert len(held_out) == expected and fold.train.n_galaxies == 60 - expected
        assert not set(table["group_id"][held_out]) & set(table["group_id"][others])
    with pytest.raises(ValueError, match="validation takes 57 of 60 galaxies, whole groups .* lower data.n_validation"):
        TableFold(config("data.n_validation=55"), table)


def test_validation_galaxies_are_drawn_by_the_seed_and_never_trained_on():
    table = arrays()

    def trained_on(*overrides):
        fold = TableFold(config(*overrides), table)
        return {int(row) for epoch in range(6) for batch in range(2) for row in fold.train.obj_ids(1, epoch, batch)}

    first, again, other = trained_on(), trained_on(), trained_on("seed=9")
    assert first == again != other and len(first) == len(other) == 40
