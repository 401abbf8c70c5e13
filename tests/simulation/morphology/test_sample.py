"""A simulated morphology sample on disk: reproducible, resumable, its rejections counted, its labels like TNG100's."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import vstack

from photoz_morph.mocks.labels import MERGER
from photoz_morph.shards.scenes import find_scene_shards, iter_scenes, read_scene_catalog
from photoz_morph.simulation.morphology import sample as morphology_sample
from photoz_morph.simulation.morphology.sample import simulate_galaxy, simulate_morphology

SEED = 6
N = 9  # objects of the sample, in shards of four


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(morphology_sample, "SHARD_SIZE", 4)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Folder of nine objects, made by one process, and what was counted."""
    folder = tmp_path_factory.mktemp("morph") / "sample"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(morphology_sample, "SHARD_SIZE", 4)
        return folder, simulate_morphology(folder, N, SEED, n_processes=1, progress=False)


@pytest.fixture
def with_encounters(sample, tmp_path):
    """Empty folder for a sample that finds its encounters made."""
    (tmp_path / "encounters").symlink_to(sample[0] / "encounters")
    return tmp_path


def read_all(folder):
    paths = find_scene_shards(folder)
    images = np.stack([scene.image for path in paths for scene in iter_scenes(path)])
    return images, vstack([read_scene_catalog(path)[0] for path in paths])


def assert_same(folder, reference):
    images, table = read_all(folder)
    np.testing.assert_array_equal(images, reference[0])
    for name in reference[1].colnames:
        np.testing.assert_array_equal(table[name], reference[1][name])


def test_two_processes_write_what_one_writes(sample, with_encounters):
    counts = simulate_morphology(with_encounters, N, SEED, n_processes=2, progress=False)
    assert [path.name for path in find_scene_shards(with_encounters)] == [f"scenes-{i:05d}.fits" for i in range(3)]
    assert counts == sample[1]
    assert_same(with_encounters, read_all(sample[0]))


def test_objects_do_not_depend_on_the_shards_they_lie_in(sample):
    images, table = read_all(sample[0])
    image, row, _ = simulate_galaxy(SEED, 6, sample[0] / "encounters")
    np.testing.assert_allclose(images[6], image, rtol=1e-3)  # the shard's steps of 0.001 mag
    for name, value in row.items():
        np.testing.assert_array_equal(table[name][6], value)


def test_a_stopped_run_resumes_and_keeps_what_is_complete(sample):
    folder = sample[0]
    reference = read_all(folder)
    shards = find_scene_shards(folder)
    kept = shards[0].stat().st_mtime_ns
    shards[1].rename(shards[1].with_name(shards[1].name + ".part"))  # as a kill leaves it
    shards[2].write_bytes(shards[2].read_bytes()[:-40_000])  # as a full disk leaves it
    assert simulate_morphology(folder, N, SEED, n_processes=1, progress=False) == sample[1]
    assert shards[0].stat().st_mtime_ns == kept
    assert_same(folder, reference)
    assert not list(folder.glob("*.part"))


def test_rejected_candidates_are_counted_by_reason(sample):
    folder, counts = sample
    table = read_all(folder)[1]
    assert counts["galaxies"] == len(table) == N
    assert counts["candidates"] == table["n_candidates"].sum()
    assert counts["candidates"] == N + counts["empty"] + counts["not_measured"] + counts["resampled"]
    assert counts["resampled"] > 0
    headers = [fits.getheader(path) for path in find_scene_shards(folder)]
    assert sum(header["NRESAMP"] for header in headers) == counts["resampled"]


def test_views_of_one_encounter_are_one_group_and_other_objects_their_own(sample):
    table = read_all(sample[0])[1]
    np.testing.assert_array_equal(table["obj_id"], SEED * 10**10 + np.arange(N))
    mergers = table[table["intended_type"] == MERGER]
    assert len(mergers) > 0 and (mergers["encounter"] >= 0).all()
    np.testing.assert_array_equal(mergers["group_id"] - mergers["encounter"], SEED * 10**10 + 9 * 10**9)
    others = table[table["intended_type"] != MERGER]
    assert (others["encounter"] == -1).all()
    np.testing.assert_array_equal(others["group_id"], others["obj_id"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_galaxies": 0, "seed": 1}, "n_galaxies is 0; ask for at least one"),
        ({"n_galaxies": 5, "seed": -1}, "seed is -1; choose one from 0"),
        ({"n_galaxies": 5, "seed": 1, "n_processes": 0}, "n_processes is 0"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_morphology(tmp_path / "new", **arguments, progress=False)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_another_seed_or_of_more_galaxies_is_refused(sample):
    with pytest.raises(ValueError, match="SEED is 6, this sample has 7; remove the folder or write to another"):
        simulate_morphology(sample[0], N, SEED + 1, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="scenes-00002.fits: lies beyond the n_galaxies"):
        simulate_morphology(sample[0], 8, SEED, n_processes=1, progress=False)


def test_a_file_that_is_no_shard_is_named(tmp_path):
    (tmp_path / "scenes-00000.fits").write_text("notes")
    with pytest.raises(ValueError, match="scenes-00000.fits: cannot be read as FITS"):
        simulate_morphology(tmp_path, 3, SEED, n_processes=1, progress=False)


def test_columns_have_units_and_truth_only_where_it_applies(sample):
    table = read_all(sample[0])[1]
    assert str(table["separation"].unit) == "kpc" and str(table["abs_mag_r"].unit) == "mag"
    is_merger = table["intended_type"] == MERGER
    np.testing.assert_array_equal(np.isnan(table["r_e"]), is_merger)
    np.testing.assert_array_equal(np.isfinite(table["mass_ratio"]), is_merger)
