import numpy as np
import pytest

from photoz_morph.catalogs.folds import SPLITS, assign_split
from photoz_morph.shards.multifields import (
    check_pair,
    maps_path,
    parameters_path,
    read_multifield,
    write_multifield,
)
from photoz_morph.simulation.cosmology.lognormal import FieldSettings, log_density, simulate_fields


@pytest.fixture
def camels(tmp_path):
    """A sample as CAMELS writes it: 15 maps of each of 4 simulations, six parameters in rows without a header."""
    rng = np.random.default_rng(1)
    maps = rng.lognormal(10, 1, (60, 8, 8)).astype(np.float32)
    parameters = rng.uniform(0.1, 1.0, (4, 6))
    np.save(tmp_path / "Maps_Mtot_IllustrisTNG_LH_z=0.00.npy", maps)
    (tmp_path / "params_LH_IllustrisTNG.txt").write_text(
        "\n".join(" ".join(f"{number:.5f}" for number in row) for row in parameters)
    )
    return tmp_path / "Maps_Mtot_IllustrisTNG_LH_z=0.00.npy", maps, parameters


def test_maps_are_read_with_the_parameters_of_their_simulations(camels):
    path, maps, parameters = camels
    found = read_multifield(path)
    assert found.names == ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
    np.testing.assert_allclose(found.parameters, np.repeat(parameters, 15, axis=0), atol=1e-5)
    np.testing.assert_array_equal(found.simulation, np.repeat(np.arange(4), 15))
    assert isinstance(found.maps, np.memmap)
    np.testing.assert_array_equal(found.read_maps([59, 3]), maps[[59, 3]])
    np.testing.assert_allclose(found.read_logarithms([7]), np.log(maps[[7]]), rtol=1e-6)


def test_lognormal_fields_are_written_in_the_same_layout(tmp_path):
    settings = FieldSettings(n_pixels=16, maps_per_simulation=15)
    fields, parameters = simulate_fields(settings, range(45))
    path = write_multifield(tmp_path / "toy", 1 + fields, parameters[::15])
    assert path == maps_path(tmp_path / "toy", "Mtot", "LogNormal")
    assert parameters_path(tmp_path / "toy", "LogNormal").read_text().startswith("# Omega_m sigma_8\n")
    found = read_multifield(path)
    np.testing.assert_array_equal(found.parameters, parameters)
    np.testing.assert_allclose(found.read_logarithms(range(45)), log_density(fields), atol=1e-4)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, "params_LH_LogNormal.txt"]


def test_all_maps_of_a_simulation_are_in_one_split(tmp_path):
    path = write_multifield(tmp_path, np.ones((600, 2, 2)), np.random.default_rng(1).uniform(size=(200, 2)))
    found = read_multifield(path)
    split = assign_split(found.simulation)
    groups = {name: set(found.simulation[split == name]) for name in SPLITS}
    assert sum(map(len, groups.values())) == 200 and 120 < len(groups["train"]) < 160


def test_further_parameters_are_numbered_and_a_file_can_be_named(camels, tmp_path):
    path, _, parameters = camels
    other = tmp_path / "SB28.txt"
    np.savetxt(other, np.hstack([parameters, parameters[:, :2]]))
    assert read_multifield(path, other).names[4:] == ("A_SN2", "A_AGN2", "parameter_7", "parameter_8")
    renamed = path.rename(tmp_path / "dark_matter.npy")
    with pytest.raises(ValueError, match="its name is not Maps_FIELD_SUITE_SET_z=Z.npy, .* give that file too"):
        read_multifield(renamed)
    assert len(read_multifield(renamed, other).maps) == 60


def test_two_fields_of_the_same_simulations_are_a_pair(camels, tmp_path):
    path, maps, parameters = camels
    first = read_multifield(path)
    dark = write_multifield(tmp_path / "a", maps, np.round(parameters, 5), "Mcdm", "IllustrisTNG")
    check_pair(first, read_multifield(dark))
    other = write_multifield(tmp_path / "b", maps, parameters[::-1], "Mcdm", "IllustrisTNG")
    with pytest.raises(ValueError, match="Mcdm_IllustrisTNG_LH_z=0.00.npy: shape .* give two fields of one suite"):
        check_pair(first, read_multifield(other))


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-8]), "z=0.00.npy: cannot be read as an array of NumPy"),
        (lambda path: path.write_bytes(b""), "cannot be read as an array of NumPy .* get it again"),
        (lambda path: np.save(path, np.ones((60, 8))), r"has shape \(60, 8\); maps have shape"),
        (lambda path: np.save(path, np.ones((60, 8, 8), int)), "holds numbers of type int64; maps hold floats"),
        (lambda path: np.save(path, np.ones((59, 8, 8))), "59 maps cannot be of the 4 simulations of params_LH_Ill"),
        (lambda path: (path.parent / "params_LH_IllustrisTNG.txt").write_text("Omega_m"), "cannot be read as rows of"),
        (lambda path: (path.parent / "params_LH_IllustrisTNG.txt").write_text("0.3\n0.2\n"), r"has shape \(2, 1\)"),
        (lambda path: (path.parent / "params_LH_IllustrisTNG.txt").write_text("0.3 nan\n"), "are not finite"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_named(camels, damage, message):
    damage(camels[0])
    with pytest.raises(ValueError, match=message):
        read_multifield(camels[0])


def test_missing_files_are_named(camels):
    (camels[0].parent / "params_LH_IllustrisTNG.txt").unlink()
    with pytest.raises(FileNotFoundError, match="params_LH_IllustrisTNG.txt: no such file; give maps"):
        read_multifield(camels[0])


def test_pixels_that_cannot_be_used_are_named(camels):
    path, maps, _ = camels
    maps[5, 2, 2], maps[9, 0, 0] = np.nan, -1
    np.save(path, maps)
    with pytest.raises(ValueError, match="map 5 has pixels that are not finite; leave it out"):
        read_multifield(path).read_maps([4, 5])
    with pytest.raises(ValueError, match="map 9 has pixels that are not above 0 and have no logarithm"):
        read_multifield(path).read_logarithms([8, 9])


def test_maps_that_do_not_fit_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"maps of shape \(5, 2, 2\) cannot be of 2 simulations"):
        write_multifield(tmp_path, np.ones((5, 2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="'my_suite' has a `_`"):
        write_multifield(tmp_path, np.ones((4, 2, 2)), np.ones((2, 2)), suite="my_suite")
    assert not list(tmp_path.iterdir())
