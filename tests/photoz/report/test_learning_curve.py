import json

import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config, save_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import write_predictions
from photoz_morph.photoz.report.figures.learning_curve import PANELS, learning_curve_figure
from tests.support.pages import Page
from tests.support.reports import photoz_predictions, photoz_run


def sized_run(folder, n_training, sigma, changes=(), **others):
    """A toy run on so many galaxies, with baselines."""
    run = photoz_run(folder, photoz_predictions(sigma=sigma))
    (run / "sessions.json").write_text(json.dumps([{"n_training": [n_training - 10, n_training + 10]}]))
    save_config(load_config("photoz_simulated.yaml", PhotozConfig, list(changes)), run / "config.yaml")
    for name, (model, other) in others.items():
        write_predictions(photoz_predictions(sigma=other, model=model), run / f"{name}.fits")
    return run


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Page, JSON and printed lines of a learning curve of two toy runs."""
    folder = tmp_path_factory.mktemp("curve")
    knn = {"knn": ("k-NN", 0.014), "bound_guess": ("no information", 0.05)}
    knn["bound_pixels"] = ("pixel information", 0.008)
    runs = [sized_run(folder / "small", 2_000, 0.015, **knn),
            sized_run(folder / "large", 8_000, 0.011, ["data.train_fraction=0.4", "model.crop=40"], **knn)]  # fmt: skip
    result = CliRunner().invoke(main, ["learning-curve", *map(str, runs), "--out", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return Page((folder / "out" / "report.html").read_text()).visible, folder, result.output


def test_page_has_scores_differences_and_runs(written):
    page, folder, output = written
    curve = json.loads((folder / "out" / "learning_curve.json").read_text())
    for size in curve["sizes"]:
        for scores in size["methods"].values():
            assert f"{scores['sigma_mad']['value']:.5f} ± {scores['sigma_mad']['error']:.5f}" in page
    low, high = curve["shared"]["differences"]["network"][0]["sigma_mad"]["interval"]
    assert f"({low:+.5f} to {high:+.5f})" in page and "8,000 - 2,000" in page and "k-NN - network" in page
    assert "Networks from 2,000 to 8,000 training galaxies" in page and "on the same 300 galaxies" in page
    assert "Simulated galaxies with known truth" in page and "Errors resample parent galaxies" in page
    assert "model.crop" in page and "data.train_fraction" not in page  # the size is no other difference
    assert {path.name for path in (folder / "out").iterdir()} == {
        "report.html", "learning_curve.json", "learning_curve.png", "learning_curve.pdf",
    }  # fmt: skip


def test_command_says_what_is_left_out(written):
    _, folder, output = written
    assert output.count("no prepared dataset found") == 4 and f"{folder}/small: " in output
    assert f"Learning curve in {folder}/out/report.html." in output


def test_runs_that_make_no_curve_are_refused_in_one_line_before_the_work(tmp_path, monkeypatch):
    one = sized_run(tmp_path / "one", 2_000, 0.015)
    unknown = photoz_run(tmp_path / "unknown", photoz_predictions())
    monkeypatch.setattr("photoz_morph.photoz.report_run.update_baselines", lambda *_: pytest.fail("the work was begun"))
    for runs, message in (
        ([one], "two sizes of training sets or more, got 2,000"),
        ([one, one], "given twice"),
        ([one, unknown], "unknown: sessions.json does not say how many galaxies"),
        ([one, tmp_path / "none"], "none: not a run folder"),
    ):
        result = CliRunner().invoke(main, ["learning-curve", *map(str, runs), "--out", str(tmp_path / "out")])
        assert result.exit_code == 1 and result.output.count("\n") == 1 and message in result.output, result.output


def test_figure_leaves_out_sizes_that_a_method_lacks_and_draws_zero_rates():
    def scores(value):
        found = {name: {"value": value, "error": 0.1 * value} for name in PANELS}
        return found | {"eta": {"value": 0.0, "error": 0.001}}

    methods = {"network": ("run", [scores(0.02), scores(0.01)]), "MLP": ("baseline", [None, scores(0.012)])}
    figure = learning_curve_figure([100, 1000], methods, "simulated")
    for axes, name in zip(figure.axes, PANELS):
        assert [len(container.lines[0].get_xdata()) for container in axes.containers] == [2, 1]
        assert axes.get_yscale() == ("linear" if name == "eta" else "log") and axes.get_xscale() == "log"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "1,000"]
    assert list(figure.axes[0].containers[0].lines[0].get_ydata()) == [0.02, 0.01]
