"""A simulated morphology sample on disk: reproducible, resumable, its rejections counted, its labels like TNG100's."""


import numpy as np
import pytest
from astropy.io import fits
from astropy.table import vstack
from scipy.spatial.distance import cdist

from photoz_morph.mocks.labels import ELLIPTICAL, MERGER, SPIRAL, classify
from photoz_morph.shards.scenes import find_scene_shards, iter_scenes, read_scene_catalog
from photoz_morph.simulation.morphology import candidates
from photoz_morph.simulation.morphology import sample as morphology_sample
from photoz_morph.simulation.morphology.candidates import (
    N_ENCOUNTERS,
    TYPE_FRACTIONS,
    AcceptanceTable,
    draw_accepted,
    draw_type,
    measure,
)
from photoz_morph.simulation.morphology.populations import StellarMaps
from photoz_morph.simulation.morphology.sample import simulate_galaxy, simulate_morphology
from tests.support.paths import DATA

SEED = 6
N = 9  # objects of the sample, in shards of four
TNG_CATALOGUE = DATA / "tng100_gini_m20.npz"


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


def test_a_stopped_run_goes_on_and_keeps_what_is_complete(sample):
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


def test_a_stamp_without_light_and_a_flat_plate_are_rejected():
    dark = np.zeros((500, 500), np.float32)
    assert measure(StellarMaps({"old": dark}))[2] == "empty"
    assert measure(StellarMaps({"old": dark + np.float32(np.nan)}))[2] == "empty"
    rows, columns = np.indices(dark.shape) - 249.5
    plate = (np.hypot(rows, columns) < 60).astype(np.float32)
    assert measure(StellarMaps({"old": plate}))[2] == "not_measured"


def test_views_of_one_encounter_are_one_group_and_other_objects_their_own(sample):
    table = read_all(sample[0])[1]
    np.testing.assert_array_equal(table["obj_id"], SEED * 10**10 + np.arange(N))
    mergers = table[table["intended_type"] == MERGER]
    assert len(mergers) > 0 and (mergers["encounter"] >= 0).all()
    np.testing.assert_array_equal(mergers["group_id"] - mergers["encounter"], SEED * 10**10 + 9 * 10**9)
    others = table[table["intended_type"] != MERGER]
    assert (others["encounter"] == -1).all()
    np.testing.assert_array_equal(others["group_id"], others["obj_id"])


def test_types_come_in_the_stated_shares_and_mergers_use_the_whole_pool():
    types, encounters = np.transpose([draw_type(3, i) for i in range(6000)])
    np.testing.assert_allclose(np.bincount(types) / 6000, TYPE_FRACTIONS, atol=0.02)  # 3 sigma
    assert set(encounters[types != MERGER]) == {-1}
    assert len(set(encounters[types == MERGER])) > 0.99 * N_ENCOUNTERS


def test_every_cell_of_the_acceptance_table_is_a_probability_above_zero():
    table = AcceptanceTable()
    assert table.acceptance.shape == (len(table.gini), len(table.m20))
    assert (table.acceptance > 0).all() and (table.acceptance <= 1).all()
    # The nearest cell answers, and the outermost one beyond the grid.
    assert table(table.gini[3] + 0.002, table.m20[5] - 0.01) == table.acceptance[3, 5]
    assert table(0.99, 0.0) == table.acceptance[-1, -1]


@pytest.fixture(scope="module")
def drawn(sample):
    """Intended type, and (G, M20) of the first and of the accepted candidate, of a hundred objects."""
    measured, rows = [], []

    def measure_and_note(galaxy):
        measured.append(measure(galaxy))
        return measured[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "N_ENCOUNTERS", 5)
        patch.setattr(candidates, "measure", measure_and_note)
        for index in range(100):
            start = len(measured)
            intended_type = draw_accepted(SEED, index, sample[0] / "encounters")[1]
            rows.append((intended_type, *measured[start][:2], *measured[-1][:2]))
    rows = np.array(rows)
    return rows[:, 0].astype(int), rows[:, 1:3], rows[:, 3:]


def test_accepted_objects_are_more_like_tng100_than_the_candidates(drawn):
    """Energy distance in the (G, M20) plane to good TNG100 galaxies with the label shares of the released arrays."""
    _, first, accepted = drawn
    target = tng_sample(2000)
    assert energy_distance(accepted, target) < energy_distance(first[np.isfinite(first[:, 0])], target)
    # The labels are those of the released arrays, 43, 24 and 33 %; 100 objects give a share to 5 %.
    label = classify(*accepted.T)
    np.testing.assert_allclose(np.bincount(label) / len(label), [0.427, 0.243, 0.330], atol=0.15)


def test_most_spirals_and_ellipticals_have_the_label_intended(drawn):
    intended_type, _, accepted = drawn
    label = classify(*accepted.T)
    for kind in (SPIRAL, ELLIPTICAL):
        assert (label[intended_type == kind] == kind).mean() > 0.6


def tng_sample(n):
    """Gini and M20 of good TNG100 galaxies, drawn with the label shares of Ciprijanovic et al. (2021)."""
    stored = np.load(TNG_CATALOGUE)
    good = stored["flag"] == 0
    points = np.column_stack([stored["gini"][good], stored["m20"][good]])
    label = classify(*points.T)
    weight = (np.array([10_017, 5_705, 7_765]) / np.bincount(label))[label]
    return points[np.random.default_rng(0).choice(len(points), n, p=weight / weight.sum())]


def energy_distance(a, b):
    """Szekely & Rizzo (2013), Eq. 5, with the axes in units of the standard deviation of TNG100 spirals."""
    a, b = (np.asarray(points) / [0.03, 0.2] for points in (a, b))
    return 2 * cdist(a, b).mean() - cdist(a, a).mean() - cdist(b, b).mean()


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
