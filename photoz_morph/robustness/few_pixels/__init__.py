"""The smallest change of few detector pixels that moves what a network says of an image."""

from photoz_morph.robustness.few_pixels.hits import Changes, Hits
from photoz_morph.robustness.few_pixels.smallest import SmallestOptions, smallest_changes

__all__ = ["Changes", "Hits", "SmallestOptions", "smallest_changes"]
