"""Paths of the tests: the checkout, the shipped samples, and the real data beside the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SHARED_DATA = ROOT.parent / "shared" / "data"  # real survey files that do not travel with the package
