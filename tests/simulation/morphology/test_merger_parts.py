import numpy as np
import pytest

from photoz_morph.mocks.labels import MERGER
from photoz_morph.simulation.morphology.candidates import draw_type
from photoz_morph.simulation.morphology.merger_parts import PARTS, merger_parts
from photoz_morph.simulation.morphology.populations import PIXEL_KPC
from photoz_morph.simulation.morphology.sample import simulate_galaxy

SEED = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Parts of the first merger of a seed, and its scene and row in the sample."""
    folder = tmp_path_factory.mktemp("encounters")
    index = next(index for index in range(100) if draw_type(SEED, index)[0] == MERGER)
    return merger_parts(SEED, index, folder), simulate_galaxy(SEED, index, folder)


def test_the_parts_share_the_light_of_the_scene(made):
    parts, (image, _, _) = made
    np.testing.assert_array_equal(parts.image, image)
    bright = image[..., 1] > 1e-3 * image[..., 1].max()
    np.testing.assert_allclose(parts.shares.sum(axis=0)[bright], 1, atol=1e-4)
    assert len(parts.shares) == len(PARTS) and parts.shares.min() >= 0


def test_the_nuclei_are_where_the_catalogue_says_and_belong_to_their_galaxies(made):
    parts, (_, row, _) = made
    apart = PIXEL_KPC * np.hypot(*(parts.nuclei[1] - parts.nuclei[0]))
    np.testing.assert_allclose(apart, row["separation"], atol=1e-3)
    if apart > 3:  # else both shine in the same pixels
        for number, (column, line) in enumerate(parts.nuclei.round().astype(int)):
            assert parts.shares[number, line, column] > 0.5


def test_tails_are_far_from_both_nuclei(made):
    parts, _ = made
    rows, columns = np.indices(parts.shares.shape[1:])
    nearest = np.min([np.hypot(columns - x, rows - y) for x, y in parts.nuclei], axis=0)
    light = parts.shares * parts.image[..., 1]
    mean = light.reshape(3, -1) @ nearest.ravel() / light.sum(axis=(1, 2))
    assert mean[2] > max(mean[:2])


def test_only_mergers_have_parts(tmp_path):
    index = next(index for index in range(100) if draw_type(SEED, index)[0] != MERGER)
    with pytest.raises(ValueError, match="is no merger"):
        merger_parts(SEED, index, tmp_path)
