import dataclasses
import json
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.morph.robustness.attack_files import (
    COLUMNS,
    attack_shards,
    attacked_pixels,
    find_attacks,
    is_finished,
    read_attack,
    read_attack_settings,
    read_attack_shard,
    start_attack,
    write_attack_shard,
)
from photoz_morph.robustness.one_pixel.attack import AttackOptions
from tests.support.latents import toy_attack, toy_run

SIDE = 6


@pytest.fixture(scope="module")
def attack():
    """Twelve galaxies and their images, which differ in one pixel where flipped."""
    table = toy_attack(*toy_run(n=60), n=12)
    table["row"], table["column"] = np.where(table["flipped"], 4, -1), np.where(table["flipped"], 1, -1)
    for name in ("old_value", "new_value"):
        table[name].unit = "nJy"
    original = np.random.default_rng(0).normal(size=(12, SIDE, SIDE, 3)).astype(np.float32)
    attacked = original.copy()
    attacked[np.asarray(table["flipped"]), 4, 1] += 100
    return table, original, attacked


def write_attack(folder, attack, more=None):
    """A finished attack in shards."""
    table, original, attacked = attack
    start_attack(folder, {"galaxies": np.asarray(table["obj_id"]).tolist(), "member": 0, **(more or {})})
    for path, start, stop in attack_shards(folder, len(table)):
        write_attack_shard(path, table[start:stop], original[start:stop], attacked[start:stop])
    return folder


def test_astropy_writes_the_table_of_a_shard_again_without_a_warning(attack, tmp_path):
    table = attack[0].copy()
    options = dataclasses.asdict(AttackOptions())
    table.meta |= options | {"search_seed": 1, "seed_number": 1, "n_looked_at": 20, "precision": "float32"}
    write_attack_shard(tmp_path / "attack.fits", table, *attack[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(tmp_path / "attack.fits", hdu="ATTACK").write(tmp_path / "again.fits")
    assert read_attack_shard(tmp_path / "attack.fits")[0].meta == table.meta


@pytest.mark.parametrize("n_galaxies", [0, 1, 49, 50, 51, 150])
def test_every_galaxy_is_in_one_shard_of_at_most_fifty(n_galaxies):
    shards = attack_shards("attack", n_galaxies)
    assert [number for _, start, stop in shards for number in range(start, stop)] == list(range(n_galaxies))
    assert all(1 <= stop - start <= 50 for _, start, stop in shards)
    names = [path.name for path, _, _ in shards]
    assert names == [f"attack-{number:05d}.fits" for number in range(-(-n_galaxies // 50))]


def test_what_is_read_is_what_was_written_over_all_shards(attack, tmp_path, monkeypatch):
    monkeypatch.setattr("photoz_morph.morph.robustness.attack_files.SHARD_SIZE", 5)
    folder = write_attack(tmp_path / "attack", attack)
    assert len(list(folder.glob("attack-*.fits"))) == 3 and not list(folder.glob("*.part"))
    table, images = read_attack(folder)
    assert table.meta == attack[0].meta
    for name in COLUMNS:
        np.testing.assert_array_equal(table[name], attack[0][name], err_msg=name)
        assert table[name].dtype.isnative
    for name, expected in zip(("original", "attacked"), attack[1:]):
        np.testing.assert_array_equal(images[name], expected)
        assert images[name].dtype == np.float32


@pytest.mark.parametrize("n_pixels", [1, 4])
def test_pixels_of_a_set_keep_their_axis(attack, tmp_path, n_pixels):
    table, rng = attack[0].copy(), np.random.default_rng(1)
    if n_pixels > 1:
        for name in ("row", "column"):
            table[name] = rng.integers(0, SIDE, (12, n_pixels))
        for name in ("old_value", "new_value"):
            table[name] = rng.normal(size=(12, n_pixels, 3)).astype(np.float32)
    folder = write_attack(tmp_path / "attack", (table, *attack[1:]))
    found = read_attack(folder)[0]
    rows, columns, old, new = attacked_pixels(found)
    assert rows.shape == columns.shape == (12, n_pixels) and old.shape == new.shape == (12, n_pixels, 3)
    assert np.array_equal(rows, np.asarray(table["row"]).reshape(12, n_pixels))
    assert np.array_equal(new, np.asarray(table["new_value"]).reshape(12, n_pixels, 3), equal_nan=True)


def test_units_of_the_pixels_are_in_the_file(attack, tmp_path):
    ((path, _, _),) = attack_shards(write_attack(tmp_path / "attack", attack), 12)
    with fits.open(path) as hdus:
        assert [hdus[name].header["BUNIT"] for name in ("ORIGINAL", "ATTACKED")] == ["nJy", "nJy"]
        columns = hdus["ATTACK"].columns
        assert columns["new_value"].unit == columns["old_value"].unit == "nJy"


@pytest.mark.parametrize("damage", ["flipped bit", "cut short", "not FITS"])
def test_a_damaged_shard_is_not_finished_and_its_line_names_it(attack, tmp_path, damage):
    ((path, _, _),) = attack_shards(write_attack(tmp_path / "attack", attack), 12)
    assert is_finished(path)
    content = bytearray(path.read_bytes())
    if damage == "flipped bit":
        content[-4000] ^= 1  # in the attacked images
    path.write_bytes({"cut short": content[: len(content) // 2], "not FITS": b"spiral"}.get(damage, content))
    assert not is_finished(path)
    with pytest.raises(ValueError, match="^[^\n]*attack-00000.fits: [^\n]*remove it and attack again$"):
        read_attack_shard(path)
    path.unlink()
    assert not is_finished(path)


def test_a_missing_column_is_named(attack, tmp_path):
    table = attack[0].copy()
    table.remove_columns(["queries", "latent_y1"])
    write_attack_shard(tmp_path / "attack-00000.fits", table, *attack[1:])
    with pytest.raises(ValueError, match="attack-00000.fits: attacks lack column queries, latent_y1; remove it"):
        read_attack_shard(tmp_path / "attack-00000.fits")


def test_the_same_settings_resume_and_others_are_refused_once_there_is_a_shard(attack, tmp_path):
    folder = write_attack(tmp_path / "attack", attack, {"seed": 3, "bounds": "data"})
    saved = read_attack_settings(folder)
    start_attack(folder, saved | {"galaxies": tuple(saved["galaxies"])})  # JSON knows no tuples
    with pytest.raises(ValueError, match=r"attack: holds an attack with other seed \(3\); give another --name"):
        start_attack(folder, saved | {"seed": 4})
    with pytest.raises(ValueError, match="with other galaxies, seed; give another --name"):
        start_attack(folder, saved | {"seed": 4, "galaxies": [1]})
    with pytest.raises(ValueError, match=r"with other targeted \(None\)"):
        start_attack(folder, saved | {"targeted": True})
    assert read_attack_settings(folder) == saved
    for path in folder.glob("attack-*.fits"):
        path.unlink()
    start_attack(folder, saved | {"seed": 4})
    assert read_attack_settings(folder)["seed"] == 4


def test_only_finished_attacks_are_found_in_the_order_of_their_names(attack, tmp_path):
    for name in ("c", "a", "b"):
        write_attack(tmp_path / "attacks" / name, attack)
    ((missing, _, _),) = attack_shards(tmp_path / "attacks" / "a", 12)
    missing.unlink()
    assert [folder.name for folder in find_attacks(tmp_path)] == ["b", "c"]
    with pytest.raises(ValueError, match="a/attack-00000.fits: missing; run the same `morph attack` again"):
        read_attack(tmp_path / "attacks" / "a")
    with pytest.raises(FileNotFoundError, match="none: no attack in this folder; make one with `morph attack`"):
        read_attack(tmp_path / "attacks" / "none")


def test_settings_without_galaxies_are_refused(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"member": 0}))
    with pytest.raises(ValueError, match="settings.json: has no galaxies; remove the folder and attack again"):
        read_attack(tmp_path)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data())
def test_a_shard_of_other_columns_is_read_or_refused_in_one_line(tmp_path_factory, data):
    table, rng = toy_table(), np.random.default_rng(0)
    for name in data.draw(st.sets(st.sampled_from(["row", "column", "old_value", "new_value"]), max_size=3)):
        shape = (4, *data.draw(st.sampled_from([(), (1,), (3,), (2, 3), (2, 1, 3)])))
        kind = data.draw(st.sampled_from([np.int64, np.float32, bool, "U4"]))
        table[name] = rng.integers(0, 5, shape).astype(kind)
    folder = tmp_path_factory.mktemp("fuzz")
    images = np.zeros((4, SIDE, SIDE, 3), np.float32)
    write_attack_shard(folder / "attack-00000.fits", table, images, images)
    content = bytearray((folder / "attack-00000.fits").read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
        (folder / "attack-00000.fits").write_bytes(content)
    try:
        found, _ = read_attack_shard(folder / "attack-00000.fits")
    except ValueError as error:
        assert "attack-00000.fits: " in str(error) and "\n" not in str(error)
    else:
        rows, columns, old, new = attacked_pixels(found)
        assert rows.shape == columns.shape == old.shape[:2] == new.shape[:2] and len(rows) == 4


def toy_table():
    """A small table of attacks of four galaxies."""
    return toy_attack(*toy_run(n=60), n=4)
