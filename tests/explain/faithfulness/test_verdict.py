import numpy as np
import pytest

from photoz_morph.explain.faithfulness.verdict import CHECKS, Thresholds, verdict

GOOD = {"completeness": 0.01, "removal": 0.2, "fidelity": 0.6, "randomisation": 0.1, "agreement": 0.5}

def test_a_map_that_passes_everything_has_no_warning():
    found = verdict("integrated gradients", **{name: np.full(4, value) for name, value in GOOD.items()})
    assert found.is_faithful and not found.warnings and found.medians == pytest.approx(GOOD)


BAD = {"completeness": 0.3, "removal": 0.0, "fidelity": -0.1, "randomisation": 0.9, "agreement": 0.1}


@pytest.mark.parametrize("name, bad", BAD.items())
def test_each_check_fails_beyond_its_threshold_with_number_and_limit(name, bad):
    found = verdict("saliency", **{**GOOD, name: [bad, bad, GOOD[name]]})
    assert found.failed == (name,) and not found.is_faithful
    (line,) = found.warnings
    assert line.startswith(f"saliency fails {name}: {bad:.3f}, must be at") and CHECKS[name][1] in line


def test_galaxies_without_an_answer_are_left_out_and_none_at_all_fails():
    assert verdict("a", fidelity=[np.nan, 0.5, 0.5]).is_faithful
    assert verdict("a", fidelity=[np.nan, np.nan]).failed == ("fidelity",)


def test_thresholds_are_the_callers():
    assert verdict("a", Thresholds(fidelity=0.7), fidelity=0.6).failed == ("fidelity",)


def test_a_check_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no check truth; there are completeness, removal"):
        verdict("a", truth=1.0)
    with pytest.raises(ValueError, match="no check given"):
        verdict("a")
