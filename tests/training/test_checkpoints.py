import keras
import numpy as np
import pytest

from photoz_morph.models.loading import load_network
from photoz_morph.training.checkpoints import checkpoint_paths, iterations_done, load_checkpoint, save_checkpoint


class Fold:
    """Loads checkpoints as the folds of both chains do."""

    def load_checkpoint(self, path):
        return load_network(path, compile=True)


@pytest.fixture()
def saved(tmp_path):
    """A model with a checkpoint after one iteration and another one after two."""
    image = keras.Input((3,))
    model = keras.Model(image, keras.layers.Dense(2)(image))
    model.compile(keras.optimizers.Adam(0.1), "mse")
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    weights = []
    for _ in range(2):
        model.train_on_batch(x, np.ones((4, 2), np.float32))
        save_checkpoint(model, tmp_path)
        weights.append(model.get_weights())
    return model, weights, x


def test_a_checkpoint_resumes_at_its_iteration_with_the_moments_of_the_optimizer(saved, tmp_path):
    model, weights, x = saved
    restored = load_checkpoint(tmp_path, Fold())
    assert iterations_done(restored) == 2
    for network in (model, restored):
        network.train_on_batch(x, np.zeros((4, 2), np.float32))
    for a, b in zip(model.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("damage", [lambda text: text[:500], lambda text: b"", lambda text: text.replace(b"PK", b"XX")])
def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_is_named(damage, saved, tmp_path, capsys):
    last, _ = checkpoint_paths(tmp_path)
    last.write_bytes(damage(last.read_bytes()))
    restored = load_checkpoint(tmp_path, Fold())
    assert iterations_done(restored) == 1
    for a, b in zip(restored.get_weights(), saved[1][0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert "checkpoint.keras: cannot be read" in capsys.readouterr().err


def test_with_both_checkpoints_damaged_training_starts_anew(saved, tmp_path, capsys):
    for path in checkpoint_paths(tmp_path):
        path.write_bytes(path.read_bytes()[:100])
    assert load_checkpoint(tmp_path, Fold()) is None
    assert capsys.readouterr().err.count("cannot be read") == 2


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(saved, tmp_path, monkeypatch):
    model, weights, _ = saved

    def full(path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(model, tmp_path)
    assert iterations_done(load_checkpoint(tmp_path, Fold())) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.keras", "checkpoint_previous.keras"]
