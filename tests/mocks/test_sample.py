import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.mocks import sample
from photoz_morph.mocks.image_files import read_scene_image
from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.mocks.sample import MockSettings, mock_galaxy, mock_scene_list, mock_scenes
from photoz_morph.shards.mocks import (
    REQUIRED_COLUMNS,
    find_mock_shards,
    read_mock_catalog,
    read_mock_shard,
)
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC, Scene, scene_shard_path, write_scene_shard
from tests.support.broken_input import cut_short


def round_galaxy(x=0.0, y=0.0, radius=4.0, flux=3e5):
    """de Vaucouleurs profile with that half-light radius and place [kpc] and total flux [nJy], 500 x 500 pixels."""
    rows, columns = (np.indices((500, 500)) - 249.5) * NATIVE_PIXEL_KPC
    r = np.hypot(columns - x, rows - y) + 0.05
    profile = np.exp(-7.67 * (r / radius) ** 0.25)
    return flux * profile / profile.sum()


def write_scenes(folder, n_shards=2, scale=1.0):
    """Two scenes a shard: a round galaxy, and one with a companion that only g shows, 8 kpc away."""
    folder.mkdir(exist_ok=True)
    alone, pair = round_galaxy(), round_galaxy() + round_galaxy(x=8.0, radius=2.0)
    images = scale * np.array([np.stack([alone] * 3, axis=-1), np.stack([pair, alone, alone], axis=-1)])
    for i in range(n_shards):
        table = Table({"obj_id": 2 * i + np.arange(2), "group_id": [i, i], "intended_type": [1, 2]})
        table["redshift_of_view"] = [0.05, 0.05]
        write_scene_shard(scene_shard_path(folder, i), images, table)
    return folder


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def one_shard_each(monkeypatch):
    monkeypatch.setattr(sample, "SCENE_SHARDS_PER_SHARD", 1)


def test_sample_is_the_same_with_any_number_of_processes_and_after_a_stop(scenes, tmp_path, one_shard_each):
    counts = [mock_scenes(scenes, tmp_path / str(n), n_processes=n, progress=False) for n in (1, 2)]
    assert counts[0] == counts[1] and counts[0]["galaxies"] == 4
    one, two = (find_mock_shards(tmp_path / name) for name in "12")
    cut_short(two[0])  # as a full disk or a copy that was stopped leaves it
    untouched = two[1].stat().st_mtime_ns
    mock_scenes(scenes, tmp_path / "2", n_processes=1, progress=False)
    assert two[1].stat().st_mtime_ns == untouched
    for first, second in zip(one, two):
        (images, table, _), (others, other_table, _) = read_mock_shard(first), read_mock_shard(second)
        assert all(np.array_equal(images[year], others[year]) for year in (10, 1))
        assert table.colnames == other_table.colnames and np.array_equal(table["gini"], other_table["gini"])


def test_labels_are_measured_in_i_and_in_g(scenes, tmp_path):
    """A de Vaucouleurs profile is elliptical, two nuclei are a merger (Lotz et al. 2008)."""
    counts = mock_scenes(scenes, tmp_path, n_processes=1, progress=False)
    table, header = read_mock_catalog(tmp_path / "mocks-00000.fits")
    elliptical, merger = CLASS_NAMES.index("elliptical"), CLASS_NAMES.index("merger")
    assert table["label"].tolist() == [elliptical] * 4
    assert table["label_g"].tolist() == [elliptical, merger] * 2
    assert table["intended_type"].tolist() == [1, 2, 1, 2] and "redshift_of_view" in table.colnames
    assert table["subhalo_id"].tolist() == [-1] * 4 and header["ORIGIN"] == "simulated" and header["PIXSCALE"] == 1
    assert counts == {"galaxies": 4, "failed_measurements": 0, "spiral": 0, "elliptical": 4, "merger": 0}


