"""Colours of classes, runs and domains in the morphology report."""

from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE

RUN_STYLES = ((BLUE, ""), (ORANGE, "//"), (GREEN, ".."))  # colour and hatch: told apart without colour too
# Of more than a few runs: Okabe & Ito (2008), all eight, with markers.
RUN_COLOURS = (BLUE, ORANGE, GREEN, BLACK, "#CC79A7", "#E69F00", "#56B4E9", GREY)
RUN_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
BASELINE_STYLES = ((GREY, ""), (LIGHT_GREY, "xx"))  # of the methods without a network
DOMAIN_STYLES = {"Y10": (BLACK, "-", "o"), "Y1": (ORANGE, "--", "s")}
DOMAIN_STYLES |= {"simulated": DOMAIN_STYLES["Y10"], "real": DOMAIN_STYLES["Y1"]}

CLASS_COLOURS = {"spiral": "#ffa600", "elliptical": "#bc5090", "merger": "#003f5c"}  # the paper's own
CLASS_COLOURS["not merger"] = CLASS_COLOURS["spiral"]


def class_colours(names):
    """Colours of classes, black for one without a colour of its own."""
    return [CLASS_COLOURS.get(name, BLACK) for name in names]
