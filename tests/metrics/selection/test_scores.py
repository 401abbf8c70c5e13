import re

import numpy as np
import pytest
from scipy.special import softmax

from photoz_morph.metrics.group_errors import group_weights
from photoz_morph.metrics.selection.scores import SCORES, NetworkOutputs, selection_scores
from tests.support.paths import ROOT


def outputs(strength, n=240, seed=0, mixed=True):
    """A network that knows the source, and the target by `strength`; its latents are its logits."""
    rng = np.random.default_rng(seed)
    label, group = np.arange(n) % 3, np.arange(n) // 2
    noise = rng.normal(size=(3, n, 3))
    source = 4 * np.eye(3)[label] + noise[0]
    target = 4 * strength * np.eye(3)[label] + noise[1]
    partner = np.roll(np.arange(n), -n // 2)
    mixture = 0.55 * target + 0.45 * target[partner] + 0.3 * noise[2]
    return NetworkOutputs(
        label, softmax(source, axis=1), softmax(target, axis=1), source, target, group, group,
        *((partner, softmax(mixture, axis=1)) if mixed else ()),
    )  # fmt: skip


def test_every_score_prefers_the_network_that_knows_the_target():
    good, bad = (selection_scores(outputs(strength))[0] for strength in (0.95, 0.2))
    for name, (_, sign, _) in SCORES.items():
        # Weaknesses: the source is the same for both, and a head learns as much from few classes that are consistent.
        if name not in ("source_accuracy", "circular"):
            assert sign * good[name] > sign * bad[name], name
    assert good["source_accuracy"] == bad["source_accuracy"]
    assert good["effective_number"] > bad["effective_number"]


def test_resamples_that_count_every_galaxy_once_are_the_sample():
    network = outputs(0.5)
    values, resampled = selection_scores(network, np.ones((2, 240)), np.ones((2, 240)))
    assert set(resampled) == set(SCORES)
    for name, value in resampled.items():
        np.testing.assert_allclose(value, values[name], rtol=1e-9, err_msg=name)
    weights = group_weights(network.source_group, 50)
    spread = selection_scores(network, weights, weights)[1]
    assert all(0 < np.std(part) < 0.3 for part in spread.values())


def test_without_mixtures_mixval_alone_is_unknown():
    values, resampled = selection_scores(outputs(0.5, mixed=False), np.ones((2, 240)), np.ones((2, 240)))
    assert np.isnan(values["mixval"]) and np.isnan(resampled["mixval"]).all()
    assert np.isfinite([value for name, value in values.items() if name != "mixval"]).all()


def test_target_labels_are_no_part_of_the_outputs():
    assert not [name for name in NetworkOutputs.__dataclass_fields__ if "label" in name and name != "label"]
    network = outputs(0.5)
    assert len(network.ratio()) == 240 and np.mean(network.ratio()) == pytest.approx(1, abs=0.5)


def test_the_example_of_the_documentation_scores_a_network():
    text = (ROOT / "docs" / "adaptation.md").read_text()
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "selection_scores" in block)
    network = outputs(0.5)
    names = {name: getattr(network, name) for name in NetworkOutputs.__dataclass_fields__} | {"labels": network.label}
    exec(example, names)
    assert set(SCORES) < set(names["values"]) and np.isnan(names["values"]["mixval"])
