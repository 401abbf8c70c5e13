import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_hex

from photoz_morph.blend.report.figures.overlays import (
    composite,
    found_overlay,
    outlines,
    pixel_borders,
    source_colours,
    truth_overlay,
)
from photoz_morph.blend.report.style import FALSE, FOUND, MISSED, OTHER
from photoz_morph.blend.scenes.scene import Scene
from tests.support.blends import numbered, random_scenes, toy_results


def test_boxes_are_coloured_by_what_became_of_them():
    example = toy_results(numbered(random_scenes(9, 3))).examples[-1]  # two sources are missed
    n = len(example["scene"].truth)
    example["scene"].truth["is_target"][-1] = False
    example["found"]["score"][0], example["threshold"] = 1e-3, 1e-2
    example["matched"][1] = -1
    figure = truth_overlay(example, "toy")
    above, below = ([to_hex(patch.get_edgecolor()) for patch in figure.axes[k].patches] for k in (0, 3))
    assert above == [MISSED.lower()] * 4 + [FOUND.lower()] * (n - 5) + [OTHER.lower()]
    assert below == [FALSE.lower()] + [FOUND.lower()] * (n - 5) + [OTHER.lower()]
    first, patch = example["scene"].truth["box"][0], figure.axes[0].patches[0]
    assert (patch.get_y(), patch.get_x(), patch.get_height(), patch.get_width()) == pytest.approx(
        (first[0], first[1], first[2] - first[0], first[3] - first[1])
    )


def test_found_sources_have_the_colours_of_their_partners():
    example = toy_results(numbered(random_scenes(9, 3))).examples[-1]
    figure = truth_overlay(example, "toy")
    truth, found = (figure.axes[k].images[0].get_array() for k in (1, 4))
    kept = example["scene"].instances > 2
    np.testing.assert_array_equal(truth[kept], found[kept])
    assert not found[(example["scene"].instances > 0) & ~kept].any()


def test_a_source_of_equal_scaled_flux_is_grey_and_noise_is_dark():
    flux = np.array([40.0, 1 / 2.5, 1 / 1.5, 1.0, 7.0]) * 100  # of u, g, r, i, z
    image = np.zeros((8, 8, 5))
    image[4, 4] = flux
    colours = composite(image, np.full(5, 1.0), ("u", "g", "r", "i", "z"))
    assert np.ptp(colours[4, 4]) < 1e-6 and colours[4, 4, 0] > 0.5 and colours[0, 0].max() == 0
    one = composite(image[..., 3:4], np.array([1.0]), ("0",))
    assert np.ptp(one, axis=-1).max() < 1e-6


def test_outlines_are_where_a_source_meets_another_or_nothing():
    segmentation = np.zeros((7, 9), int)
    segmentation[1:6, 1:5], segmentation[1:6, 5:8] = 1, 2
    expected = segmentation > 0
    expected[2:5, 2:4], expected[2:5, 6] = False, False
    np.testing.assert_array_equal(outlines(segmentation), expected)


def test_borders_lie_between_the_pixels():
    segmentation = np.zeros((4, 5), int)
    segmentation[1, 2] = 3
    borders = {tuple(map(tuple, border)) for border in pixel_borders(segmentation)}
    assert borders == {((1.5, 0.5), (2.5, 0.5)), ((1.5, 1.5), (2.5, 1.5)), ((1.5, 0.5), (1.5, 1.5)),
                       ((2.5, 0.5), (2.5, 1.5))}  # fmt: skip


def test_each_pixel_of_a_large_image_is_one_of_the_picture():
    segmentation = np.zeros((64, 401), int)
    segmentation[20:30, 100:120] = 1
    scene = Scene("toy", ("r",), np.zeros((64, 401, 1), np.float32), np.ones(1))
    (axes,) = found_overlay(scene, Table({"y": [25.0], "x": [110.0]}), segmentation, "toy").axes
    shown = axes.images[0].get_array()
    assert shown.shape == (64, 401, 3) and np.array_equal(shown.any(axis=-1), outlines(segmentation))


def test_published_positions_stand_beside_what_was_found():
    scene = random_scenes(1, 0)[0]
    found = Table({"y": [3.0, 9.0], "x": [4.0, 8.0], "label": ["z 0.12", ""]})
    left, right = found_overlay(scene, found, np.zeros((64, 64), int), "toy").axes
    positions = np.stack([scene.truth["x"], scene.truth["y"]], axis=1)
    np.testing.assert_allclose(left.collections[0].get_offsets(), positions)
    np.testing.assert_allclose(right.collections[0].get_offsets(), [[4, 3], [8, 9]])
    assert [text.get_text() for text in right.texts] == ["z 0.12"]


def test_sources_have_colours_of_their_own():
    assert len(np.unique(source_colours(300).round(3), axis=0)) == 300
