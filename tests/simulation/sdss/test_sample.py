"""A simulated sample on disk: reproducible, resumable, and as hard for a photometric estimator as the real one."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import vstack
from sklearn.neighbors import NearestNeighbors

from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.shards.stacks import find_shards, read_shard
from photoz_morph.simulation.sdss import sample
from photoz_morph.simulation.sdss.population import Parents
from photoz_morph.simulation.sdss.sample import noiseless_image, simulate_galaxy, simulate_sample
from photoz_morph.simulation.sdss.tables import load_table
from photoz_morph.surveys import SDSS


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(sample, "SHARD_SIZE", 20)


@pytest.fixture(scope="module")
def photometry():
    """Rows of 6,000 objects, without their images."""
    rows = [simulate_galaxy(77, i)[1] for i in range(6000)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def read_all(folder):
    images, tables, _ = zip(*map(read_shard, find_shards(folder)))
    return np.concatenate(images), vstack(tables)


def assert_same(folder, reference):
    images, table = read_all(folder)
    expected_images, expected_table = reference
    np.testing.assert_array_equal(images, expected_images)
    for name in expected_table.colnames:
        np.testing.assert_array_equal(table[name], expected_table[name])


def test_two_processes_write_what_one_writes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    simulate_sample(one, 70, seed=5, n_processes=1, progress=False)
    simulate_sample(two, 70, seed=5, n_processes=2, progress=False)
    assert [path.name for path in find_shards(two)] == [f"stacks-{i:05d}.fits" for i in range(4)]
    assert_same(two, read_all(one))


def test_deep_fraction_makes_so_many_stacks_deep_and_changes_no_galaxy():
    few, many = ([simulate_galaxy(77, i, deep_fraction=share)[1] for i in range(300)] for share in (0.03, 0.5))
    assert np.mean([row["n_frames"][0] >= 10 for row in many]) == pytest.approx(0.5, abs=0.09)  # 3 binomial errors
    single = np.mean([row["n_frames"][0] == 1 for row in many if row["n_frames"][0] < 10])
    assert single == pytest.approx(0.70 / 0.97, abs=0.11)
    assert [row["z_spec"] for row in few] == [row["z_spec"] for row in many]
    with pytest.raises(ValueError, match="deep_fraction is 2; it is a fraction of the galaxies"):
        simulate_sample("nowhere", 10, 1, deep_fraction=2)


def test_seeing_widens_the_images_and_changes_no_galaxy(tmp_path):
    """Second moments grow by those of the PSF: FWHM^2 / 8 ln 2 in each band, for the same light."""
    rows = {seeing: [simulate_galaxy(77, i, seeing=seeing)[1] for i in range(30)] for seeing in (1.0, 1.5)}
    for one, other in zip(*rows.values()):
        np.testing.assert_allclose(other["psf_fwhm"], 1.5 * one["psf_fwhm"], rtol=1e-5)
        for name in ("z_spec", "true_mags", "n_frames", "sky_sigma", "r_e", "obj_id", "group_id"):
            np.testing.assert_array_equal(one[name], other[name])
    images = [noiseless_image(77, 3, with_neighbours=False, seeing=seeing) for seeing in (1.0, 1.5)]
    np.testing.assert_allclose(images[1].sum(axis=(0, 1)), images[0].sum(axis=(0, 1)), rtol=0.02)
    assert np.all(images[1].max(axis=(0, 1)) < 0.85 * images[0].max(axis=(0, 1)))
    simulate_sample(tmp_path, 20, seed=5, n_processes=1, progress=False, seeing=1.5)
    with pytest.raises(ValueError, match="SEEING is 1.5, this sample has None; remove the folder or write to another"):
        simulate_sample(tmp_path, 20, seed=5, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="seeing is 9; it is in units of the survey's, from 0.5 to 5"):
        simulate_sample(tmp_path, 20, 5, seeing=9)


def test_objects_do_not_depend_on_the_shards_they_lie_in(tmp_path):
    simulate_sample(tmp_path, 50, seed=5, n_processes=1, progress=False)
    images, table = read_all(tmp_path)
    image, row = simulate_galaxy(5, 43)
    np.testing.assert_array_equal(images[43], image)
    assert table["obj_id"][43] == row["obj_id"] and table["z_spec"][43] == row["z_spec"]


def test_a_stopped_run_resumes_and_keeps_what_is_complete(tmp_path):
    simulate_sample(tmp_path, 60, seed=5, n_processes=1, progress=False)
    reference = read_all(tmp_path)
    shards = find_shards(tmp_path)
    kept = shards[0].stat().st_mtime_ns
    shards[1].rename(shards[1].with_name(shards[1].name + ".part"))  # as a kill leaves it
    shards[2].write_bytes(shards[2].read_bytes()[:-40_000])  # as a full disk leaves it
    simulate_sample(tmp_path, 60, seed=5, n_processes=1, progress=False)
    assert shards[0].stat().st_mtime_ns == kept
    assert_same(tmp_path, reference)
    assert not list(tmp_path.glob("*.part"))


def test_a_larger_sample_keeps_its_first_objects(tmp_path):
    simulate_sample(tmp_path, 30, seed=5, n_processes=1, progress=False)
    images, table = read_all(tmp_path)
    simulate_sample(tmp_path, 75, seed=5, n_processes=1, progress=False)
    more_images, more_table = read_all(tmp_path)
    assert len(more_table) == 75 and len(np.unique(more_table["obj_id"])) == 75
    np.testing.assert_array_equal(more_images[:30], images)


def test_seeds_share_no_object():
    ids = [simulate_galaxy(seed, i)[1]["obj_id"] for seed in (0, 1, 900_000_000) for i in (0, 1, 2)]
    assert len(set(ids)) == 9
    assert simulate_galaxy(0, 0)[1]["z_spec"] != simulate_galaxy(1, 0)[1]["z_spec"]


def test_a_folder_of_another_seed_is_refused(tmp_path):
    simulate_sample(tmp_path, 3, seed=5, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="SEED is 5, this sample has 6; remove the folder or write to another"):
        simulate_sample(tmp_path, 3, seed=6, n_processes=1, progress=False)


def test_real_stacks_are_never_overwritten(tmp_path):
    simulate_sample(tmp_path, 3, seed=5, n_processes=1, progress=False)
    fits.setval(find_shards(tmp_path)[0], "ORIGIN", value="stacked")
    with pytest.raises(ValueError, match="ORIGIN is stacked"):
        simulate_sample(tmp_path, 3, seed=5, n_processes=1, progress=False)


def test_a_file_that_is_no_shard_is_named(tmp_path):
    (tmp_path / "stacks-00000.fits").write_text("notes")
    with pytest.raises(ValueError, match="stacks-00000.fits: cannot be read as FITS"):
        simulate_sample(tmp_path, 3, seed=5, n_processes=1, progress=False)


def test_a_folder_with_more_galaxies_than_requested_is_refused(tmp_path):
    simulate_sample(tmp_path, 30, seed=5, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="stacks-00001.fits: lies beyond the n_galaxies"):
        simulate_sample(tmp_path, 20, seed=5, n_processes=1, progress=False)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_galaxies": 0, "seed": 1}, "n_galaxies is 0; ask for at least one"),
        ({"n_galaxies": 5, "seed": -1}, "seed is -1; choose one from 0"),
        ({"n_galaxies": 5, "seed": 10**9}, "choose one from 0 to 900000000"),
        ({"n_galaxies": 5, "seed": 1, "n_processes": 0}, "n_processes is 0"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_sample(tmp_path / "new", **arguments, progress=False)
    assert not (tmp_path / "new").exists()


def test_header_and_table_say_what_the_sample_is(tmp_path):
    simulate_sample(tmp_path, 5, seed=5, n_processes=1, progress=False)
    images, table, header = read_shard(find_shards(tmp_path)[0])
    assert (header["ORIGIN"], header["SEED"], header["SURVEY"]) == ("simulated", 5, "sdss")
    assert str(table["mags"].unit) == "mag" and str(table["r_e"].unit) == "arcsec"
    assert table["mags"].shape == (5, 5)
    assert set(table["group_id"]) <= set(Parents().parent_id)


def test_noise_is_what_separates_the_stack_from_the_noiseless_image():
    image, row = simulate_galaxy(9, 4)
    residual = image - noiseless_image(9, 4)
    border = np.ones(residual.shape[:2], bool)
    border[12:-12, 12:-12] = False
    # 2,496 pixels: 1.4 %; sources there add photon noise of a few per cent.
    np.testing.assert_allclose(residual[border].std(axis=0), row["sky_sigma"], rtol=0.1)


def test_noiseless_image_can_leave_the_neighbours_out():
    index = next(i for i in range(100) if simulate_galaxy(9, i)[1]["n_neighbours"] > 2)
    assert noiseless_image(9, index).sum() > noiseless_image(9, index, with_neighbours=False).sum()


def test_signal_to_noise_is_that_of_the_real_catalogue(photometry):
    # Medians of the model fluxes of 9,799 real MGS galaxies (17.9, 153, 209, 206, 93).
    np.testing.assert_allclose(np.median(photometry["snr"], axis=0), [17.9, 153, 209, 206, 93], rtol=0.06)


def test_photometric_redshifts_are_as_hard_as_the_real_ones(photometry):
    """A local-linear k-NN, after Beck et al. (2016), scores on simulated images as on the real catalogue."""
    magnitudes = photometry["mags"] - photometry["ebv"][:, None] * np.array(SDSS.extinction_per_ebv)
    features = np.column_stack([magnitudes[:, 2], magnitudes[:, :-1] - magnitudes[:, 1:]])
    simulated = knn_sigma_mad(features, photometry["z_spec"], assign_fold(photometry["group_id"]))
    table = load_table("mgs_parents.npz")
    features = np.column_stack([table["petro_r"], table["colour"]]).astype(float)
    real = knn_sigma_mad(features, table["z"].astype(float), assign_fold(table["parent_id"]))
    assert real == pytest.approx(0.0130, abs=0.0004)
    # 6,000 galaxies give sigma_MAD to 2 %, and the smaller training set costs about as much.
    assert simulated == pytest.approx(0.0130, abs=0.0010)


def test_noise_is_what_limits_the_photometry(photometry):
    magnitudes = photometry["true_mags"] - photometry["ebv"][:, None] * np.array(SDSS.extinction_per_ebv)
    features = np.column_stack([magnitudes[:, 2], magnitudes[:, :-1] - magnitudes[:, 1:]])
    assert knn_sigma_mad(features, photometry["z_spec"], assign_fold(photometry["group_id"])) < 0.0105


def knn_sigma_mad(features, z, fold, n_neighbours=100):
    """Cross-validated sigma_MAD of a linear fit to the nearest galaxies, outliers clipped at 3 sigma."""
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    z_phot = np.empty(len(z))
    for k in np.unique(fold):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        nearest = train[NearestNeighbors(n_neighbors=n_neighbours).fit(features[train]).kneighbors(features[test])[1]]
        for galaxy, rows in zip(test, nearest):
            design = np.column_stack([np.ones(n_neighbours), features[rows] - features[galaxy]])
            keep = np.ones(n_neighbours, bool)
            for _ in range(2):
                fit = np.linalg.lstsq(design[keep], z[rows][keep])[0]
                residual = np.abs(z[rows] - design @ fit)
                keep = residual < 3 * residual[keep].std()
            z_phot[galaxy] = fit[0]
    residuals = (z_phot - z) / (1 + z)
    return 1.4826 * np.median(np.abs(residuals - np.median(residuals)))


def test_fewer_bands_are_the_same_galaxies_without_the_others(tmp_path):
    simulate_sample(tmp_path / "all", 3, seed=5, n_processes=1, progress=False)
    simulate_sample(tmp_path / "griz", 3, seed=5, n_processes=1, progress=False, bands="griz")
    (images, table), (fewer, columns) = read_all(tmp_path / "all"), read_all(tmp_path / "griz")
    np.testing.assert_array_equal(fewer, images[..., 1:])
    np.testing.assert_array_equal(columns["mags"], np.asarray(table["mags"])[:, 1:])
    np.testing.assert_array_equal(columns["z_spec"], table["z_spec"])
    with pytest.raises(ValueError):  # the shards of another survey
        simulate_sample(tmp_path / "all", 3, seed=5, n_processes=1, progress=False, bands="griz")
