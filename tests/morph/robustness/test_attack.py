import dataclasses
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.cli.morph.training import train
from photoz_morph.models.loading import load_network
from photoz_morph.morph.robustness.attack import AttackPlan, attack_runs, count_flips_on_disk
from photoz_morph.morph.robustness.attack_files import (
    attack_shards,
    attacked_pixels,
    common_attack,
    find_attacks,
    read_attack,
)
from photoz_morph.robustness.one_pixel.attack import AttackOptions
from photoz_morph.robustness.perturbations.observing import ObservingContext
from photoz_morph.surveys import LSST

LSST_Y1 = ObservingContext(LSST, 1)
PLAN = AttackPlan(AttackOptions(max_queries=640), n_images=12, bounds="sigma:1e5", seed=3)


@pytest.fixture(scope="module")
def runs(resnet_run_dirs, tmp_path_factory):
    """Copies of the two arms: attacks are written into run folders."""
    folder = tmp_path_factory.mktemp("attacked")
    return [shutil.copytree(run, folder / name) for name, run in resnet_run_dirs.items()]


@pytest.fixture(scope="module")
def attacks(runs):
    return attack_runs(runs, PLAN, progress=False)


def test_the_same_galaxies_are_attacked_in_every_run(runs, attacks):
    assert [folder.parent.parent for folder in attacks] == runs
    assert [folder.name for folder in attacks] == ["lattice_y10_sigma1e5"] * 2
    tables = [read_attack(folder)[0] for folder in attacks]
    assert len(tables[0]) == 12
    assert np.array_equal(tables[0]["obj_id"], tables[1]["obj_id"])
    assert np.array_equal(tables[0]["label"], tables[1]["label"])
    assert [table.meta["adaptation"] for table in tables] == ["none", "mmd"]
    for table in tables:
        assert table.meta["n_looked_at"] - table.meta["n_wrong"] == 12
        assert np.array_equal(table["logits_y10"].argmax(axis=1), table["label"])  # all were right before
        assert np.all(table["margin_before"] > 0)
        assert find_attacks(runs[0]) == [attacks[0]]


def test_one_pixel_is_changed_and_nothing_else(runs, attacks):
    n_flipped = 0
    for run, folder in zip(runs, attacks):
        table, images = read_attack(folder)
        changed = np.any(images["original"] != images["attacked"], axis=-1)
        assert np.array_equal(changed.sum(axis=(1, 2)), table["flipped"].astype(int))
        network = load_network(run / "fold_0" / "member_0" / "model.keras")
        given = network.predict_on_batch({"image": images["attacked"]})["logits"].argmax(axis=1)
        assert np.array_equal(given != table["label"], table["flipped"])  # from disk, by the network itself
        for row, where, old, new in zip(table, changed, images["original"], images["attacked"]):
            n_flipped += bool(row["flipped"])
            if row["flipped"]:
                pixel = (int(row["row"]), int(row["column"]))
                assert where[pixel] and row["margin_after"] < 0 <= row["attacked_class"] != row["label"]
                assert np.array_equal(row["old_value"], old[pixel]) and np.array_equal(row["new_value"], new[pixel])
            else:
                assert row["row"] == row["attacked_class"] == -1 and np.isnan(row["margin_after"])
                assert np.isnan(row["new_value"]).all() and np.isnan(row["latent_attacked"]).all()
        assert count_flips_on_disk(run, folder) == (table["flipped"].sum(),) * 2
    assert n_flipped > 0


