import numpy as np
import pytest

from photoz_morph.mocks.depths import depth_folder, depth_shards, mock_depths
from photoz_morph.mocks.sample import mock_scenes
from photoz_morph.shards.mocks import find_mock_shards, read_mock_catalog, read_mock_shard
from tests.mocks.test_sample import write_scenes
from tests.support.broken_input import cut_short

YEARS = (0.5, 10)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("scenes"), n_shards=2)


@pytest.fixture(scope="module")
def galaxies(scenes, tmp_path_factory):
    """Rows of the mocks of the scenes 3 and 0, as a dataset has them."""
    folder = tmp_path_factory.mktemp("mocks")
    mock_scenes(scenes, folder, n_processes=1, progress=False)
    return read_mock_catalog(find_mock_shards(folder)[0])[0][[3, 0]]


@pytest.fixture(scope="module")
def mocks(scenes, galaxies, tmp_path_factory):
    folder = tmp_path_factory.mktemp("depths")
    mock_depths(scenes, galaxies, folder, YEARS, n_processes=1, progress=False)
    return folder


def stamps(folder, years):
    (path,) = depth_shards(folder, years)
    images, table, _ = read_mock_shard(path, years=(years,))
    return images[years], table


def test_only_the_chosen_galaxies_are_observed_with_their_own_rows(mocks, galaxies):
    for years in YEARS:
        _, table = stamps(mocks, years)
        assert sorted(table["obj_id"]) == [0, 3]
        row = list(table["obj_id"]).index(3)
        assert table["gini"][row] == galaxies["gini"][0] and table["label"][row] == galaxies["label"][0]


def test_noise_falls_with_the_square_root_of_the_years(mocks):
    corner = [stamps(mocks, years)[0][:, :30, :30] for years in YEARS]
    assert corner[0].std() / corner[1].std() == pytest.approx(np.sqrt(20), rel=0.05)  # 5,400 pixels
    assert abs(corner[0].mean() - corner[1].mean()) < 5 * corner[0].std() / np.sqrt(corner[0].size)


def test_a_further_depth_changes_no_other_and_finished_shards_are_kept(scenes, galaxies, mocks, tmp_path):
    mock_depths(scenes, galaxies, tmp_path, (10,), n_processes=1, progress=False)
    (kept,) = depth_shards(tmp_path, 10)
    before = kept.stat().st_mtime_ns
    mock_depths(scenes, galaxies, tmp_path, (0.5, 10), n_processes=1, progress=False)
    assert kept.stat().st_mtime_ns == before
    for years in YEARS:
        assert np.array_equal(stamps(tmp_path, years)[0], stamps(mocks, years)[0])
    (cut,) = depth_shards(tmp_path, 0.5)
    cut_short(cut)  # as a full disk leaves it
    mock_depths(scenes, galaxies, tmp_path, (0.5,), n_processes=1, progress=False)
    assert np.array_equal(stamps(tmp_path, 0.5)[0], stamps(mocks, 0.5)[0])


def test_scenes_of_another_simulation_are_refused(scenes, galaxies, mocks, tmp_path):
    other = galaxies.copy()
    other["gini"] += 0.05
    with pytest.raises(ValueError, match="Gini coefficient of .*give the folder of the scenes"):
        mock_depths(scenes, other, tmp_path, (10,), n_processes=1, progress=False)
    other["obj_id"] += 100
    with pytest.raises(ValueError, match="no scene of 2 of the 2 galaxies, the first is obj_id 100"):
        mock_depths(scenes, other, tmp_path, (10,), n_processes=1, progress=False)
    with pytest.raises(ValueError, match="another SEED .1.; remove the folder"):
        mock_depths(scenes, galaxies, mocks, (10,), seed=2, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="of other galaxies"):
        mock_depths(scenes, galaxies[:1], mocks, (10,), n_processes=1, progress=False)
    with pytest.raises(ValueError, match="at most 10"):
        mock_depths(scenes, galaxies, tmp_path, (11,), progress=False)


def test_folders_are_named_after_the_years(tmp_path):
    assert [depth_folder(tmp_path, years).name for years in (0.5, 1, 10.0)] == ["Y0.5", "Y1", "Y10"]
