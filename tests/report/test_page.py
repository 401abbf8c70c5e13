import re

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from photoz_morph.report import html
from photoz_morph.report.page import Entry, Overview, write_page
from tests.support.pages import SCRIPT, Page


def figure():
    return Figure(figsize=(1, 1))


ENTRIES = [
    Entry("Scores", html=html.table(["n"], [["7"]])),
    Entry("Maps", "east", "A map of the east, n = 7. Its colours.", figure),
    Entry("Scores", caption="A sentence on the scores."),
    Entry("Maps", "west", "A map of the west. More.", figure),
    Entry("Curves", "loss", "Loss. Lower is better.", figure),
]


def written(folder, entries=ENTRIES, shown=("loss", "east"), verdict="Good on 7 simulated galaxies.", **numbers):
    overview = Overview(verdict, numbers or {"bias": "0.1 ± 0.2"}, "± is an error.", shown)
    return write_page(entries, folder, title="T", banner="B", is_real=False, overview=overview,
                      footer="Written on {date}.", progress=False)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = written(tmp_path_factory.mktemp("page") / "new" / "folder")
    return path, path.read_text()


def test_figures_are_numbered_in_the_order_of_the_page(page):
    captions = re.findall(r'<figure id="(\w+)">.*?<b>Figure (\d)\.</b>', page[1])
    assert captions == [("east", "1"), ("west", "2"), ("loss", "3")]


def test_entries_of_a_section_stand_together_in_the_order_of_their_first(page):
    headings = re.findall(r"<h2 [^>]*>(.*?)</h2>", page[1])
    assert headings == ["1. Scores", "2. Maps", "3. Curves"]
    scores = page[1][page[1].index("1. Scores</h2>") : page[1].index("2. Maps</h2>")]
    assert "<td>7</td>" in scores and "<p>A sentence on the scores.</p>" in scores


def test_each_figure_lies_beside_the_page_as_png_and_pdf(page):
    folder = page[0].parent
    names = {f"{name}.{suffix}" for name in ("east", "west", "loss") for suffix in ("png", "pdf")}
    assert {path.name for path in folder.iterdir()} == names | {"report.html"}
    assert imread(folder / "east.png").shape[:2] == (150, 150)  # an inch at 150 dots
    assert (folder / "loss.pdf").read_bytes().startswith(b"%PDF")


def test_first_screen_has_verdict_numbers_and_figures_before_the_contents(page):
    first = page[1][: page[1].index("<nav")]
    visible = Page(first).visible
    assert "Good on 7 simulated galaxies." in visible and "bias0.1 ± 0.2" in visible
    # In the order of the page, linked to the figure below, with the first sentence of the caption alone.
    links = re.findall(r'<figcaption><a href="#(\w+)">Figure (\d)</a>\. (.*?)</figcaption>', first)
    assert links == [("east", "1", "A map of the east, n = 7."), ("loss", "3", "Loss.")]


def test_figures_of_the_first_screen_that_no_entry_has_are_left_out(tmp_path):
    text = written(tmp_path, shown=("loss", "isomap")).read_text()
    assert text.count('<figcaption><a href="#') == 1


def test_an_id_is_given_once(page):
    ids = re.findall(r' id="([^"]+)"', page[1])
    assert len(ids) == len(set(ids))


def test_footer_has_the_date(page):
    assert re.search(r"Written on 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.", Page(page[1]).visible)


def test_text_of_the_first_screen_is_escaped(tmp_path):
    page = Page(written(tmp_path, verdict=SCRIPT, **{SCRIPT: SCRIPT}).read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) == 3
