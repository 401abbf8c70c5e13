import keras
import numpy as np
import pytest

from photoz_morph.models.detection.yolo_loss import YoloLoss, grid_targets
from photoz_morph.models.grid_detector import GridPredictions, grid_detections, grid_detector
from photoz_morph.models.loading import load_network
from tests.support.scenes import found_fraction, gaussian_field


def test_true_cells_give_back_the_boxes():
    field = gaussian_field(6, seed=3)
    truth = np.array(grid_targets(field["boxes"], field["classes"], (32, 32)))
    height, width = truth[..., 3] - truth[..., 1], truth[..., 4] - truth[..., 2]
    cells = np.indices((8, 8))[:, None]
    places = [((truth[..., 1 + i] + truth[..., 3 + i]) / 2 + 0.5) / 4 - cells[i] for i in (0, 1)]
    predictions = np.stack([*places, np.sqrt(height / 32), np.sqrt(width / 32), truth[..., 0],
                            truth[..., 5] == 1, truth[..., 5] == 2], axis=-1)  # fmt: skip
    found = grid_detections(predictions.astype(np.float32), n_boxes=1, max_iou=0.9, min_score=0.5)
    assert found_fraction(found, field, min_iou=0.99) == (1, 1)
    assert found["boxes"].shape == (6, 100, 4) and found["classes"].dtype == "int32"


def test_predictions_are_in_their_ranges_and_of_any_size():
    network = grid_detector((None, None, 3), n_classes=4, width=2, depth=2)
    outputs = np.array(network({"image": np.random.default_rng(1).normal(size=(2, 16, 24, 3))}))
    assert outputs.shape == (2, 4, 6, 14)
    boxes = outputs[..., :10].reshape(2, 4, 6, 2, 5)
    assert boxes.min() > 0 and boxes[..., [0, 1, 4]].max() < 1
    np.testing.assert_allclose(outputs[..., 10:].sum(axis=-1), 1, rtol=1e-5)
    assert boxes[..., 4].mean() == pytest.approx(0.02, abs=0.005)


def test_cells_that_are_too_large_and_unknown_strides_are_refused():
    with pytest.raises(ValueError, match="model.stride is 8: several sources would share a cell; choose 1, 2 or 4"):
        grid_detector(stride=8)
    with pytest.raises(ValueError, match=r"model.stride is 3, with depth 2 it must be one of \[1, 2, 4\]"):
        grid_detector((16, 16, 1), stride=3, depth=2)
    layer = GridPredictions(3, name="predictions")
    assert GridPredictions.from_config(layer.get_config()).n_boxes == 3


def test_a_small_detector_learns_where_the_sources_are_and_of_which_class(tmp_path):
    train, test = gaussian_field(640, seed=1), gaussian_field(16, seed=2)
    network = grid_detector((32, 32, 1), n_classes=2, width=8, depth=3, seed=1)
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 320)
    network.compile(keras.optimizers.Adam(schedule), YoloLoss(size_unit=16.0), jit_compile=False)
    network.optimizer.build(network.trainable_variables)  # otherwise the step is traced twice
    targets = grid_targets(train["boxes"], train["classes"], (32, 32))
    before = network.evaluate({"image": train["image"][:64]}, targets[:64], verbose=0)
    history = network.fit({"image": train["image"]}, targets, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert history[-1] < 0.3 * before
    predictions = network.predict({"image": test["image"]}, verbose=0)
    found = grid_detections(predictions, size_unit=16.0, max_detections=10)
    completeness, purity = found_fraction(found, test, min_score=0.3)
    assert completeness > 0.5 and purity > 0.6, (completeness, purity)
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras", compile=True)
    np.testing.assert_array_equal(restored.predict({"image": test["image"]}, verbose=0), predictions)
    assert restored.loss.size_unit == 16.0
