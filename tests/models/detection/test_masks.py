import numpy as np

from photoz_morph.models.detection.masks import mask_targets, pasted_masks, source_map


def test_the_mask_of_a_box_is_that_of_its_source_alone():
    sources = np.zeros((1, 12, 12), np.int32)
    sources[0, 2:6, 2:6], sources[0, 4:10, 6:10] = 1, 2
    boxes = np.array([[[1.5, 1.5, 5.5, 5.5], [1.5, 1.5, 9.5, 9.5], [1.5, 1.5, 9.5, 9.5]]], np.float32)
    masks = np.array(mask_targets(sources, np.array([[1, 1, 2]]), boxes, 8))
    assert masks[0, 0].all()
    window = sources[0, 2:10, 2:10]
    np.testing.assert_array_equal(masks[0, 1], window == 1)
    np.testing.assert_array_equal(masks[0, 2], window == 2)


def test_a_mask_comes_back_on_the_pixels_it_was_cut_from():
    rng = np.random.default_rng(1)
    masks = rng.uniform(size=(1, 1, 5, 5)).astype(np.float32)
    pasted = np.array(pasted_masks(masks, np.array([[[2.5, 3.5, 7.5, 8.5]]], np.float32), (12, 12)))
    np.testing.assert_allclose(pasted[0, 0, 3:8, 4:9], masks[0, 0], atol=1e-6)
    assert pasted.sum() == np.float32(pasted[0, 0, 3:8, 4:9].sum())


def test_a_disk_survives_the_way_through_boxes_of_other_sizes():
    rows, columns = np.indices((40, 40))
    disk = ((rows - 19.3) ** 2 + (columns - 21.1) ** 2 < 121).astype(np.int32)
    box = np.array([[[7.0, 8.5, 31.0, 33.5]]], np.float32)
    masks = mask_targets(disk[None], np.array([[1]]), box, 14)
    found = np.array(source_map(pasted_masks(masks, box, (40, 40)), np.array([[True]])))[0]
    assert (found & disk).sum() / (found | disk).sum() > 0.93  # bins of 1.7 pixels


def test_a_pixel_belongs_to_the_surest_valid_detection():
    pasted = np.array([[[[0.6, 0.9, 0.4]], [[0.8, 0.7, 0.3]], [[0.99, 0.99, 0.99]]]], np.float32)
    found = source_map(pasted, np.array([[True, True, False]]))
    assert found.numpy().tolist() == [[[2, 1, 0]]]
