"""The commands `blend simulate` and `blend build`."""

import pytest
from click.testing import CliRunner

from photoz_morph.cli.blend import main
from photoz_morph.shards.blends import find_blend_shards, read_blend_catalog


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
    assert f"test images in {data}. Next: blend baseline {data}" in result.output
    assert (data / "lsst_pairs" / "1.0.0").is_dir()
    assert "Error: " in blend("build", out, "--data-dir", data).output


@pytest.mark.parametrize(
    "words, message",
    [
        (("simulate", "--survey", "sdss", "--years", "1"), "--years goes with --survey lsst"),
        (("simulate", "--kind", "triples"), "'triples' is not one of 'scenes', 'pairs'"),
        (("simulate", "--parents", "39"), "39 is not in the range x>=40"),
        (("build", "nowhere"), "nowhere: no blends-*.fits in it; create them with `blend simulate`"),
    ],
)
def test_wrong_options_are_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = blend(*words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1
    assert not list(tmp_path.iterdir())