@pytest.mark.parametrize("search", ["lattice", "saliency", "sparse-rs", "sparse-pgd", "evolution"])
def test_a_few_pixels_are_changed_and_no_more(runs, attacks, search):
    options = AttackOptions(search, max_queries=120, pixels=3, population=20)
    plan = dataclasses.replace(PLAN, options=options, n_images=5)
    (folder,) = attack_runs(runs[:1], plan, progress=False)
    assert folder.name == f"{search}_y10_sigma1e5_3pixels"
    table, images = read_attack(folder)
    assert table.meta["pixels"] == 3 and table["row"].shape == (5, 3) and table["new_value"].shape == (5, 3, 3)
    flipped = np.asarray(table["flipped"], bool)
    rows, columns, old, new = attacked_pixels(table)
    galaxy = np.arange(5)[flipped, None]
    place = galaxy, rows[flipped], columns[flipped]
    assert np.array_equal(images["original"][place], old[flipped])
    assert np.array_equal(images["attacked"][place], new[flipped])
    changed = np.any(images["original"] != images["attacked"], axis=-1).sum(axis=(1, 2))
    assert np.all(changed[flipped] <= 3) and np.all(changed[flipped] > 0) and np.all(changed[~flipped] == 0)
    assert np.all(rows[~flipped] == -1) and np.isnan(new[~flipped]).all()
    assert count_flips_on_disk(runs[0], folder) == (flipped.sum(),) * 2
    assert common_attack(runs[:1]) == attacks[0].name  # of one pixel


def test_settings_of_one_pixel_are_those_of_earlier_versions(attacks):
    assert "pixels" not in json.loads((attacks[0] / "settings.json").read_text())["options"]


def test_a_stopped_attack_resumes_and_ends_alike(runs, attacks, monkeypatch):
    monkeypatch.setattr("photoz_morph.morph.robustness.attack_files.SHARD_SIZE", 5)
    whole, _ = read_attack(attack_runs(runs[1:], PLAN, name="whole", progress=False)[0])
    folder = attack_runs(runs[1:], PLAN, name="stopped", progress=False)[0]
    paths = [path for path, _, _ in attack_shards(folder, 12)]
    assert len(paths) == 3
    paths[1].unlink()
    with pytest.raises(ValueError, match="attack-00001.fits: missing; run the same `morph attack` again"):
        read_attack(folder)
    assert folder not in find_attacks(runs[1])
    paths[2].write_bytes(paths[2].read_bytes()[:9000])
    written = paths[0].stat().st_mtime_ns
    attack_runs(runs[1:], PLAN, name="stopped", progress=False)
    table, _ = read_attack(folder)
    assert paths[0].stat().st_mtime_ns == written
    for name in whole.colnames:
        assert np.array_equal(table[name], whole[name], equal_nan=whole[name].dtype.kind == "f"), name


def test_another_attack_of_that_name_is_refused(runs, attacks):
    other = dataclasses.replace(PLAN, seed=4)
    with pytest.raises(ValueError, match=r"holds an attack with other seed \(3\); give another --name"):
        attack_runs(runs, other, progress=False)


def test_damage_is_reported_in_one_line(runs, attacks, tmp_path):
    folder = shutil.copytree(attacks[0], tmp_path / "attack")
    shard = folder / "attack-00000.fits"
    content = bytearray(shard.read_bytes())
    content[-5000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a shard of attacks"):
        read_attack(folder)
    (folder / "settings.json").write_text(json.dumps({"member": 0}))
    with pytest.raises(ValueError, match="has no galaxies"):
        read_attack(folder)
    with pytest.raises(FileNotFoundError, match="no attack in this folder"):
        read_attack(tmp_path)


def test_runs_that_do_not_go_together(runs, tmp_path):
    other = shutil.copytree(runs[1], tmp_path / "other")
    dataset = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps({**dataset, "galaxies_per_split": [1, 2, 3]}))
    with pytest.raises(ValueError, match="not the same dataset as"):
        attack_runs([runs[0], other], PLAN, progress=False)
    with pytest.raises(ValueError, match="no network 3; give 1 to 2"):
        attack_runs(runs, dataclasses.replace(PLAN, member=2), progress=False)
    with pytest.raises(ValueError, match="bounds are 'all'"):
        attack_runs(runs, dataclasses.replace(PLAN, bounds="all"), progress=False)


