import pytest

from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph.report.results import MAX_RUNS
from photoz_morph.morph.report.style import CLASS_COLOURS, RUN_STYLES, class_colours


def test_classes_have_the_colours_of_the_paper_and_others_are_black():
    assert class_colours(("elliptical", "merger", "ring")) == ["#bc5090", "#003f5c", "#000000"]
    assert class_colours(("not merger",)) == class_colours(("spiral",))


def test_every_class_has_a_colour_of_its_own():
    assert len({CLASS_COLOURS[name] for name in CLASS_NAMES}) == len(CLASS_NAMES)


@pytest.mark.parametrize("part", [0, 1])
def test_runs_differ_in_colour_and_in_hatch(part):
    assert len({style[part] for style in RUN_STYLES}) == MAX_RUNS
