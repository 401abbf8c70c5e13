import numpy as np
import pytest

from photoz_morph.metrics.risk_coverage import aurc
from photoz_morph.morph.report.figures.risk_coverage import risk_coverage_figure
from tests.support.morph import toy_predictions


def drawn(n_seeds=3, names=("Y10", "Y1"), sizes=(None, None)):
    table = toy_predictions(n=300, n_seeds=n_seeds)
    table = table[np.asarray(table["label"]) >= 0]
    domains = {}
    for name, size, suffix in zip(names, sizes, ("y10", "y1")):
        columns = {"label": "label", "group_id": "group_id", "probability": f"probability_{suffix}"}
        domains[name] = {key: np.asarray(table[column])[:size] for key, column in columns.items()}
    return domains, risk_coverage_figure({"regular": domains}, "toys").axes[0]


@pytest.mark.parametrize(("names", "sizes"), [(("Y10", "Y1"), (None, None)), (("simulated", "real"), (200, 90))])
def test_curves_end_at_the_error_rate_of_all_and_name_their_area(names, sizes):
    domains, axes = drawn(names=names, sizes=sizes)
    lines = {line.get_label(): line for line in axes.get_lines()}
    texts = " ".join(text.get_text() for text in axes.texts)
    for domain, part in domains.items():
        probability = part["probability"]
        ensemble = probability.mean(axis=1)
        wrong = ensemble.argmax(axis=1) != part["label"]
        assert lines[f"{domain}, ensemble"].get_ydata()[-1] == pytest.approx(wrong.mean())
        assert f"{domain} {aurc(ensemble.max(axis=1), wrong):.3f}" in texts
        single = (probability.argmax(axis=2) != part["label"][:, None]).mean()
        assert lines[f"{domain}, mean of single networks"].get_ydata()[-1] == pytest.approx(single)


def test_a_single_network_has_no_mean():
    assert [line.get_label() for line in drawn(n_seeds=1)[1].get_lines()] == ["Y10, ensemble", "Y1, ensemble"]
