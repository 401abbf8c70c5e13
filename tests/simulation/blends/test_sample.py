"""A simulated sample of blended fields on disk: reproducible, resumable, refused where it is another one."""

import numpy as np
import pytest

from photoz_morph.shards.blends import blend_shard_path, find_blend_shards, read_blend_catalog, read_blend_shard
from photoz_morph.simulation.blends import sample as blend_sample
from photoz_morph.simulation.blends.parents import load_parents
from photoz_morph.simulation.blends.sample import simulate_blends
from photoz_morph.simulation.blends.scenes import BlendSettings, simulate_field

PAIRS = BlendSettings(kind="pairs", seed=3)
N = 10


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setitem(blend_sample.SHARD_SIZES, "pairs", 4)


@pytest.fixture
def folder(blend_pool_dir, tmp_path):
    """Empty folder for a sample that finds its parents made."""
    (tmp_path / "parents").symlink_to(blend_pool_dir)
    return tmp_path


def read_all(folder):
    return [image for path in find_blend_shards(folder) for image in read_blend_shard(path)[0]]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other):
        assert a.obj_id == b.obj_id
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.instances, b.instances)
        np.testing.assert_array_equal(a.pixels, b.pixels)
        for name in a.sources.colnames:
            np.testing.assert_array_equal(a.sources[name], b.sources[name])


def simulate(folder, n=N, settings=PAIRS, n_processes=1):
    return simulate_blends(folder, n, settings, 40, n_processes=n_processes, progress=False)


def test_two_processes_write_what_one_writes_whatever_the_shards(folder, blends_dir):
    assert simulate(folder, n_processes=2) == {"images": N, "sources": 2 * N}
    assert [path.name for path in find_blend_shards(folder)] == [f"blends-{i:05d}.fits" for i in range(3)]
    assert_same(read_all(folder), read_all(blends_dir)[:N])  # that was made in one shard by one process


def test_an_image_comes_back_as_it_was_simulated(blends_dir, blend_pool_dir):
    stored = read_all(blends_dir)[7]
    field = simulate_field(PAIRS, 7, load_parents(str(blend_pool_dir), 3, 40))
    np.testing.assert_array_equal(stored.image, field.image)
    np.testing.assert_array_equal(stored.instances, field.instances)
    for whole, image in zip(stored.source_images(), field.source_images):
        np.testing.assert_array_equal(whole[image.where], image.pixels)
        assert np.count_nonzero(whole) == np.count_nonzero(image.pixels)
    for name, values in field.columns.items():
        np.testing.assert_array_equal(stored.sources[name], values)


def test_a_stopped_run_resumes_and_keeps_what_is_complete(folder):
    simulate(folder)
    reference, shards = read_all(folder), find_blend_shards(folder)
    kept = shards[0].stat().st_mtime_ns
    shards[1].rename(shards[1].with_name(shards[1].name + ".part"))  # as a kill leaves it
    shards[2].write_bytes(shards[2].read_bytes()[:-20_000])  # as a full disk leaves it
    simulate(folder)
    assert shards[0].stat().st_mtime_ns == kept
    assert_same(read_all(folder), reference)
    assert not list(folder.glob("*.part"))


def test_an_enlarged_sample_keeps_its_first_images(folder):
    simulate(folder, 6)
    first = read_all(folder)
    simulate(folder, N)
    assert_same(read_all(folder)[:6], first)


def test_an_empty_scene_is_an_image_like_any_other(folder):
    settings = BlendSettings(size=32, faintest=18.5, seed=3)
    counts = simulate(folder, 5, settings)
    images = read_all(folder)
    empty = [image for image in images if len(image.sources) == 0]
    assert counts["images"] == 5 and empty
    assert empty[0].source_images().shape == (0, 32, 32, 3) and not empty[0].classes().any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_images": 0}, "n_images is 0; ask for at least one"),
        ({"n_images": 3, "settings": BlendSettings(seed=-1)}, "seed is -1; choose one from 0"),
        ({"n_images": 3, "n_parents": 10}, "n_parents is 10; ask for at least 40"),
        ({"n_images": 3, "n_processes": 0}, "n_processes is 0"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_blends(tmp_path / "new", **arguments, progress=False)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_settings_or_of_more_images_is_refused(folder):
    simulate(folder)
    for settings, message in (
        (BlendSettings(kind="pairs", seed=3, years=1), "YEARS is 10.0, this sample has 1.0"),
        (BlendSettings(seed=3), "KIND is pairs, this sample has scenes; remove the folder or write to another one"),
    ):
        with pytest.raises(ValueError, match=message):
            simulate(folder, settings=settings)
    with pytest.raises(ValueError, match="blends-00002.fits: lies beyond the n_images"):
        simulate(folder, 8)


def test_scenes_take_less_than_400_kb(folder):
    simulate(folder, 4, BlendSettings(seed=3))
    size = blend_shard_path(folder, 0).stat().st_size
    assert read_blend_catalog(blend_shard_path(folder, 0))[0]["n_sources"].sum() > 40
    assert size / 4 < 400_000
