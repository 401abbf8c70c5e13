from click.testing import CliRunner

from photoz_morph.cli.morph import main


def test_the_command_writes_a_page_and_arrays(morph_run_dirs, tmp_path, undrawn, monkeypatch):
    monkeypatch.setattr("photoz_morph.explain.anatomy.N_STEPS", 4)  # of made images, which are not looked at
    run = morph_run_dirs["mmd"]
    arguments = ["explain", str(run), "--galaxies", "2", "--methods", "saliency", "--out", str(tmp_path)]
    arguments += ["--depth", "Y1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert f"Gallery in {tmp_path}/margin_predicted_Y1/report.html" in result.output
    assert (tmp_path / "margin_predicted_Y1" / "saliency.fits").exists()


def test_what_is_wrong_with_a_command_is_said_in_a_line(morph_run_dirs, tmp_path):
    result = CliRunner().invoke(main, ["explain", str(tmp_path)])
    assert result.exit_code == 1 and "not a run folder" in result.output
    result = CliRunner().invoke(main, ["explain", str(morph_run_dirs["mmd"]), "--class", "ring"])
    assert result.exit_code == 1 and "class is 'ring'" in result.output
