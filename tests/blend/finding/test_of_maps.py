import numpy as np

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.finding.of_maps import mean_maps, mean_probabilities, owners_of_pixels, sources_of_maps

CENTRES = np.array([[3.0, 3.0], [3.0, 8.0]])


def true_maps():
    """Maps of a U-Net that is right about a star and a disk side by side, as logits."""
    owners = np.zeros((8, 12), int)
    owners[1:6, 1:6], owners[1:6, 6:11] = 1, 2
    semantic = 20.0 * np.eye(5)[np.array([0, 1, 3])[owners]]
    heat = np.full((8, 12, 1), -20.0)
    heat[3, 3], heat[3, 8] = 3.0, 1.0
    distances = np.full((8, 12, 4), 2.5)
    grid = np.stack(np.indices((8, 12)), axis=-1)
    offsets = np.append([[0, 0]], CENTRES, axis=0)[owners] - grid
    maps = {"semantic": semantic, "heat": heat, "distances": distances, "offsets": offsets}
    return {name: values[None].astype(np.float32) for name, values in maps.items()}, owners


def test_true_maps_give_back_the_sources():
    maps, owners = true_maps()
    (found,) = sources_of_maps(mean_maps([maps]), BlendConfig(), (8, 12))
    np.testing.assert_array_equal(found["centres"], CENTRES)
    np.testing.assert_allclose(found["boxes"], [[0.5, 0.5, 5.5, 5.5], [0.5, 5.5, 5.5, 10.5]])
    np.testing.assert_allclose(found["scores"], 1 / (1 + np.exp([-3.0, -1.0])), rtol=1e-6)
    np.testing.assert_array_equal(found["owners"], owners)
    np.testing.assert_allclose(found["probabilities"], np.eye(5)[[1, 3]], atol=1e-6)


def test_maps_of_two_networks_are_averaged_as_probabilities():
    maps, _ = true_maps()
    other = {**maps, "heat": np.full_like(maps["heat"], -20.0), "distances": maps["distances"] + 2}
    (found,) = sources_of_maps(mean_maps([maps, other]), BlendConfig(), (8, 12))
    np.testing.assert_allclose(found["scores"], 0.5 / (1 + np.exp([-3.0, -1.0])), rtol=1e-5)
    np.testing.assert_allclose(found["boxes"][0], [-0.5, -0.5, 6.5, 6.5])
    mean = mean_maps([maps, other])
    np.testing.assert_allclose(np.sum(mean["semantic"], axis=-1), 1, rtol=1e-6)


def test_unsure_sources_own_no_pixel_and_have_the_class_at_their_centre():
    maps, owners = true_maps()
    semantic = np.eye(5)[np.array([0, 1, 3])[owners]]
    found = owners_of_pixels(semantic, maps["offsets"][0], CENTRES, np.array([True, False]))
    np.testing.assert_array_equal(found, (owners > 0).astype(int))
    probabilities = mean_probabilities(semantic, found, CENTRES)
    # 25 pixels of a star and 25 of a disk; the nine about the second centre are of a disk.
    np.testing.assert_allclose(probabilities, [[0, 0.5, 0, 0.5, 0], [0, 0, 0, 1, 0]])
    assert owners_of_pixels(semantic, maps["offsets"][0], CENTRES, np.array([False, False])).max() == 0


def test_an_image_without_sources_has_none():
    maps, _ = true_maps()
    maps["heat"][:] = -20
    (found,) = sources_of_maps(mean_maps([maps]), BlendConfig(), (8, 12))
    assert found["centres"].shape == (0, 2) and found["probabilities"].shape == (0, 5) and found["owners"].max() == 0
