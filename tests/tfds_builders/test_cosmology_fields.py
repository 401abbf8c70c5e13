import numpy as np
import pytest

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.datasets.reading import open_dataset, read_galaxies
from photoz_morph.shards.multifields import read_multifield, write_multifield
from photoz_morph.simulation.cosmology.observing import ObservationSettings, observe_logarithms
from tfds_builders.cosmology_fields import build, find_maps, part_examples

FEATURES = ("image", "field", "parameters", "obj_id", "group_id")


def examples_of(builder, split):
    return list(read_galaxies(builder, split, dict.fromkeys(FEATURES, True)).as_numpy_iterator())


def test_fields_are_logarithms_with_their_observations_and_parameters(fields_dir, fields_data_dir):
    builder, source = open_dataset(fields_data_dir, "cosmology_fields"), read_multifield(find_maps(fields_dir))
    seen = 0
    for split in SPLITS:
        for example in examples_of(builder, split):
            row, seen = int(example["obj_id"]), seen + 1
            np.testing.assert_allclose(example["field"][..., 0], np.log(source.maps[row]), atol=1e-6)
            np.testing.assert_allclose(example["parameters"], source.parameters[row], rtol=1e-6)
            expected, _ = observe_logarithms(np.log(source.maps[[row]]), [row])
            np.testing.assert_allclose(example["image"], expected[0], atol=1e-5)
            assert assign_split(example["group_id"])[0] == split
    assert seen == len(source.maps)
    metadata = builder.info.metadata
    assert (metadata["parameters"], metadata["quantity"], metadata["suite"]) == ("Omega_m,sigma_8", "Mtot", "LogNormal")
    assert (metadata["beam_fwhm"], metadata["noise"], metadata["origin"]) == (3.0, 0.2, "simulated")


def test_maps_of_a_simulation_stay_together_and_a_file_alone_is_found_in_a_folder(tmp_path):
    """As in CAMELS: six parameters, several maps of each simulation, large numbers."""
    rng = np.random.default_rng(1)
    maps = 1e11 * np.exp(rng.normal(size=(60, 8, 8)))
    path = write_multifield(tmp_path, maps, rng.uniform(size=(20, 6)), field="Mgas", suite="IllustrisTNG")
    observation = ObservationSettings(beam_fwhm=0, noise=0.1, masked=0)
    counts = build(tmp_path, tmp_path / "data", progress=False, observation=observation)
    assert sum(counts.values()) == 60 and all(number % 3 == 0 for number in counts.values())
    builder = open_dataset(tmp_path / "data", "cosmology_fields")
    (first, *_) = examples_of(builder, "test")
    np.testing.assert_allclose(first["field"][..., 0], np.log(maps[first["obj_id"]]), rtol=1e-6)
    assert first["parameters"].shape == (6,) and first["group_id"] == first["obj_id"] // 3
    noise = first["image"][..., 0] - first["field"][..., 0]
    assert 0.05 < noise.std() < 0.2 and (first["image"][..., 1] == 1).all()
    assert find_maps(path) == path


def test_a_part_is_read_for_some_splits(fields_dir):
    part = (find_maps(fields_dir), 10, 30, ObservationSettings())
    keys = {split: [key for _, key, _ in part_examples(part, (split,))] for split in SPLITS}
    assert sorted(sum(keys.values(), []), key=int) == [str(row) for row in range(10, 30)]
    assert list(part_examples((part[0], 10, 10, part[3]))) == []


def test_what_cannot_be_built_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no Maps_\*.npy in it; make some with `blend simulate --kind fields`"):
        build(tmp_path, tmp_path / "data")
    maps, parameters = np.ones((40, 8, 8)), np.random.default_rng(1).uniform(size=(40, 2))
    maps[30, 2, 2] = 0
    path = write_multifield(tmp_path, maps, parameters)
    with pytest.raises(ValueError, match="map 30 has pixels that are not above 0 and have no logarithm"):
        build(path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="2 simulations leave none for .*; give more"):
        build(write_multifield(tmp_path / "few", maps[:2], parameters[:2]), tmp_path / "data", progress=False)
    write_multifield(tmp_path, maps, parameters, field="Mcdm")
    with pytest.raises(ValueError, match="holds Maps_Mcdm_.*, Maps_Mtot_.*; give one of them, such as .*Maps_Mcdm"):
        build(tmp_path, tmp_path / "data", progress=False)
