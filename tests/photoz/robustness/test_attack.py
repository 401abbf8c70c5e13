import dataclasses
import warnings

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.photoz.robustness.attack import AttackPlan, attack_run
from photoz_morph.photoz.robustness.attack_files import attack_format, read_attacks
from photoz_morph.photoz.robustness.noise import stack_noise
from photoz_morph.robustness.few_pixels.laplacian import caught_pixels
from photoz_morph.robustness.few_pixels.smallest import SmallestOptions
from photoz_morph.surveys import SDSS
from photoz_morph.system.locks import locked
from tests.support.one_pixel_networks import one_pixel_run, smallest_move

PIXELS = ((3, 50, 1), (60, 8, 2))  # far from the galaxies
N = 4
PLAN = AttackPlan(SmallestOptions(n_hits=2), n_galaxies=N)


@pytest.fixture(scope="module")
def run(tiny_config, data_dir, tmp_path_factory):
    """Two networks that each look at a pixel."""
    return one_pixel_run(tmp_path_factory.mktemp("pixels") / "run", tiny_config, data_dir, PIXELS)


@pytest.fixture(scope="module")
def attacks(run):
    attack_run(run, PLAN, progress=False)
    return read_attacks(run)


def electrons_per_unit(table):
    """Of the galaxies of an attack: a third of the sample has 20 frames, the others one."""
    n_frames = np.where(np.asarray(table["obj_id"]) % 3 == 0, 20.0, 1.0)[:, None] * np.ones(5)
    return stack_noise(SDSS, {"obj_id": table["obj_id"], "n_frames": n_frames}).electrons_per_unit


def test_ensemble_and_single_network_are_attacked_on_the_same_parents(run, attacks):
    assert list(attacks) == ["z_phot_electrons_gradient_2px_ensemble", "z_phot_electrons_gradient_2px_network1"]
    ensemble, single = (table for table, _ in attacks.values())
    assert np.array_equal(ensemble["obj_id"], single["obj_id"]) and len(ensemble) == N
    assert len(np.unique(ensemble["group_id"])) == N
    assert [table.meta["n_member"] for table in (ensemble, single)] == [2, 1]
    assert ensemble.meta["model_id"] != single.meta["model_id"]


def test_a_network_that_looks_at_a_pixel_is_moved_there_by_its_smallest_change(attacks):
    table, _ = attacks["z_phot_electrons_gradient_2px_network1"]
    assert table["moved"].all() and np.all(table["n_hits"] == 1)
    assert np.array_equal(table["hit_row"], [[3, -1]] * N) and np.array_equal(table["hit_column"], [[50, -1]] * N)
    assert np.array_equal(table["hit_band"], [[1, -1]] * N)
    least = smallest_move(np.asarray(table["z_phot"])) * electrons_per_unit(table)[:, 1]
    ratio = np.asarray(table["electrons"]) / least
    # Seven halvings of the range from 10 to 1e5 end within 7.5 %.
    assert np.all((ratio > 1 - 1e-3) & (ratio < 1.075))
    assert np.all(np.abs(table["z_phot_attacked"] - table["z_phot"]) > 0.05 * (1 + table["z_phot"]))


def test_an_ensemble_of_networks_that_look_elsewhere_needs_twice_as_much(attacks):
    table, _ = attacks["z_phot_electrons_gradient_2px_ensemble"]
    assert table["moved"].all()
    # Either pixel will do: the one in r has fewer electrons per image unit.
    least = smallest_move(np.asarray(table["z_phot"]), n_members=2) * electrons_per_unit(table)[:, 2]
    ratio = np.asarray(table["electrons"]) / least
    assert np.all((ratio > 1 - 1e-3) & (ratio < 1.09))


def test_images_differ_by_the_hits_and_nothing_else(attacks):
    for table, images in attacks.values():
        change = images["attacked"].astype(float) - images["original"]
        assert np.array_equal(np.sum(change != 0, axis=(1, 2, 3)), table["n_hits"])
        for row, own in zip(table, change):
            hit = own[row["hit_row"][0], row["hit_column"][0], row["hit_band"][0]]
            assert hit == pytest.approx(row["hit_change"][0], rel=1e-5)
        assert np.asarray(table["electrons"]) == pytest.approx(
            np.einsum("nijb,nb->n", np.abs(change), electrons_per_unit(table))
        )


