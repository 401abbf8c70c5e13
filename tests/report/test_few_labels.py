import numpy as np

from photoz_morph.report.few_labels import few_label_figure, write_few_labels

COLUMNS = {"crps": ("CRPS", 1, 4), "eta": ("eta [%]", 100, 1)}


def part(value):
    return {"value": value, "interval": [value - 0.01, value + 0.01], "repeats": [value]}


def entry(method, n_labels, value):
    found = {"method": method, "n_labels": n_labels, "scores": {"crps": part(value), "eta": part(2 * value)}}
    if method not in ("scratch", "source"):
        found["differences"] = {"crps": part(value - 0.05), "eta": part(value - 0.06)}
    return found


ENTRIES = [entry(method, n, value) for method, value in (("lora", 0.02), ("scratch", 0.05)) for n in (100, 2000)]
SOURCE = entry("source", 0, 0.03)


def test_each_method_is_drawn_at_each_number_of_labels_in_the_unit_of_its_title():
    figure = few_label_figure(ENTRIES, COLUMNS)
    crps, eta = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["CRPS", "eta [%]"] and crps.get_xscale() == "log"
    lines = [container.lines[0] for container in eta.containers]
    assert [container.get_label() for container in eta.containers] == ["LoRA", "from scratch"]
    assert list(lines[0].get_ydata()) == [4, 4] and abs(lines[0].get_xdata()[1] / 2000 - 1) < 0.05


def test_the_source_is_a_level_with_its_interval_in_every_panel():
    found = few_label_figure([SOURCE, *ENTRIES], COLUMNS)
    for axes, value, half in zip(found.axes, (0.03, 6), (0.01, 1)):
        (level,) = [line for line in axes.lines if line.get_label() == "source, no labels"]
        assert list(level.get_xdata()) == [0, 1] and np.allclose(level.get_ydata(), value)  # in parts of the panel
        ends = axes.patches[0].get_extents().transformed(axes.transData.inverted())
        np.testing.assert_allclose([ends.y0, ends.y1], [value - half, value + half])
        assert [container.get_label() for container in axes.containers] == ["LoRA", "from scratch"]
    assert "source, no labels" in [text.get_text() for text in found.legends[0].get_texts()]


def page_of(tmp_path, entries, no_source=""):
    curve = {"entries": entries, "galaxies": "simulated SDSS galaxies", "source": "runs/a", "no_source": no_source,
             "n_galaxies": 50, "n_groups": 40, "n_repeats": 3, "n_resamples": 500, "code": "1"}  # fmt: skip
    return write_few_labels(curve, tmp_path, COLUMNS, "Simulated.", False, progress=False).read_text()


def test_the_page_has_a_row_of_the_source_or_says_why_not(tmp_path, undrawn):
    row = "<td>0</td><td>source, no labels</td><td>0.0300 (0.0200 to 0.0400)</td>"
    missing = "without labels is not shown"
    page = page_of(tmp_path, [SOURCE, *ENTRIES])
    assert row in page and "The level is the source on the same galaxies" in page and missing not in page
    page = page_of(tmp_path, ENTRIES, "transfer.head=new starts the last layer from random weights")
    assert f"{missing}: transfer.head=new starts the last layer from random weights." in page
    assert "source, no labels" not in page and "The level is" not in page


def test_the_page_says_the_gain_on_the_fewest_labels_with_its_interval(tmp_path, undrawn):
    page = page_of(tmp_path, [SOURCE, *ENTRIES])
    assert "LoRA less from scratch, on 100 labels: CRPS -0.0300 (-0.0400 to -0.0200)." in page
    assert "Mean of 3 repeats; 95 % intervals resample the 40 parents of 50 test galaxies and the repeats" in page
