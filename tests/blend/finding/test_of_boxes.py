import numpy as np

from photoz_morph.blend.config import BlendConfig, FieldNetworkConfig
from photoz_morph.blend.finding.of_boxes import joined_detections, sources_of_boxes
from photoz_morph.models.detection.yolo_loss import grid_targets

BOXES = np.array([[1.5, 2.5, 6.5, 7.5], [3.5, 6.5, 12.5, 15.5]], np.float32)


def detections(scores=(0.9, 0.6), with_masks=True):
    """Detections of a Mask R-CNN in one image, with a row that fills the arrays."""
    masks = np.zeros((3, 4, 4), np.float32)
    masks[0], masks[1] = 0.9, 0.7
    found = {
        "boxes": np.concatenate([BOXES, np.zeros((1, 4))]), "scores": np.array([*scores, 0.0]),
        "is_valid": np.array([True, True, False]), "classes": np.array([1, 3, 0]),
        "probabilities": np.array([[0.1, 0.9, 0, 0, 0], [0.4, 0, 0, 0.6, 0], [0] * 5]), "masks": masks,
    }  # fmt: skip
    found = {name: values[None].astype("float32") if values.dtype == float else values[None]
             for name, values in found.items()}  # fmt: skip
    return found if with_masks else {name: values for name, values in found.items() if name != "masks"}


def config_of(name):
    return BlendConfig(model=FieldNetworkConfig(name=name))


def found_by(outputs, name):
    """Sources of an image of 16 x 16 pixels by networks."""
    config = config_of(name)
    (found,) = sources_of_boxes(joined_detections(outputs, config), config, (16, 16))
    return found


def test_pixels_are_of_the_surest_mask():
    found = found_by([detections()], "mask_rcnn")
    np.testing.assert_array_equal(found["centres"], [[4, 5], [8, 11]])
    rows, columns = np.indices((16, 16))
    first = (rows > 1.5) & (rows < 6.5) & (columns > 2.5) & (columns < 7.5)
    second = (rows > 3.5) & (rows < 12.5) & (columns > 6.5) & (columns < 15.5)
    np.testing.assert_array_equal(found["owners"], np.where(first, 1, np.where(second, 2, 0)))
    np.testing.assert_allclose(found["probabilities"], [[0, 0.9, 0, 0, 0], [0, 0, 0, 0.6, 0]], rtol=1e-6)


def test_unsure_masks_own_no_pixel():
    found = found_by([detections(scores=(0.9, 0.2))], "mask_rcnn")
    assert set(np.unique(found["owners"])) == {0, 1} and len(found["scores"]) == 2


def test_networks_without_masks_leave_the_pixels_to_the_caller():
    found = found_by([detections(with_masks=False)], "faster_rcnn")
    assert found["owners"] is None and found["boxes"].shape == (2, 4)


def test_two_networks_that_agree_find_what_one_finds():
    one, two = (found_by([detections()] * n, "mask_rcnn") for n in (1, 2))
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-6)


def test_cells_of_a_grid_detector_are_boxes_with_the_probabilities_of_their_cell():
    classes = np.array([[1, 3]])
    truth = np.array(grid_targets(BOXES[None], classes, (16, 16)))
    height, width = truth[..., 3] - truth[..., 1], truth[..., 4] - truth[..., 2]
    cells = np.indices((4, 4))[:, None]
    places = [((truth[..., 1 + i] + truth[..., 3 + i]) / 2 + 0.5) / 4 - cells[i] for i in (0, 1)]
    one = [*places, np.sqrt(height / 32), np.sqrt(width / 32), 0.8 * truth[..., 0]]
    other = [*places, np.sqrt(height / 32), np.sqrt(width / 32), 0 * truth[..., 0]]
    probabilities = [np.where(truth[..., 5] == kind, 0.7, 0.1) for kind in (1, 2, 3, 4)]
    output = np.stack([*one, *other, *probabilities], axis=-1).astype(np.float32)
    found = found_by([output], "grid_detector")
    np.testing.assert_allclose(found["boxes"], BOXES, atol=1e-5)
    np.testing.assert_allclose(found["scores"], 0.8 * 0.7, rtol=1e-6)
    np.testing.assert_allclose(found["probabilities"], [[0, 0.7, 0.1, 0.1, 0.1], [0, 0.1, 0.1, 0.7, 0.1]], rtol=1e-6)