@pytest.mark.parametrize("bounds", ["data", "paper", "sigma:50", "electrons:1e5"])
def test_bounds_hold(runs, bounds, monkeypatch):
    asked = []

    def watched(self, index, edits):
        asked.append(edits.values)
        return type(self).__mro__[1].__call__(self, index, edits)

    monkeypatch.setattr("photoz_morph.morph.robustness.pixel_queries.ResNetQueries.__call__", watched)
    plan = AttackPlan(AttackOptions("random", max_queries=32), n_images=4, bounds=bounds, domain="Y1", member=1)
    folder = attack_runs(runs[:1], plan, progress=False)[0]
    assert folder.name == f"random_y1_{bounds.replace(':', '')}_network2"
    table, _ = read_attack(folder)
    assert np.array_equal(table["random_queries"], table["queries"])  # it is its own baseline
    values, settings = np.concatenate(asked), json.loads((folder / "settings.json").read_text())
    low, high = (np.float32(settings[name]) for name in ("low", "high"))
    if bounds == "paper":
        assert np.ptp(np.abs(values)) < 1e-5 * np.abs(values).max()  # one softening for all bands
    elif bounds == "data":
        assert np.array_equal(values.min(axis=0), low) and np.array_equal(values.max(axis=0), high)
    else:
        sky = LSST_Y1.sky_sigma if bounds == "sigma:50" else LSST_Y1.njy_per_electron
        number = 50 if bounds == "sigma:50" else 1e5
        assert np.allclose(values.max(axis=0), number * sky, rtol=1e-5)
        deepest = 50 * sky if bounds == "sigma:50" else LSST_Y1.sky_electrons * LSST_Y1.n_pixels * sky
        assert np.allclose(values.min(axis=0), -deepest, rtol=1e-5)


def test_what_is_refused_leaves_nothing_behind(runs):
    for options in ({"bounds": "sigma:3", "precision": "float16"}, {"precision": "bfloat16", "defence": "median"}):
        with pytest.raises(ValueError, match="precision"):
            attack_runs(runs, dataclasses.replace(PLAN, **options), name="refused", progress=False)
    with pytest.raises(ValueError, match="without a slash"):
        attack_runs(runs, PLAN, name="a/b", progress=False)
    assert not (runs[0] / "attacks" / "refused").exists()


def test_a_retrained_network_is_another_attack(runs, attacks, tmp_path):
    run = shutil.copytree(runs[1], tmp_path / "again")
    members = [run / "fold_0" / f"member_{number}" / "model.keras" for number in (0, 1)]
    members[0].write_bytes(members[1].read_bytes())
    with pytest.raises(ValueError, match="holds an attack with other .*weights"):
        attack_runs([run], PLAN, progress=False)


def test_the_command_says_what_came_out(runs, attacks):
    arguments = ["attack", *map(str, runs), "--images", "12", "--max-queries", "640", "--seed", "3",
                 "--bounds", "sigma:1e5"]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    flipped = read_attack(attacks[1])[0]["flipped"].sum()
    assert "test images of simulated galaxies" in result.output
    assert f"{attacks[1]}: {flipped} flipped; of their images read back from disk {flipped} are still" in result.output
    assert CliRunner().invoke(main, [*arguments, "-q"]).output == ""


def test_typed_alone_the_command_trains_both_arms_first(runs, tmp_path, monkeypatch):
    trained = []

    def train_at_once(config, run_dir, **options):
        trained.append((config, run_dir, options["seeds"], options["data_dir"]))
        shutil.copytree(runs[len(trained) - 1], run_dir, ignore=shutil.ignore_patterns("attacks"))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "callback", train_at_once)
    arguments = ["attack", "--images", "3", "--max-queries", "32", "--search", "random"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert trained == [
        ("morph_regular.yaml", "runs/morph_regular", 1, "morph_data"),
        ("morph_mmd.yaml", "runs/morph_mmd", 1, "morph_data"),
    ]
    assert "No finished network in runs/morph_regular: training one of morph_regular.yaml" in result.output
    assert [len(read_attack(tmp_path / run / "attacks" / "random_y10_data")[0]) for _, run, _, _ in trained] == [3, 3]
    assert "No finished network" not in CliRunner().invoke(main, arguments).output


def test_runs_of_one_name_are_refused(runs):
    result = CliRunner().invoke(main, ["attack", str(runs[0]), str(runs[0])])
    assert result.exit_code == 1 and "have the same name; give each once" in result.stderr
