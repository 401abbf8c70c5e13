import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.shards.galaxy_maps import find_map_shards, map_shard_path, read_map_catalog, read_map_shard
from photoz_morph.simulation.populations import sample
from photoz_morph.simulation.populations.sample import MapSettings, draw_kind, simulate_galaxy, simulate_maps
from photoz_morph.system.threads import one_thread
from tests.support.maps import N_MAPS, SETTINGS, few_encounters


def test_a_galaxy_is_a_function_of_its_index(maps_dir):
    images, maps, brightness, catalog, header = read_map_shard(map_shard_path(maps_dir, 0))
    assert len(catalog) == N_MAPS and (header["SEED"], header["SIZE"], header["PIXSCALE"]) == (3, 32, 0.4)
    with few_encounters(), one_thread():
        for index in (0, 7, N_MAPS - 1):
            image, its_maps, its_brightness, row = simulate_galaxy(SETTINGS, index, maps_dir / "encounters")
            # The last digits of float32 depend on where arrays lie in memory.
            assert np.mean(image == images[index]) > 0.99
            np.testing.assert_allclose(its_maps, maps[index], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(its_brightness, brightness[index], rtol=1e-5, atol=1e-4)
            for name in catalog.colnames:
                assert row[name] == pytest.approx(catalog[name][index], rel=1e-5, abs=1e-5)


def test_views_of_an_encounter_are_a_group_and_all_others_are_alone(maps_dir):
    catalog, _ = read_map_catalog(map_shard_path(maps_dir, 0))
    mergers = catalog["encounter"] >= 0
    np.testing.assert_array_equal(mergers, catalog["kind"] == 4)
    np.testing.assert_array_equal(catalog["group_id"][~mergers], catalog["obj_id"][~mergers])
    pairs = set(zip(catalog["encounter"][mergers].tolist(), catalog["group_id"][mergers].tolist()))
    assert len(pairs) == len(set(catalog["encounter"][mergers])) == 2 < mergers.sum()
    assert not set(catalog["group_id"][mergers]) & set(catalog["obj_id"])


def test_noise_is_that_of_the_camera(maps_dir):
    """In r, where light adds few photons: the sky has 1900 nJy per pixel."""
    images, _, brightness, _, header = read_map_shard(map_shard_path(maps_dir, 0))
    sigma = float(header["SIGMA"].split(",")[1])
    dark = brightness < 30 * sigma
    assert dark.sum() > 2000
    noise = (images[..., 1] - brightness)[dark] / sigma
    assert noise.std() == pytest.approx(1.0, abs=0.1) and abs(noise.mean()) < 0.1


def test_fewer_years_have_more_noise_and_the_same_galaxies(maps_dir):
    with few_encounters(), one_thread():
        deep, shallow = (simulate_galaxy(MapSettings(years, 32, 3), 0, maps_dir / "encounters") for years in (10, 1))
    np.testing.assert_allclose(deep[1], shallow[1], rtol=1e-5, atol=1e-5)
    residuals = [np.std(found[0][..., 1] - found[2]) for found in (deep, shallow)]
    assert residuals[1] / residuals[0] == pytest.approx(10**0.5, rel=0.1)


def test_kinds_have_their_fractions():
    kinds = np.array([draw_kind(1, index)[0] for index in range(2000)])
    for kind, fraction in sample.FRACTIONS.items():
        assert np.mean(kinds == kind) == pytest.approx(fraction, abs=0.03)


def test_a_sample_goes_on_where_it_stopped(maps_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "SHARD_SIZE", 4)
    monkeypatch.setattr(sample, "FRACTIONS", {2: 0.5, 3: 0.5})  # no mergers
    settings = MapSettings(size=32, seed=5)
    assert simulate_maps(tmp_path, 4, settings, 1, progress=False) == {"galaxies": 4, "mergers": 0}
    first = map_shard_path(tmp_path, 0).stat().st_mtime_ns
    assert simulate_maps(tmp_path, 6, settings, 1, progress=False)["galaxies"] == 6
    assert map_shard_path(tmp_path, 0).stat().st_mtime_ns == first
    assert [len(read_map_catalog(path)[0]) for path in find_map_shards(tmp_path)] == [4, 2]
    with pytest.raises(ValueError, match="YEARS is 10.0, this sample has 1.0; remove the folder or write to another"):
        simulate_maps(tmp_path, 6, MapSettings(1, 32, 5), 1, progress=False)
    with pytest.raises(ValueError, match="maps-00001.fits: lies beyond the n_galaxies asked for"):
        simulate_maps(tmp_path, 4, settings, 1, progress=False)
    with pytest.raises(ValueError, match="n_galaxies is 0"):
        simulate_maps(tmp_path, 0, settings, 1, progress=False)
    assert str(fits.getheader(map_shard_path(tmp_path, 0))["RECIPE"]) == "P1"


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"years": 11}, "years is 11; give a number above 0, at most 10"),
        ({"size": 33}, "size is 33; give an even number from 32 to 218 pixels"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MapSettings(**wrong)
