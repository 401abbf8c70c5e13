"""The wheel: what it holds, and that it runs without the checkout."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("photoz_morph", "tfds_builders", "configs", "setup.py", "pyproject.toml", "README.md", "LICENSE")
BASELINE = """
import sys
sys.path.insert(0, sys.argv[1])
import photoz_morph.cli.photoz
print(photoz_morph.cli.photoz.__file__)
photoz_morph.cli.photoz.main(["baseline"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built offline from a copy of the sources: in the checkout an old build/ would be packaged too."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, copy = ROOT / name, folder / "source" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(source, copy)
    command = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("photoz_morph-*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel):
    """Names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_module(names):
    modules = [path for package in ("photoz_morph", "tfds_builders") for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 100
    assert {str(path.relative_to(ROOT)) for path in modules} == {
        name for name in names if name.endswith(".py") and not name.startswith("photoz_morph/configs/")
    }


def test_wheel_holds_every_config_and_table(names):
    configs = {f"photoz_morph/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    tables = {str(path.relative_to(ROOT)) for path in (ROOT / "photoz_morph" / "data").rglob("*")
              if path.is_file()}  # fmt: skip
    assert configs and tables
    assert configs | tables <= names


def test_wheel_holds_nothing_else(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"photoz_morph", "tfds_builders"}
    assert not [name for name in names if re.search(r"(^|/)(tests|support)/|conftest|\.pyc$", name)]


def test_wheel_makes_the_commands(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(name).decode()
    assert re.findall(r"^(\w+) = ([\w.:]+)$", text, re.MULTILINE) == [
        ("blend", "photoz_morph.cli.blend:main"), ("morph", "photoz_morph.cli.morph:main"),
        ("photoz", "photoz_morph.cli.photoz:main"),
    ]  # fmt: skip
    assert distribution("photoz-morph").version in wheel.name


def test_baseline_runs_from_the_wheel_alone_as_the_readme_says(wheel, tmp_path):
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    command = [sys.executable, "-I", "-c", BASELINE, installed]  # -I: neither the working folder nor PYTHONPATH
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert Path(printed[0]).is_relative_to(installed)
    (promised,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert "real galaxies" in promised and "0.01299" in promised
    assert [line for line in promised.splitlines() if line not in printed] == []
    assert {path.stem for path in empty.iterdir()} == {"baseline_knn", "baseline_boosting", "baseline_mlp"}