def test_a_stopped_attack_resumes_and_ends_alike(run, monkeypatch, tmp_path):
    monkeypatch.setattr("photoz_morph.photoz.robustness.attack_files.SHARD_SIZE", 2)
    folders = attack_run(run, PLAN, out_dir=tmp_path, progress=False)
    before = [attack_format().read(folder)[0] for folder in folders]
    kept, truncated = (path for path, _, _ in attack_format().shards(folders[0], N))
    truncated.write_bytes(truncated.read_bytes()[:9000])
    attack_format().shards(folders[1], N)[0][0].unlink()
    written = kept.stat().st_mtime_ns
    attack_run(run, PLAN, out_dir=tmp_path, progress=False)
    assert kept.stat().st_mtime_ns == written
    for folder, whole in zip(folders, before):
        table = attack_format().read(folder)[0]
        for column in whole.colnames:
            assert np.array_equal(table[column], whole[column], equal_nan=whole[column].dtype.kind == "f"), column


def test_what_is_unseen_is_not_caught_and_what_cannot_be_is_not_moved(run, attacks, tmp_path):
    plan = dataclasses.replace(PLAN, unseen=True)
    for folder in attack_run(run, plan, out_dir=tmp_path, progress=False):
        table, images = attack_format().read(folder)
        # One pixel on the sky, 25 sigma or more to move anything.
        assert not table["moved"].any() and np.isnan(table["electrons"]).all()
        assert np.array_equal(images["original"], images["attacked"])
    table, images = attacks["z_phot_electrons_gradient_2px_network1"]
    units = electrons_per_unit(table)
    noise = np.asarray(SDSS.sky_sigma) / np.sqrt(units / np.asarray(SDSS.gain))
    masks = [caught_pixels(images[name], noise, 1 / units) for name in ("original", "attacked")]
    assert table["caught"].all() and np.all((masks[1] & ~masks[0])[:, 3, 50, 1])


def test_a_bright_change_that_is_darker_than_no_electrons_is_not_made(run, tmp_path):
    plan = dataclasses.replace(PLAN, measure="sigma", criterion="interval", network=1)
    (*_, folder) = attack_run(run, plan, out_dir=tmp_path, progress=False)
    table, images = attack_format().read(folder)
    sky = stack_noise(SDSS, {"obj_id": np.arange(len(table))}).sky
    darkest = np.minimum(images["original"], -sky[:, None, None])
    assert table["moved"].any() and np.all(images["attacked"] >= darkest - 1e-5)  # float32
    inside = (table["z_lower"] <= table["z_spec"]) & (table["z_spec"] <= table["z_upper"])
    after = (table["z_lower_attacked"] <= table["z_spec"]) & (table["z_spec"] <= table["z_upper_attacked"])
    assert inside.all() and np.array_equal(~after, table["moved"]) and folder.name.endswith("_network2")


def test_astropy_writes_the_table_of_a_shard_again_without_a_warning(run, attacks, tmp_path):
    shard = next((run / "attacks").glob("*_ensemble/attack-00000.fits"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(shard, hdu="ATTACK").write(tmp_path / "again.fits")


def test_requests_that_cannot_be_met_are_refused(run, attacks, tiny_config):
    with pytest.raises(ValueError, match="no finished network of fold 3; give one of 0"):
        attack_run(run, dataclasses.replace(PLAN, fold=3), progress=False)
    with pytest.raises(ValueError, match="fold 0 has no network 7; give 1 to 2"):
        attack_run(run, dataclasses.replace(PLAN, network=6), progress=False)
    with pytest.raises(ValueError, match="without a slash"):
        attack_run(run, PLAN, name="a/b", progress=False)
    with pytest.raises(ValueError, match=r"holds an attack with other seed \(0\); give another --name"):
        attack_run(run, dataclasses.replace(PLAN, seed=1), progress=False)
    with pytest.raises(ValueError, match="criterion is 'mode'"):
        AttackPlan(criterion="mode")
    with locked(run / "attacks" / "z_phot_electrons_gradient_2px_ensemble"):
        with pytest.raises(ValueError, match="give another --name"):
            attack_run(run, PLAN, progress=False)
