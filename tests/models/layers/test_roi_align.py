import keras
import numpy as np
import pytest

from photoz_morph.models.layers.roi_align import RoIAlign


def reference(maps, box, size, stride):
    """RoIAlign of one box as Detectron2 has it with aligned=True and sampling_ratio=2, in loops.

    Its coordinates put the centre of the first pixel at 0.5.
    """
    n_rows, n_columns = maps.shape[:2]
    y0, x0, y1, x1 = (np.asarray(box, float) + 0.5) / stride - 0.5
    result = np.zeros((size, size, maps.shape[2]))
    for row in range(size):
        for column in range(size):
            for i in (0.25, 0.75):
                for j in (0.25, 0.75):
                    y, x = y0 + (row + i) * (y1 - y0) / size, x0 + (column + j) * (x1 - x0) / size
                    if y < -1 or y > n_rows or x < -1 or x > n_columns:
                        continue
                    y, x = max(y, 0), max(x, 0)
                    low_y, low_x = min(int(y), n_rows - 1), min(int(x), n_columns - 1)
                    high_y, high_x = min(low_y + 1, n_rows - 1), min(low_x + 1, n_columns - 1)
                    v = 0.0 if low_y == n_rows - 1 else y - low_y
                    u = 0.0 if low_x == n_columns - 1 else x - low_x
                    result[row, column] += (
                        (1 - v) * ((1 - u) * maps[low_y, low_x] + u * maps[low_y, high_x])
                        + v * ((1 - u) * maps[high_y, low_x] + u * maps[high_y, high_x])
                    ) / 4
    return result


BOXES = [(2.3, 4.1, 20.7, 15.2), (-0.5, -0.5, 31.5, 39.5), (-9.0, 20.0, 5.0, 60.0), (10.1, 10.2, 10.6, 10.9),
         (3.0, 3.0, 3.0, 3.0), (25.0, 30.0, 40.0, 45.0)]  # fmt: skip


@pytest.mark.parametrize(("size", "stride"), [(7, 4), (3, 1), (1, 2)])
def test_agrees_with_detectron2s_rules(size, stride):
    maps = np.random.default_rng(1).normal(size=(2, 32 // stride, 40 // stride, 3)).astype(np.float32)
    boxes = np.array([BOXES, BOXES[::-1]], np.float32)
    found = np.array(RoIAlign(size, stride)(maps, boxes))
    expected = [[reference(maps[n], box, size, stride) for box in boxes[n]] for n in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_box_of_whole_pixels_gives_back_a_plane():
    """With one bin a pixel, bilinear interpolation is exact for what is linear."""
    rows, columns = np.indices((12, 12))
    plane = (2.0 * rows - 3.0 * columns)[None, ..., None].astype(np.float32)
    found = RoIAlign(4)(plane, np.array([[[2.5, 4.5, 6.5, 8.5]]], np.float32))
    np.testing.assert_allclose(found[0, 0, :, :, 0], plane[0, 3:7, 5:9, 0], atol=1e-5)


def test_the_layer_comes_back_from_its_config_and_knows_its_shape():
    layer = RoIAlign.from_config(RoIAlign(7, 4, name="roi").get_config())
    shape = layer(keras.Input((None, None, 5)), keras.Input((9, 4))).shape
    assert shape == (None, 9, 7, 7, 5) and (layer.stride, layer.name) == (4, "roi")
