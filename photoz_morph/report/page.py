"""One HTML page with numbered figures and tables."""

from photoz_morph.report.style import save_figure


def draw_and_save(draw, stem):
    """A figure drawn and written as PNG and PDF beside the page; the PNG's bytes."""
    figure = draw()
    save_figure(figure, stem.with_name(f"{stem.name}.pdf"))
    path = stem.with_name(f"{stem.name}.png")
    save_figure(figure, path)
    return path.read_bytes()
