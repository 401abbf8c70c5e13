import sys

from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram
from photoz_morph.report.style import legend_below, logarithmic_x, marks_of, save_figure, write_text
from tests.support.reports import GRID, predictions, stamps


def test_figures_do_not_touch_pyplot(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    save_figure(pit_histogram([0.1, 0.5], "toy"), tmp_path / "pit.png")
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_saved_figure_is_complete_and_leaves_no_temporary(tmp_path):
    save_figure(galaxies_with_pdf(stamps(1), predictions(n=1), GRID), tmp_path / "galaxies.png")
    assert imread(tmp_path / "galaxies.png").shape[1] == 780  # 5.2 inches at 150 dots
    save_figure(pit_histogram([0.1, 0.5], "toy"), tmp_path / "pit.pdf")
    assert (tmp_path / "pit.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["galaxies.png", "pit.pdf"]


def test_legend_below_names_each_mark_and_leaves_the_panel_free():
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], label="first")
    axes.plot([1, 0], label="_hidden")
    axes.plot([1, 1], label="second")
    legend_below(figure, marks_of(axes), 2)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["first", "second"]
    assert legend.get_window_extent().y1 < axes.get_window_extent().y0


def test_legend_below_takes_artists_with_labels():
    figure = Figure(layout="constrained")
    legend_below(figure, [Line2D([], [], label="Y10"), Line2D([], [], label="Y1")], 2)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Y10", "Y1"]


def test_text_is_written_whole_and_in_utf_8(tmp_path):
    write_text("σ ± 1\n", tmp_path / "note.md")
    assert (tmp_path / "note.md").read_bytes() == "σ ± 1\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["note.md"]


def test_numbers_of_a_short_logarithmic_axis_are_plain_and_do_not_overlap():
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([32, 371], [0, 1])
    logarithmic_x(axes)
    figure.draw_without_rendering()
    shown = [label for label in axes.get_xticklabels(which="both") if label.get_text()]
    places = sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)
    assert {"50", "100", "200"} <= {label.get_text() for label in shown}
    assert all(one.x1 < other.x0 for one, other in zip(places, places[1:]))
