from photoz_morph.report import html
from tests.support.pages import SCRIPT, Page


def test_pieces_of_a_page_escape_their_text():
    png = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (100).to_bytes(4, "big") * 2
    pieces = [
        html.paragraph(SCRIPT), html.code(SCRIPT), html.facts({SCRIPT: SCRIPT}),
        html.table([SCRIPT], [[SCRIPT]], SCRIPT),
        html.picture(png, SCRIPT, 1, f'" onload="{SCRIPT}'), html.page(SCRIPT, SCRIPT, True, [], SCRIPT),
        html.page("", "", True, [html.Section(SCRIPT, ())], ""),
    ]  # fmt: skip
    for piece in pieces:
        assert "script" not in Page(piece).elements and "&lt;script&gt;" in piece
    assert 'onload="' not in pieces[4]


def test_symbols_of_the_papers_are_set():
    text = html.paragraph("sigma_MAD of z_phot < 0.1")
    assert text == "<p>σ<sub>MAD</sub> of <i>z</i><sub>phot</sub> &lt; 0.1</p>"
