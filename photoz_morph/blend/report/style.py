"""Colours of methods and classes in the report on sources found in images."""

from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE
from photoz_morph.shards.blends import CLASS_NAMES

NETWORK_STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), ("#CC79A7", ":", "D"))
BASELINE_STYLES = ((BLACK, "-", "v"), (GREY, "--", "P"))  # of methods without a network
# Okabe & Ito (2008); the background is the ground of the page.
CLASS_COLOURS = dict(zip(CLASS_NAMES, ("#FFFFFF", "#E69F00", "#CC79A7", "#56B4E9", "#009E73")))
FOUND, MISSED, FALSE, OTHER = "#5CE05C", "#FF9A3C", "#FF4D4D", "#A0A0A0"  # on dark images


def method_styles(scores):
    """Colour, dash and marker of each method by its name: networks first, `sep` in black and grey.

    Parameters
    ----------
    scores : dict of str to dict
        From `evaluation.evaluate_blend`.
    """
    styles = {True: iter(BASELINE_STYLES), False: iter(NETWORK_STYLES)}
    return {name: next(styles[part["model"] == "sep"]) for name, part in scores.items()}
