import pytest

from photoz_morph.photoz.baselines import cross_validation, mlp


@pytest.fixture
def one_small_network(monkeypatch):
    """The MLP is one network of little training, in this process."""

    def run_here(tasks, n_workers, train, on_message, *options):
        for task in tasks:
            train(task, lambda message, task=task: on_message(task, message))

    monkeypatch.setattr(cross_validation, "run_workers", run_here)
    monkeypatch.setattr(mlp, "N_MEMBERS", 1)
    monkeypatch.setattr(mlp, "EPOCHS", 0)
    monkeypatch.setattr(mlp, "MIN_ITERATIONS", 100)
