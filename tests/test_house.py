"""The import rules of ARCHITECTURE.md, section 4, read off the files."""

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Module or package -> layer; a module may import the layers below it, and of its own only what is named in SIDEWAYS.
LAYERS = {
    "files": 0, "fits_files": 0, "threads": 0, "processes": 0, "surveys": 0, "redshift_grid": 0, "config": 0,
    "photoz_config": 0, "sdss_stripes": 0,
    "morph_config": 0, "metrics": 0,
    "catalogs": 1, "dust": 1, "shards": 1, "frames": 1, "swarp": 1, "stacking": 1, "simulation": 1, "predictions": 1,
    "prediction_files": 1, "qp_files": 1, "hats_files": 1, "compact_pdfs": 1,
    "evaluation": 1, "baselines": 1, "boosting": 1, "photometric_catalog": 1, "run_folder": 1,
    "scenes": 1, "scene_images": 1, "tng": 1, "released_arrays": 1, "galaxy_segment": 1, "morphology_labels": 1,
    "shard_folders": 1, "mocks": 1, "mock_shards": 1, "mock_sample": 1, "morph_predictions": 1, "morph_evaluation": 1,
    "robustness": 1, "attack_tables": 1, "trials": 1, "trial_scores": 1,
    "quiet": 2, "pipeline": 2, "splits": 2, "morph_augmentation": 2, "morph_pipeline": 2, "models": 2,
    "workers": 3, "training": 3, "photoz_experiment": 3, "morph_experiment": 3, "ensemble": 3,
    "saved_model": 3, "inference": 3, "estimator": 3, "tf1_checkpoint": 3, "morph_inference": 3, "morph_estimator": 3,
    "pixel_queries": 3, "attack_run": 3, "fragility": 3, "latent_run": 3, "perturbation_run": 3,
    "report": 4, "report_run": 4, "morph_report_run": 4, "rail": 4,
    "cli": 5, "__main__": 5,
}  # fmt: skip
SIDEWAYS = {
    "fits_files": {"files"},
    "photoz_config": {"redshift_grid"},
    "config": {"files", "photoz_config", "morph_config"},
    "metrics": {"redshift_grid"},
    "frames": set(),
    "swarp": {"frames"},
    "stacking": {"catalogs", "dust", "frames", "swarp", "shards"},
    "scene_images": {"scenes"},
    "morphology_labels": {"galaxy_segment"},
    "tng": {"scenes", "scene_images", "morphology_labels"},
    "released_arrays": {"morphology_labels"},
    "mocks": {"scenes"},
    "mock_sample": {"mock_shards", "mocks", "shard_folders", "morphology_labels", "scenes"},
    "simulation": {"catalogs", "shards", "shard_folders", "dust", "scenes", "mocks", "morphology_labels"},
    "predictions": {"prediction_files", "qp_files", "hats_files", "compact_pdfs"},
    "hats_files": {"prediction_files"},
    "evaluation": {"predictions"},
    "baselines": {"boosting"},
    "photometric_catalog": {"baselines", "catalogs", "dust", "predictions", "shards"},
    "morph_evaluation": {"morph_predictions"},
    "trial_scores": {"trials"},
    "robustness": {"mocks", "morph_predictions", "run_folder"},
    "attack_tables": {"run_folder"},
    "splits": {"pipeline"},
    "morph_pipeline": {"pipeline", "morph_augmentation"},
    "photoz_experiment": {"training"},
    "morph_experiment": {"training", "morph_inference"},
    "ensemble": {"training", "workers", "photoz_experiment", "morph_experiment"},
    "estimator": {"inference", "saved_model"},
    "tf1_checkpoint": {"estimator"},
    "morph_inference": {"inference"},
    "morph_estimator": {"inference", "morph_inference", "saved_model"},
    "pixel_queries": {"morph_inference"},
    "attack_run": {"morph_inference", "pixel_queries"},
    "latent_run": {"inference", "morph_inference"},
    "perturbation_run": {"inference", "morph_inference"},
    "report_run": {"report"},
    "morph_report_run": {"report"},
}
HEAVY = {  # third-party package -> lowest layer that may import it, or the only modules that may
    "tensorflow": 2,
    "keras": 2,
    "tensorflow_datasets": 2,
    "matplotlib": {"report"},
    "click": {"cli"},
    "galsim": {"simulation", "mocks"},
    "rail": {"rail"},
    "ceci": {"rail", "__main__"},
    "qp": {"rail"},
}


def modules():
    return sorted((ROOT / "photoz_morph").rglob("*.py"))


def place(path):
    """Name under which LAYERS knows a file: its package below photoz_morph, or its own name."""
    return path.relative_to(ROOT / "photoz_morph").parts[0].removesuffix(".py")


def imported(path):
    """Dotted names a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    here = place(path)
    if here == "__init__":
        assert not list(imported(path))
        return
    for name in imported(path):
        package, _, rest = name.partition(".")
        there = rest.partition(".")[0]
        if package == "photoz_morph" and there in LAYERS and there != here:
            allowed = LAYERS[there] < LAYERS[here] or there in SIDEWAYS.get(here, ())
            assert allowed, f"{here} (layer {LAYERS[here]}) imports {there} (layer {LAYERS[there]})"
        if package == "tfds_builders":
            assert here == "cli"
        rule = HEAVY.get(package)
        if isinstance(rule, int):
            assert LAYERS[here] >= rule and here != "report", f"{here} imports {package}"
        elif rule:
            assert here in rule, f"{here} imports {package}"


def test_every_module_stands_in_the_tree_of_the_architecture():
    named = re.findall(r"[\w*]+\.py", (ROOT / "ARCHITECTURE.md").read_text())
    missing = [path for path in modules() if not any(fnmatch(path.name, name) for name in [*named, "__init__.py"])]
    assert missing == []


def test_every_module_has_a_layer():
    assert {place(path) for path in modules()} - {"__init__"} == set(LAYERS)


def test_every_module_opens_with_a_docstring():
    for path in [*modules(), *(ROOT / "tfds_builders").glob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_module_is_called_utils():
    assert not [path for path in modules() if path.stem in ("utils", "helpers", "common", "misc")]


@pytest.mark.parametrize("command", ["photoz", "morph"])
def test_help_imports_nothing_heavy(command):
    script = (
        f"import sys; from photoz_morph.cli.{command} import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'astropy', 'galsim', 'sklearn', 'matplotlib', 'scipy'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout
