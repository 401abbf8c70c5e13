"""The import rules of ARCHITECTURE.md, section 3, read off the files."""

import ast
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "photoz_morph"
MAX_MODULES = 15  # in one folder
FACTS = {"surveys", "redshift_grid"}  # what everything rests on, beside `system`

# Shelf -> the other shelves it may import, beside the facts and `system`.
SHELVES = {
    "system": set(), "config": set(), "catalogs": set(), "metrics": set(), "report": set(), "datasets": set(),
    "adaptation": set(), "models": set(), "explain": set(),
    "shards": set(),
    "streaming": set(),
    "stacking": {"catalogs", "shards"},
    "sources": {"catalogs", "shards", "datasets"},
    "mocks": {"shards"},
    "simulation": {"catalogs", "mocks", "shards"},
    "robustness": {"metrics", "mocks.exposure"},
    "runs": {"config"},
    "training": {"runs", "models"},
    "transfer": {"models"},
}  # fmt: skip
# Wing -> its parts from the top down: each may import those below it, and of its own row only itself.
WINGS = {
    "photoz": [
        ["report_run"],
        ["report"],
        ["baselines", "tf1_checkpoint", "robustness", "explanation"],
        ["lsdb_partition"],
        ["infer"],
        ["exported_model", "catalog_source"],
        ["evaluation", "export"],
        ["predict", "pretraining"],
        ["calibration"],
        ["experiment"],
        ["adaptation", "transfer"],
        ["splits", "teacher"],
        ["dataset"],
        ["prediction_parts"],
        ["predictions"],
        ["formats", "depth", "config"],
    ],
    "morph": [
        ["report_run"],
        ["report"],
        ["infer"],
        ["explanation"],
        ["robustness", "baselines", "selection", "stamp_source"],
        ["evaluation", "predict", "export", "exported_model"],
        ["experiment"],
        ["classify", "transfer"],
        ["dataset"],
        ["augmentation", "predictions", "defences"],
        ["config"],
    ],
    "blend": [
        ["report_run", "infer"],
        ["report"],
        ["study"],
        ["export"],
        ["baselines"],
        ["score_files"],
        ["deblending_scores", "predict_galaxies"],
        ["evaluation", "scores_table", "predict"],
        ["experiment"],
        ["finding", "samples"],
        ["dataset", "maps"],
        ["predictions", "deblended", "config"],
        ["scenes"],
    ],
}
DOORS = {"cli", "rail", "__main__"}
PIPELINES = "beam"  # imports all but doors, and only doors import it

# Third-party package -> the only places that import it.
NETWORKS = {
    "datasets", "models", "adaptation", "explain", "training", "transfer", "rail", "photoz.dataset", "photoz.teacher",
    "photoz.experiment", "photoz.adaptation", "photoz.transfer",
    "photoz.predict", "photoz.export", "photoz.tf1_checkpoint", "photoz.baselines.mlp", "photoz.calibration.graph",
    "photoz.calibration.networks", "photoz.calibration.of_run", "photoz.explanation",
    "photoz.pretraining", "photoz.robustness.networks",
    "morph.augmentation",
    "morph.dataset", "morph.classify", "morph.transfer", "morph.experiment", "morph.predict", "morph.export",
    "morph.robustness", "morph.selection.answers", "morph.explanation",
    "blend.dataset", "blend.samples", "blend.finding", "blend.experiment", "blend.predict", "blend.predict_galaxies",
    "blend.export", "blend.maps.galaxies", "blend.maps.truth", "blend.maps.networks",
}  # fmt: skip
ONLY = {
    "tensorflow": NETWORKS,
    "keras": NETWORKS,
    "tensorflow_datasets": {"datasets"},
    "tfds_builders": {"cli"},
    "matplotlib": {"report", "photoz.report", "morph.report", "blend.report"},
    "click": {"cli"},
    "apache_beam": {"beam"},
    "galsim": {"mocks.observe", "simulation"},
    "sep": {"blend.baselines"},
    "rail": {"rail"},
    "ceci": {"rail", "__main__"},
    "qp": {"rail", "photoz.formats.other_qp"},
    "onnx": {"models.exports.onnx_file"},
    "tf2onnx": {"models.exports.onnx_file"},
}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path):
    """Name of a module below photoz_morph: `mocks.exposure`, `photoz.report.page`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Dotted names a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, places):
    """True if a dotted name lies in one of the places."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def level(wing, name):
    """Row of a wing's part, and the part."""
    part = name.split(".")[1]
    rows = [number for number, row in enumerate(WINGS[wing]) if part in row]
    assert rows, f"{name}: {part} is in no row of WINGS[{wing!r}]"
    return rows[0], part


def may_import(here, there):
    """True if the module `here` may import the module or name `there`, both below photoz_morph."""
    room, other = here.partition(".")[0], there.partition(".")[0]
    if room == other and room not in WINGS:
        return True
    if room in DOORS:
        return other not in DOORS or {room, other} == {"__main__", "rail"}
    if other in DOORS or other == PIPELINES:
        return False
    if room == PIPELINES:
        return True
    if other in FACTS or other == "system":
        return room != "system" or other == "system"
    if room in FACTS:
        return False
    if room in SHELVES:
        return within(there, SHELVES[room])
    if other in SHELVES:
        return True
    if room != other:
        return False  # a wing never imports another wing
    if here == room:
        return False
    (row, part), (other_row, other_part) = level(room, here), level(room, there)
    return part == other_part or other_row > row


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    here = dotted(path)
    if here == "__init__":
        assert not list(imported(path))
        return
    for name in imported(path):
        package, _, there = name.partition(".")
        if package == "photoz_morph" and not there.startswith("__version__"):
            assert may_import(here, there), f"{here} imports {there}"
        if package in ONLY:
            assert within(here, ONLY[package]), f"{here} imports {package}"


@pytest.mark.parametrize(
    "here, there",
    [
        ("photoz.predict", "morph.dataset"),
        ("training.fit", "photoz.config"),
        ("runs.folder", "morph.config"),
        ("robustness.one_pixel.attack", "mocks.observe"),
        ("metrics.bootstrap", "models.registry"),
        ("photoz.config", "photoz.dataset"),
        ("photoz.evaluation.scores", "photoz.report.page"),
        ("morph.predict", "morph.export"),
        ("report.page", "photoz.report.page"),
        ("surveys", "config"),
        ("catalogs.dust", "cli.options"),
        ("rail.stages", "cli.options"),
        ("photoz.predict", "beam.options"),
        ("beam.infer", "cli.options"),
    ],
)
def test_the_rules_refuse(here, there):
    assert not may_import(here, there)


def test_every_room_has_a_rule():
    rooms = {dotted(path).partition(".")[0] for path in modules()} - {"__init__", "data"}
    assert rooms == set(SHELVES) | FACTS | set(WINGS) | DOORS | {PIPELINES}


def import_graph():
    """Module -> the modules of this package it imports."""
    names = {dotted(path): path for path in modules()}
    graph = {}
    for here, path in names.items():
        found = {name.removeprefix("photoz_morph.") for name in imported(path) if name.startswith("photoz_morph.")}
        graph[here] = {name if name in names else name.rpartition(".")[0] for name in found} & set(names) - {here}
    return graph


def circle_in(graph):
    """A list of modules that import each other in a ring, or None."""
    state, trail = {}, []

    def visit(name):
        state[name] = "open"
        trail.append(name)
        for other in sorted(graph[name]):
            if state.get(other) == "open":
                return [*trail[trail.index(other) :], other]
            if other not in state and (found := visit(other)):
                return found
        trail.pop()
        state[name] = "done"
        return None

    return next((found for name in sorted(graph) if name not in state and (found := visit(name))), None)


def test_no_modules_import_each_other_in_a_circle():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert circle_in(import_graph()) is None


def test_no_folder_has_more_modules_than_can_be_seen_at_once():
    for folder in {path.parent for path in modules()}:
        count = sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        assert count <= MAX_MODULES, f"{folder.relative_to(ROOT)} has {count} modules"


def test_every_folder_of_the_tests_mirrors_one_of_the_package():
    for folder in {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}:
        if folder.parts[:1] not in ((), ("end_to_end",), ("tfds_builders",)):
            assert (PACKAGE / folder).is_dir(), f"tests/{folder} mirrors no folder of photoz_morph"


