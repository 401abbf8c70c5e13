import numpy as np
import pytest

from photoz_morph.shards.multifields import read_multifield
from photoz_morph.simulation.cosmology import sample
from photoz_morph.simulation.cosmology.lognormal import FieldSettings, simulate_fields
from photoz_morph.simulation.cosmology.sample import write_fields

SETTINGS = FieldSettings(n_pixels=16, box_size=64.0, maps_per_simulation=2, seed=5)


def test_files_hold_the_fields_and_the_parameters_of_each_simulation(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "CHUNK", 4)  # three tasks
    found = read_multifield(write_fields(tmp_path, 10, SETTINGS, 1, progress=False))
    fields, parameters = simulate_fields(SETTINGS, range(10))
    np.testing.assert_array_equal(found.maps, 1 + fields)
    np.testing.assert_array_equal(found.parameters, parameters)
    np.testing.assert_array_equal(found.simulation, np.arange(10) // 2)
    assert found.names == ("Omega_m", "sigma_8")


def test_numbers_that_make_no_sample_are_refused(tmp_path):
    with pytest.raises(ValueError, match="n_fields is 3; ask for a multiple of the 2 maps of a simulation"):
        write_fields(tmp_path, 3, SETTINGS, 1)
    with pytest.raises(ValueError, match="n_fields is 0"):
        write_fields(tmp_path, 0, SETTINGS, 1)
