import dataclasses
from types import SimpleNamespace

import pytest

from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig, TrainConfig
from photoz_morph.training.schedules import learning_rate_schedule, passes_per_epoch, training_length


def test_published_halving_and_the_cosine():
    train = load_config("photoz_sdss.yaml", PhotozConfig).train
    schedule = learning_rate_schedule(train, 120_000)
    assert [float(schedule(step)) for step in (0, 59_999, 60_001)] == pytest.approx([1e-4, 1e-4, 2e-5])
    train = dataclasses.replace(train, schedule="cosine", warmup_iterations=100)
    schedule = learning_rate_schedule(train, 1100)
    assert float(schedule(100)) == pytest.approx(1e-4) and float(schedule(0)) < 1.1e-6
    assert float(schedule(600)) == pytest.approx(0.5e-4, rel=1e-4)
    assert float(schedule(1100)) == pytest.approx(0, abs=1e-10)
    assert learning_rate_schedule(dataclasses.replace(train, schedule="constant", warmup_iterations=0), 10) == 1e-4


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # A tenth of 0.3 up to iteration 5, a third up to 10, then the peak; a fifth of it after half of 100 iterations.
        ("constant", {0: 0.03, 5: 0.03, 6: 0.1, 10: 0.1, 11: 0.3, 50: 0.3, 99: 0.3}),
        ("halfway", {0: 0.03, 5: 0.03, 6: 0.1, 10: 0.1, 11: 0.3, 50: 0.3, 51: 0.06, 99: 0.06}),
        # Linear from 0.03 to 0.3 in ten iterations, then half a cosine over the 100 that the schedule counts, less 10.
        ("cosine", {0: 0.03, 5: 0.165, 10: 0.3, 55: 0.15, 100: 0.0}),
        # Linear from 0.01 in 30 iterations, then half a cosine over 70.
        ("one_cycle", {0: 0.01, 15: 0.155, 30: 0.3, 65: 0.15, 100: 0.0}),
    ],
)
def test_warm_up_and_decay_by_hand(schedule, expected):
    train = TrainConfig(
        learning_rate=0.3, warmup_iterations=10 * (schedule != "one_cycle"), schedule=schedule
    )
    rate = learning_rate_schedule(train, 100)
    assert {step: float(rate(step)) for step in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("schedule", "warmup", "end"), [("constant", 100, 100), ("cosine", 130, 100), ("halfway", 50, 50)]
)
def test_a_warm_up_that_leaves_nothing_is_refused(schedule, warmup, end):
    """Before a halving, the boundaries of the steps would not even be in order."""
    train = TrainConfig(learning_rate=0.3, warmup_iterations=warmup, schedule=schedule)
    with pytest.raises(ValueError, match=f"train.warmup_iterations is {warmup}, .* of 100 .* before iteration {end}; "):
        learning_rate_schedule(train, 100)


def test_one_cycle_is_a_cosine_whose_warm_up_is_three_tenths_of_the_training():
    cycle = TrainConfig(learning_rate=0.3, schedule="one_cycle")
    cosine = TrainConfig(learning_rate=0.3, schedule="cosine", warmup_iterations=12)
    rate, reference = learning_rate_schedule(cycle, 40), learning_rate_schedule(cosine, 40)
    assert [float(rate(step)) for step in range(41)] == [float(reference(step)) for step in range(41)]
    assert float(learning_rate_schedule(cycle, 1)(0)) == pytest.approx(0.3)  # no iteration to rise in


def test_without_warm_up_halfway_has_two_rates():
    rate = learning_rate_schedule(TrainConfig(learning_rate=1.0, warmup_iterations=0, schedule="halfway"), 7)
    assert [float(rate(step)) for step in range(7)] == pytest.approx([1, 1, 1, 1, 0.2, 0.2, 0.2])  # after iteration 3


@pytest.mark.parametrize(
    ("epochs", "iterations", "n_galaxies", "expected"),
    [
        (3, None, 40, (12, 3)),  # four batches of 10 a pass
        (3, None, 49, (12, 3)),  # the remainder of 9 waits
        (None, 12, 40, (12, 3)),
        (None, 13, 40, (13, 4)),  # one batch of a fourth epoch
        (None, 3, 40, (3, 1)),
        (None, 5, 9, (5, 5)),  # no batch at all: refused by `fit`
    ],
)
def test_length_counts_full_batches_and_a_partial_last_epoch(epochs, iterations, n_galaxies, expected):
    train = SimpleNamespace(epochs=epochs, iterations=iterations)
    config = SimpleNamespace(train=train, data=SimpleNamespace(batch_size=10, n_labels=None))
    assert training_length(config, n_galaxies) == expected


def test_an_epoch_on_few_labels_is_several_passes():
    """100 steps or a few less, not the 4 of a pass; with many labels a pass, and if epochs are counted as well."""
    def config(n_labels, iterations):
        train = SimpleNamespace(epochs=5, iterations=iterations)
        return SimpleNamespace(train=train, data=SimpleNamespace(batch_size=10, n_labels=n_labels))

    assert passes_per_epoch(config(40, 250), 40) == 25 and training_length(config(40, 250), 40) == (250, 3)
    assert passes_per_epoch(config(300, 250), 300) == 3 and training_length(config(300, 250), 300) == (250, 3)
    assert passes_per_epoch(config(2000, 250), 2000) == 1
    assert passes_per_epoch(config(40, None), 40) == 1 and training_length(config(40, None), 40) == (20, 5)


def test_length_of_a_config_without_iterations():
    config = SimpleNamespace(train=SimpleNamespace(epochs=2), data=SimpleNamespace(batch_size=10))
    assert training_length(config, 40) == (8, 2)
