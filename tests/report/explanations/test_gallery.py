import numpy as np
from astropy.table import Table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from photoz_morph.explain.faithfulness.verdict import verdict
from photoz_morph.report.explanations.gallery import OVERALL, Gallery, MethodMaps, failing_methods, gallery_entries
from photoz_morph.report.explanations.maps import attribution_maps
from photoz_morph.report.explanations.panels import class_answer, pdf_answer


def gallery():
    """One galaxy and two methods, of which one fails."""
    rng = np.random.default_rng(0)
    curve = np.linspace(0, 1, 5)[None]
    table = Table({"removal": [0.3], "fidelity": [0.5], "deletion_flux": curve, "deletion_target": 1 - curve})
    failing = table.copy()
    failing["removal"] = -0.1
    methods = {
        "a": MethodMaps("Method A", "part", True, rng.normal(size=(1, 6, 6, 2)), table),
        "b": MethodMaps("Method B", "loss", False, np.abs(rng.normal(size=(1, 6, 6))), failing),
    }
    mask = np.zeros((1, 6, 6), bool)
    mask[0, 2:4, 2:4] = True
    return Gallery(
        names=["Best: galaxy 7"], titles=["galaxy 7"], images=rng.normal(size=(1, 6, 6, 2)),
        colours=rng.random((1, 6, 6, 3)), sky_sigma=np.ones((1, 2)), masks=mask, bands=("g", "r"),
        draw_answers=[class_answer(["spiral", "merger"], np.array([[0.7, 0.3], [0.6, 0.4]]), 1)],
        shares=rng.normal(size=(1, 2, 3)), players=("g", "r", "ebv"), methods=methods, unit="redshift",
        verdict_of=verdict, marked=[(2, 3)],
    )  # fmt: skip


def test_a_map_that_fails_is_warned_of_beside_it_and_in_the_summary():
    entries = gallery_entries(gallery())
    warned = [entry for entry in entries if "Warning: Method B fails removal" in entry.html]
    assert {entry.section for entry in warned} == {OVERALL, "Best: galaxy 7"}
    assert not any("Method A fails" in entry.html for entry in entries)
    assert failing_methods(gallery()) == "Method B fails a check, see the warnings"


def test_the_figures_of_a_galaxy_hold_its_bands_methods_and_shares():
    panels, maps = (entry.draw() for entry in gallery_entries(gallery()) if entry.draw)
    titles = [axes.get_title() for axes in maps.axes]
    assert titles[:3] == ["g", "r", "all bands"]
    labels = [axes.get_ylabel() for axes in maps.axes]
    assert "Method A\npasses" in labels and "Method B\nfails removal" in labels
    ticks = [label.get_text() for label in panels.axes[2].get_xticklabels()]
    assert ticks == ["g", "r", "E(B-V)"] and len(panels.axes[2].patches) == 3
    assert {line.get_label() for line in panels.axes[3].lines} == {"Method A", "Method B"}


def test_a_pdf_is_drawn_as_a_density_with_the_redshift():
    edges = np.linspace(0, 0.4, 41)
    pdf = np.exp(-0.5 * ((edges[1:] - 0.1) / 0.01) ** 2)
    pdf /= pdf.sum()
    axes = Figure().subplots()
    pdf_answer(edges, pdf, pdf, 0.3)(axes)
    low, high = axes.get_xlim()
    assert low < 0.1 and high > 0.3 and axes.lines[0].get_xdata()[0] == 0.3


def test_a_long_title_stays_within_a_figure_of_few_bands():
    title = "simulated galaxy 100004063 (surest right): true spiral, predicted spiral (1.00), at the other depth merger"
    maps = {"Method A": (np.zeros((6, 6, 2)), "part", True, [])}
    figure = attribution_maps(np.zeros((6, 6, 2)), np.ones(2), np.eye(6) > 0, ("g", "r"), maps, title)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure._suptitle.get_window_extent(canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
