import numpy as np
import pytest
from astropy.table import vstack

from photoz_morph.morph.report.figures.attack_gallery import attack_gallery
from tests.support.attacks import toy_attack, toy_images


def test_gallery_circles_the_changed_pixel_and_shows_no_other_change():
    table = toy_attack([7])
    figure = attack_gallery(table, toy_images(table), "Simulated toy")
    before, after, near = figure.axes
    ((column, row),) = after.collections[0].get_offsets()
    assert (row, column) == (10, 20)
    changed = np.any(before.images[0].get_array() != after.images[0].get_array(), axis=-1)
    assert np.argwhere(changed).tolist() == [[10, 20]]
    assert near.get_xlim() == (20 - 7.5, 20 + 7.5) and near.get_ylim() == (10 - 7.5, 10 + 7.5)
    assert (before.get_title(), after.get_title()) == ("spiral", "elliptical")


def test_gallery_circles_every_pixel_of_a_set():
    table = toy_attack([7], pixels=3)
    figure = attack_gallery(table, toy_images(table), "Simulated toy")
    before, after, near = figure.axes
    offsets = after.collections[0].get_offsets()
    changed = np.any(before.images[0].get_array() != after.images[0].get_array(), axis=-1)
    assert [(row, column) for column, row in offsets] == [(10, 20), (10, 21), (10, 22)]
    assert np.argwhere(changed).tolist() == [[10, 20], [10, 21], [10, 22]]
    assert "nJy, mean of 3\n" in before.texts[0].get_text()


def test_gallery_tells_the_change_in_njy_and_in_sigma_of_the_sky():
    table = toy_attack([7])
    images = toy_images(vstack([table] * 40, metadata_conflicts="silent"), sigma=3.0)
    images = {name: part[:1] for name, part in images.items()} | {"original": images["original"]}
    (text,) = [text.get_text() for text in attack_gallery(table, images, "Simulated").axes[0].texts]
    assert "+30, −6, +9 nJy" in text and "(+10, −2, +3 sky" in text  # sigma is 3 nJy
    assert "0: 8 queries, margin 1.00 to −0.50" in text


def test_gallery_shows_every_pair_of_classes_before_a_second_of_one():
    table = toy_attack([1] * 30, label=[0] * 27 + [1, 1, 2])
    figure = attack_gallery(table, toy_images(table), "Simulated")
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 3 * 8 and sorted(titles[::3]) == ["elliptical"] * 2 + ["merger"] + ["spiral"] * 5


def test_images_of_the_released_arrays_are_not_in_njy():
    table = toy_attack([7], origin="released")
    (text,) = [text.get_text() for text in attack_gallery(table, toy_images(table), "Simulated").axes[0].texts]
    assert "+30, −6, +9 image unit\n" in text and "nJy" not in text


def test_gallery_needs_a_flip():
    table = toy_attack([None, None])
    with pytest.raises(ValueError, match="needs a flipped galaxy, got none of 2"):
        attack_gallery(table, toy_images(table), "Simulated")
