"""Attacks on any classifier by one pixel (Su et al. 2019), or by k, with several searches."""

from photoz_morph.robustness.one_pixel.attack import AttackOptions, CallableQueries, one_pixel_attack
from photoz_morph.robustness.one_pixel.searches import Bounds

__all__ = ["AttackOptions", "Bounds", "CallableQueries", "one_pixel_attack"]
