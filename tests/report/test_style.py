import sys

from matplotlib.image import imread

from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram
from photoz_morph.report.style import save_figure
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
