from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.photoz.robustness.attack_files import read_attacks
from tests.support.one_pixel_networks import one_pixel_run

PIXELS = ((3, 50, 1), (60, 8, 2))


def test_the_command_says_what_came_out_and_where_it_is(tiny_config, data_dir, tmp_path):
    run = one_pixel_run(tmp_path / "run", tiny_config, data_dir, PIXELS)
    arguments = ["attack", str(run), "--galaxies", "4", "--name", "mine"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "of simulated galaxies, one of each parent" in result.output
    assert f"Attacks in {run}/attacks/mine_ensemble and {run}/attacks/mine_network1" in result.output
    assert list(read_attacks(run)) == ["mine_ensemble", "mine_network1"]
    assert CliRunner().invoke(main, [*arguments, "-q"]).output == ""  # everything is there
    elsewhere = ["--out", str(tmp_path / "out"), "--network", "0", "--search", "random", "--max-queries", "64"]
    assert CliRunner().invoke(main, [*arguments, *elsewhere, "-q"]).exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine_ensemble"]


def test_what_is_wrong_with_a_command_is_said_in_a_line(tmp_path):
    result = CliRunner().invoke(main, ["attack", str(tmp_path), "--largest", "5"])
    assert result.exit_code == 2 and "--largest is 5; give more than 10 electrons" in result.output
    result = CliRunner().invoke(main, ["attack", str(tmp_path)])
    assert result.exit_code == 1 and "not a run folder" in result.output
