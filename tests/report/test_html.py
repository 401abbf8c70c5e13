import re

from photoz_morph.report import html
from tests.support.pages import SCRIPT, Page


def test_pieces_of_a_page_escape_their_text():
    png = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (100).to_bytes(4, "big") * 2
    pieces = [
        html.paragraph(SCRIPT), html.code(SCRIPT), html.facts({SCRIPT: SCRIPT}),
        html.table([SCRIPT], [[SCRIPT]], SCRIPT),
        html.picture(png, SCRIPT, 1, f'" onload="{SCRIPT}'), html.page(SCRIPT, SCRIPT, True, "", [], SCRIPT),
        html.page("", "", True, "", [html.Section(SCRIPT, ())], ""),
        html.overview(SCRIPT, {SCRIPT: SCRIPT}, SCRIPT, []), html.preview(png, SCRIPT, 1, SCRIPT),
    ]  # fmt: skip
    for piece in pieces:
        assert "script" not in Page(piece).elements and "&lt;script&gt;" in piece
    assert 'onload="' not in pieces[4]


def test_symbols_of_the_papers_are_set():
    text = html.paragraph("sigma_MAD of z_phot < 0.1")
    assert text == "<p>σ<sub>MAD</sub> of <i>z</i><sub>phot</sub> &lt; 0.1</p>"


def png_header(width):
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") * 2


def test_each_link_of_the_contents_is_an_item_that_may_wrap():
    sections = [html.Section(title, ()) for title in ("Scores", "z_phot against z_spec")]
    text = html.page("", "", True, "", sections, "")
    items = re.findall(r'<li><a href="#part-(\d)">', text[text.index("<nav") : text.index("</nav>")])
    assert items == ["1", "2"] and 'id="part-2">2. <i>z</i>' in text
    assert re.search(r"nav ol \{[^}]*flex-wrap: wrap", html.STYLE)
    assert not re.search(r"nav[^{]*\{[^}]*white-space: nowrap", html.STYLE)


def test_letters_of_all_pictures_have_one_size():
    widths = [int(re.search(r'width="(\d+)"', html.picture(png_header(pixels), "a", 1, "")).group(1))
              for pixels in (500, 1000)]  # fmt: skip
    assert widths == [360, 720]


def test_first_sentence_of_a_caption_stands_for_the_picture():
    assert 'alt="Residuals, n = 1.5"' in html.picture(png_header(9), "a", 1, "Residuals, n = 1.5. The line is a fit.")
    assert 'alt="Residuals"' in html.picture(png_header(9), "a", 1, "Residuals.")


def test_last_rows_are_strong_and_wide_tables_dense():
    text = html.table(["a"], [["1"], ["2"], ["3"]], n_strong=2)
    assert [bool(mark) for mark in re.findall(r"<tr( class=\"strong\")?><td>", text)] == [False, True, True]
    dense = [html.table(["a"] * n, []).count('class="dense"') for n in (html.MANY_COLUMNS, html.MANY_COLUMNS + 1)]
    assert dense == [0, 1]


def test_banner_says_by_its_colour_whether_galaxies_are_real():
    real, simulated = (html.page("", "", is_real, "", [], "") for is_real in (True, False))
    assert 'class="banner real"' in real and 'class="banner"' in simulated