def test_folder_of_other_settings_or_scenes_is_refused(scenes, tmp_path):
    options = {"n_processes": 1, "progress": False}
    mock_scenes(scenes, tmp_path / "mocks", **options)
    for changed, expected in (
        ({"seed": 2}, "SEED is 1, this sample has 2"), ({"binning": "sum"}, "BINNING is sample, this sample has sum"),
        ({"years": (10, 2)}, "YEARS is 10,1, this sample has 10,2"), ({"nested": True}, "NESTED is False"),
        ({"field_kpc": 20}, "PIXSCALE is 1.0, this sample has 0.2"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=expected):
            mock_scenes(scenes, tmp_path / "mocks", **options, **changed)
    with pytest.raises(ValueError, match="mocks-00000.fits: was made from other scenes"):
        mock_scenes(write_scenes(tmp_path / "brighter", scale=2.0), tmp_path / "mocks", **options)


def test_grown_sample_keeps_its_first_mocks(scenes, tmp_path):
    mock_scenes(scenes, tmp_path / "mocks", n_processes=1, progress=False)
    before = read_mock_shard(tmp_path / "mocks" / "mocks-00000.fits")[0]
    grown = write_scenes(tmp_path / "scenes", n_shards=3)
    assert mock_scenes(grown, tmp_path / "mocks", n_processes=1, progress=False)["galaxies"] == 6
    after = read_mock_shard(tmp_path / "mocks" / "mocks-00000.fits")[0]
    assert np.array_equal(after[10][:4], before[10])


def test_scene_without_light_is_counted_as_a_failed_measurement(tmp_path):
    dark = Scene(np.zeros((500, 500, 3), np.float32), NATIVE_PIXEL_KPC, 5, 5)
    counts = mock_scene_list([dark], tmp_path, progress=False)
    table, header = read_mock_catalog(tmp_path / "mocks-00000.fits")
    assert counts["galaxies"] == counts["failed_measurements"] == 1 and header["ORIGIN"] == "images"
    assert (table["label"][0], table["label_g"][0], table["flag"][0]) == (-1, -1, 1)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"years": (10, 0.5)}, r"years are \[10, 0.5\]; give whole numbers"),
        ({"seed": -1}, "seed is -1; choose one from 0 to"),
        ({"n_processes": 0}, "n_processes is 0; give at least 1"),
        ({"field_kpc": 300}, "field_kpc is 300; a stamp of 100 pixels can be"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(scenes, tmp_path, options, expected):
    with pytest.raises(ValueError, match=expected):
        mock_scenes(scenes, tmp_path / "mocks", progress=False, **options)
    assert not (tmp_path / "mocks").exists()


def test_obj_id_must_be_unique(tmp_path):
    folder = write_scenes(tmp_path / "scenes", n_shards=1)
    (folder / "scenes-00001.fits").write_bytes((folder / "scenes-00000.fits").read_bytes())
    with pytest.raises(ValueError, match="obj_id 0 occurs 2 times; keep one"):
        mock_scenes(folder, tmp_path / "mocks", progress=False)
    scene = Scene(np.zeros((20, 20, 3), np.float32), NATIVE_PIXEL_KPC, 5, 5)
    with pytest.raises(ValueError, match="obj_id 5 occurs 2 times; keep one"):
        mock_scene_list([scene, scene], tmp_path / "mocks", progress=False)


def test_hydrodynamical_merger_is_seen_with_its_companion(shared_data, tmp_path):
    """Bottrell et al. (2019): a face-on spiral with a companion at about 15 and 11 kpc, then the remnant."""
    path = shared_data / "realsim_hydro_merger" / "G2G3_e_orbit1_gri.npz"
    scenes = [
        read_scene_image(path, unit="mag/arcsec2", dataset=name, obj_id=i, group_id=0)
        for i, name in enumerate(("mu_186", "mu_214", "mu_346"))
    ]
    counts = mock_scene_list(scenes, tmp_path, binning="sum", progress=False)
    images, table, header = read_mock_shard(tmp_path / "mocks-00000.fits")
    assert counts["failed_measurements"] == 0 and not (table["flag"].any() or (table["label_g"] < 0).any())
    arcsec_of_source = 0.09765625 / 0.93343  # kpc per arcsec at z = 0.046 (astropy, cosmology of TNG)
    mu = np.load(path)["mu_346"].astype(float)
    flux = (10 ** (-0.4 * (mu - 31.4))).sum(axis=(1, 2)) * arcsec_of_source**2
    farther = (210.654 / 229.629) ** 2  # luminosity distances at z = 0.046 and 0.05 [Mpc] (the same)
    np.testing.assert_allclose(images[10][2].sum(axis=(0, 1)), flux * farther, rtol=1e-3)
    y, x = np.indices((100, 100)) - 49.5
    for stamp, kpc in zip(images[10], (15, 11)):
        centre = np.unravel_index(np.argmax(stamp[..., 2]), (100, 100))
        distance = np.hypot(y + 49.5 - centre[0], x + 49.5 - centre[1]) * header["PIXSCALE"] * 1.0098
        companion = np.argmax(np.where(distance > 7, stamp[..., 2], 0))
        assert distance.ravel()[companion] == pytest.approx(kpc, abs=2)


def test_a_mock_depends_on_its_own_scene_and_the_seed_alone(tmp_path):
    scenes = [Scene(np.stack([round_galaxy()] * 3, axis=-1).astype(np.float32), NATIVE_PIXEL_KPC, i, i) for i in (4, 9)]
    together = [mock_galaxy(scene, MockSettings(seed=3))[0] for scene in scenes]
    alone = mock_galaxy(scenes[1], MockSettings(seed=3))[0]
    assert np.array_equal(alone[10], together[1][10]) and not np.array_equal(alone[10], together[0][10])
    assert not np.array_equal(alone[1], mock_galaxy(scenes[1], MockSettings(seed=4))[0][1])


def test_columns_measured_here_stand_above_those_of_the_scene():
    scene = Scene(
        np.stack([round_galaxy()] * 3, axis=-1).astype(np.float32),
        NATIVE_PIXEL_KPC,
        4,
        2,
        0,
        {"gini": 9.0, "snapshot": 95},
    )
    row = mock_galaxy(scene, MockSettings())[1]
    assert 0.5 < row["gini"] < 0.7 and row["snapshot"] == 95 and row["subhalo_id"] == -1  # Lotz et al. (2004), Fig. 9
    assert set(REQUIRED_COLUMNS) <= set(row)
