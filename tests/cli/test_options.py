import os
import sys
import warnings

import click
import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.options import OneLineErrors, UserPath, check_onnx, one_line, output_file, remarks
from photoz_morph.cli.photoz import main as photoz


def run(error, **environment):
    """Result of a command that raises an error."""

    @click.group(cls=OneLineErrors)
    def main():
        pass

    @main.command()
    def fail():
        raise error

    return CliRunner().invoke(main, ["fail"], prog_name="photoz", env=environment)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("a.fits:\n  no  column ra"), 1, "Error: a.fits: no column ra\n"),
        (MemoryError(), 1, "Error: MemoryError\n"),
        (click.UsageError("give a run."), 2, "Error: give a run; see `photoz fail --help`.\n"),
        (KeyboardInterrupt(), 130, "Interrupted. Finished work is kept; run the same command again to resume.\n"),
    ],
)
def test_errors_of_the_user_are_one_line_with_an_exit_code(error, code, line):
    result = run(error)
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")


def test_an_error_of_ours_keeps_its_traceback():
    assert isinstance(run(KeyError("z_spec")).exception, KeyError)


def test_the_traceback_of_any_error_can_be_requested():
    error = ValueError("wrong")
    assert run(error, PHOTOZ_MORPH_TRACEBACK="1").exception is error


def test_a_file_error_names_the_file_and_its_reason():
    line = one_line(FileNotFoundError(2, os.strerror(2), "frames/a.fits"))
    assert "frames/a.fits" in line and "No such file or directory" in line and "\n" not in line


def test_an_error_of_tensorflow_names_the_remedy_without_the_names_of_operations():
    import tensorflow as tf

    error = tf.errors.DataLossError(None, None, "{{function_node __w}} truncated record at 7 [Op:IteratorGetNext]")
    line = one_line(error)
    assert line.startswith("TensorFlow: truncated record at 7 ;") and "function_node" not in line
    assert line.endswith("if a file of the dataset is damaged, build the dataset again with --overwrite")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("table.txt", "table.txt: --out must end in .fits or .hats"),
        ("nowhere/table.fits", "folder .*nowhere does not exist; create it or give another --out"),
        ("there.hats", "there.hats: exists; remove it or give another --out"),
        ("there.fits", "there.fits: is a folder; give the name of a file as --out"),
    ],
)
def test_output_files_that_cannot_be_written_are_refused(tmp_path, name, message):
    for folder in ("there.hats", "there.fits"):
        (tmp_path / folder).mkdir()
    option = click.Option(["--out"])
    with pytest.raises(ValueError, match=message):
        output_file(".fits", ".hats")(None, option, str(tmp_path / name))


def test_a_catalogue_whose_parts_were_not_removed_yet_is_passed_on(tmp_path):
    for name in ("there.hats", "there.hats.parts"):
        (tmp_path / name).mkdir()
    option, name = click.Option(["--out"]), str(tmp_path / "there.hats")
    assert output_file(".fits", ".hats", in_parts=True)(None, option, name) == name
    with pytest.raises(ValueError, match="there.hats: exists"):
        output_file(".fits", ".hats")(None, option, name)


def test_a_good_output_file_and_none_are_passed_on(tmp_path):
    check, option = output_file(".fits"), click.Option(["--out"])
    assert check(None, option, None) is None
    assert check(None, option, str(tmp_path / "a.fits")) == str(tmp_path / "a.fits")


def test_onnx_without_its_package_is_refused_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ValueError, match=r"--onnx needs the package tf2onnx, .*`pip install photoz-morph\[onnx\]`"):
        check_onnx()
    check_onnx(is_wanted=False)


def test_hats_without_its_package_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hats", None)
    with pytest.raises(ValueError, match="needs the package hats, which is not installed; `pip install hats`"):
        output_file(".hats")(None, click.Option(["--out"]), str(tmp_path / "a.hats"))


# Options and arguments of free text that name no file.
WORDS = {
    "overrides", "dataset", "without", "region", "bounds", "kinds", "name", "attack_name", "beam_option", "dust",
    "part", "share", "skip", "point", "grid", "id_name", "truth_id", "name_column", "label_column", "classes",
    "bands", "labels", "target", "methods", "layer", "of",
}  # fmt: skip


def parameters():
    """(command, parameter) of both programs."""
    for program, main in (("photoz", photoz), ("morph", morph)):
        for name, command in main.commands.items():
            for one in (command, *getattr(command, "commands", {}).values()):  # a group has commands of its own
                yield from ((f"{program} {name}", parameter) for parameter in one.params)


def test_every_path_of_every_command_is_below_the_home_folder_when_written_with_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/hubble")
    paths = [(name, parameter) for name, parameter in parameters() if parameter.type.name == "path"
             or parameter.type.name == "text" and parameter.name not in WORDS]  # fmt: skip
    assert len(paths) > 50
    for name, parameter in paths:
        assert isinstance(parameter.type, UserPath), f"{name}: {parameter.name} is a {parameter.type}"
        assert parameter.type.convert("~/x", parameter, None) == "/home/hubble/x"


def test_words_are_those_of_a_command():
    assert {parameter.name for _, parameter in parameters() if parameter.type.name == "text"} == WORDS


def test_a_tilde_of_nobody_is_refused():
    with pytest.raises(ValueError, match="~nosuchuser/x: no such user; write ./~nosuchuser/x for a name that begins"):
        UserPath().convert("~nosuchuser/x", None, None)


def test_simulate_writes_to_the_home_folder_where_build_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(photoz, ["simulate", "--n-galaxies", "2", "--processes", "1", "--out=~/stacks", "-q"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "stacks" / "stacks-00000.fits").exists() and not (tmp_path / "~").exists()
    result = CliRunner().invoke(photoz, ["baseline", "~/stacks", "--method", "knn"])
    assert result.exit_code == 1 and "there are" in result.stderr  # the two galaxies were found, they are too few


def test_remarks_are_lines_on_standard_error_unless_quiet(capsys):
    for quiet in (False, True):
        with remarks(quiet):
            warnings.warn("a.csv: objID is\n taken for obj_id", stacklevel=1)
        out, err = capsys.readouterr()
        assert (out, err) == ("", "" if quiet else "a.csv: objID is taken for obj_id\n")