def test_every_folder_is_named_in_the_tree_of_the_architecture():
    tree = (ROOT / "ARCHITECTURE.md").read_text()
    for path in modules():
        if path.name != "__init__.py":
            assert re.search(rf"\b{path.stem}\b", tree), f"{path.relative_to(ROOT)} is not in ARCHITECTURE.md"
        else:
            assert path.parent == PACKAGE or re.search(rf"\b{path.parent.name}/", tree), path


# Calls that change what the whole process sees: of `with` statements, which restore it, and others.
BORROWED = {
    "catch_warnings", "errstate", "printoptions", "chdir", "rc_context", "style.context", "redirect_stdout",
    "redirect_stderr", "threadpool_limits", "localcontext", "config_context", "patch", "patch.dict",
}  # fmt: skip
SET = {
    "simplefilter", "filterwarnings", "resetwarnings", "seterr", "set_printoptions", "chdir", "signal", "setlocale",
    "set_dtype_policy", "set_floatx", "set_config", "umask", "rcParams.update", "environ.update", "putenv", "seed",
}  # fmt: skip


def called(node, names):
    """True if a node is a call of one of the names, whatever module they are taken from."""
    name = f".{ast.unparse(node.func)}" if isinstance(node, ast.Call) else ""
    return any(name.endswith(f".{known}") for known in names)


def own_nodes(node):
    """Nodes below a node, without the bodies of functions defined in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from own_nodes(child)


def functions(trees):
    """Functions of some sources, as (node, whether it is made for `with` statements)."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield node, any("contextmanager" in ast.unparse(decorator) for decorator in node.decorator_list)


def yields(node):
    return any(isinstance(below, (ast.Yield, ast.YieldFrom)) for below in own_nodes(node))


def borrowers(trees):
    """Names of the calls that change the state of the process in a `with` statement, with those of the sources."""
    names, found = set(BORROWED), True
    while found:  # one may use another
        found = {
            node.name for node, is_manager in functions(trees) if is_manager and node.name not in names
            and any(called(below, names | SET) for below in own_nodes(node))
        }  # fmt: skip
        names |= found
    return names


def leaks(trees):
    """Functions that hand the caller a value while the state of the process is not the caller's."""
    names = borrowers(trees)
    for function, is_manager in functions(trees):
        if is_manager or not yields(function):
            continue
        withs = [node for node in own_nodes(function) if isinstance(node, (ast.With, ast.AsyncWith))
                 and any(called(item.context_expr, names) for item in node.items)]  # fmt: skip
        safe = {id(below) for node in withs if not yields(node) for below in own_nodes(node)}
        if any(yields(node) for node in withs) or any(
            called(node, SET) and id(node) not in safe for node in own_nodes(function)
        ):
            yield function.name


def test_no_generator_yields_while_warnings_or_other_global_state_are_not_the_callers():
    sources = [*PACKAGE.rglob("*.py"), *(ROOT / "tfds_builders").glob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    trees = [ast.parse(path.read_text()) for path in sources]
    assert {"open_fits", "fits_errors", "layer_precision", "interrupts_ignored"} <= borrowers(trees)
    assert not list(leaks(trees))


@pytest.mark.parametrize(
    "body",
    [
        "with warnings.catch_warnings():\n  yield 1",
        "with np.errstate(all='ignore'), open(path) as file:\n  yield from file",
        "with quiet():\n  for line in lines:\n   yield line",
        "os.chdir(path)\n yield 1",
    ],
)
def test_a_generator_that_leaks_is_found(body):
    manager = "@contextmanager\ndef quiet():\n with catch_warnings():\n  yield\n"
    assert list(leaks([ast.parse(f"{manager}def rows():\n {body}\n")])) == ["rows"]
    kept = "def rows():\n for path in paths:\n  with quiet():\n   simplefilter('error')\n   row = f(path)\n  yield row"
    assert not list(leaks([ast.parse(manager + kept)]))


def test_every_module_opens_with_a_docstring():
    for path in [*modules(), *(ROOT / "tfds_builders").glob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_module_is_called_utils():
    assert not [path for path in modules() if path.stem in ("utils", "helpers", "common", "misc")]


@pytest.mark.parametrize("command", ["photoz", "morph", "blend"])
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
