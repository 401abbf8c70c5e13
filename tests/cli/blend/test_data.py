"""The commands `blend simulate` and `blend build`."""

import pytest
from click.testing import CliRunner

from photoz_morph.cli.blend import main
from photoz_morph.shards.blends import find_blend_shards, read_blend_catalog
from photoz_morph.shards.galaxy_maps import find_map_shards, read_map_catalog
from tests.support.maps import few_encounters


def blend(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_simulate_and_build_make_a_dataset(tmp_path, blend_pool_dir):
    out, data = tmp_path / "blends", tmp_path / "data"
    out.mkdir()
    (out / "parents").symlink_to(blend_pool_dir)
    words = ("simulate", "--n-images", 30, "--kind", "pairs", "--parents", 40, "--seed", 3, "--processes", 1,
             "--years", 1, "--out", out)  # fmt: skip
    result = blend(*words)
    assert result.exit_code == 0, result.output
    assert f"30 simulated images with 60 sources in {out}/blends-*.fits. Next: blend build {out}" in result.output
    header = read_blend_catalog(find_blend_shards(out)[0])[1]
    assert (header["KIND"], header["YEARS"], header["SIZE"], header["FAINTEST"]) == ("pairs", 1, 48, 24)
    result = blend("build", out, "--data-dir", data)
    assert result.exit_code == 0, result.output
    assert f"test images in {data}. Next: blend baseline {data}, or blend train\n" in result.output
    assert (data / "lsst_pairs" / "1.0.0").is_dir()
    assert "Error: " in blend("build", out, "--data-dir", data).output


def test_simulate_and_build_make_a_dataset_of_maps(tmp_path, maps_dir):
    out, data = tmp_path / "maps", tmp_path / "data"
    with few_encounters():
        words = ("--n-images", 2, "--size", 32, "--years", 5, "--seed", 3, "--processes", 1, "--out", out)
        result = blend("simulate", "--kind", "maps", *words)
    assert result.exit_code == 0, result.output
    assert f"2 simulated galaxies in {out}/maps-*.fits. Next: blend build {out}" in result.output
    header = read_map_catalog(find_map_shards(out)[0])[1]
    assert (header["YEARS"], header["SIZE"], header["SEED"]) == (5, 32, 3)
    result = blend("build", maps_dir, "--data-dir", data)
    assert result.exit_code == 0, result.output
    assert f"test images in {data}. Next: blend baseline {data}, or blend train blend_maps.yaml\n" in result.output
    assert (data / "lsst_maps" / "1.0.0").is_dir()
    (out / "blends-00000.fits").touch()
    assert f"Error: {out}: holds blends-*.fits and maps-*.fits; keep" in blend("build", out, "--data-dir", data).output


@pytest.mark.parametrize(
    "words, message",
    [
        (("simulate", "--survey", "sdss", "--years", "1"), "--years goes with --survey lsst"),
        (("simulate", "--kind", "triples"), "'triples' is not one of 'scenes', 'pairs', 'maps', 'fields'"),
        (("simulate", "--kind", "maps", "--parents", "50"), "--parents does not go with --kind maps; maps are of"),
        (("simulate", "--kind", "maps", "--survey", "sdss"), "--survey does not go with --kind maps"),
        (("simulate", "--kind", "maps", "--size", "250"), "size is 250; give an even number from 32 to 218 pixels"),
        (("simulate", "--parents", "39"), "39 is not in the range x>=40"),
        (("build", "nowhere"), "nowhere: no blends-*.fits in it; create them with `blend simulate`"),
    ],
)
def test_wrong_options_are_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = blend(*words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1
    assert not list(tmp_path.iterdir())
