from click.testing import CliRunner

from photoz_morph.cli.morph import main


def test_one_network_and_all_of_them_are_not_both_attacked():
    result = CliRunner().invoke(main, ["attack", "run", "--all-seeds", "--network", "2"])
    assert result.exit_code == 2 and "--all-seeds attacks every network; leave out --network" in result.output


def test_runs_of_the_same_name_are_refused_before_any_work(tmp_path):
    runs = [str(tmp_path / folder / "run") for folder in "ab"]
    for command in ("attack", "latent", "perturb", "depth"):
        result = CliRunner().invoke(main, [command, *runs])
        assert result.exit_code == 1 and "have the same name; give each once, or rename a folder" in result.output
