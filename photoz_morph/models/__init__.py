"""Networks: build one by name, load a saved one."""

from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier, build_field_network, build_model

__all__ = ["build_classifier", "build_field_network", "build_model", "load_network"]
