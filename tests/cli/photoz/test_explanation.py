import shutil

from click.testing import CliRunner

from photoz_morph.cli.photoz import main


def test_the_command_writes_a_page_and_arrays_and_resumes(run_dir, tmp_path, undrawn):
    run = shutil.copytree(run_dir, tmp_path / "run")  # its predictions are written there
    arguments = ["explain", str(run), "--galaxies", "2", "--methods", "gradient_times_input,saliency", "--out",
                 str(tmp_path), "--target", "width", "--no-anatomy"]  # fmt: skip
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert f"Gallery in {tmp_path}/width/report.html" in result.output
    assert {path.name for path in (tmp_path / "width").glob("*.fits")} == {
        "galaxies.fits", "shapley.fits", "gradient_times_input.fits", "saliency.fits"
    }  # fmt: skip
    assert CliRunner().invoke(main, [*arguments, "-q"]).output == ""
    result = CliRunner().invoke(main, [*arguments, "--seed", "3"])
    assert result.exit_code == 1 and "with other settings; give another --name" in result.output


def test_what_is_wrong_with_a_command_is_said_in_a_line(run_dir, tmp_path):
    result = CliRunner().invoke(main, ["explain", str(tmp_path)])
    assert result.exit_code == 1 and "not a run folder" in result.output
    result = CliRunner().invoke(main, ["explain", str(run_dir), "--methods", "limes"])
    assert result.exit_code == 1 and "no method 'limes'" in result.output and result.output.count("\n") == 1
