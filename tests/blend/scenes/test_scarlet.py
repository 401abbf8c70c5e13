import numpy as np
import pytest

from photoz_morph.blend.scenes.scarlet import read_scarlet_scene
from tests.support.paths import SHARED_DATA

SCENES = SHARED_DATA / "scarlet_scenes"
needs_scenes = pytest.mark.skipif(not SCENES.is_dir(), reason="needs scarlet's scenes beside the checkout")
BANDS = ("g", "r", "i")
NOISE = (1.0, 2.0, 3.0)


def write_scene(path, shape=(31, 40), **changes):
    """Simulated file in scarlet's layout: a star, and a galaxy of bulge and disk; its catalogue counts from n // 2."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    places = [(9.3, 11.2, 2.0), (20.1, 26.4, 2.0), (20.1, 26.4, 4.0)]  # y, x, sigma
    flux = np.array([[3000, 2000, 1000], [1000, 2000, 3000], [500, 500, 4000]])
    profiles = [np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / s**2) / (2 * np.pi * s**2) for y, x, s in places]
    drawn = flux[:, :, None, None] * np.array(profiles)[:, None]
    fields = [("index", int), ("x", float), ("y", float), ("is_star", bool), ("redshift", float)]
    fields += [(f"intensity_{band}", np.float32, shape) for band in BANDS]
    catalog = np.zeros(3, fields)
    catalog["index"], catalog["is_star"], catalog["redshift"] = [7, 3, 3], [True, False, False], [0, 0.6, 0.6]
    for axis, n, place in (("y", shape[0], 0), ("x", shape[1], 1)):
        catalog[axis] = [one[place] + 0.5 * (n % 2 == 0) for one in places]
    for band, images in zip(BANDS, np.moveaxis(drawn, 1, 0)):
        catalog[f"intensity_{band}"] = images
    noise = rng.normal(size=(3, *shape)) * np.array(NOISE)[:, None, None]
    arrays = {
        "images": (drawn.sum(axis=0) + noise).astype(np.float32), "filters": np.array(BANDS),
        "psfs": np.ones((3, 5, 5)) / 25, "catalog": catalog,
    }  # fmt: skip
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(path, **arrays)
    return drawn


def test_parts_of_a_source_are_one_and_its_truth_follows_from_its_light(tmp_path):
    drawn = write_scene(tmp_path / "sim.npz")
    scene = read_scarlet_scene(tmp_path / "sim.npz")
    assert scene.name == "sim" and scene.bands == BANDS and scene.image.shape == (31, 40, 3)
    assert scene.truth["kind"].tolist() == [-1, 1]  # by index: the galaxy comes first
    np.testing.assert_allclose(scene.truth["redshift"], [0.6, np.nan])
    np.testing.assert_allclose(scene.truth["y"], [20.1, 9.3])
    np.testing.assert_allclose(scene.truth["x"], [26.4, 11.2])
    flux = [[1490, 2490, 6960], [3000, 2000, 1000]]  # wings cut
    np.testing.assert_allclose(scene.truth["flux_in_image"], flux, rtol=0.01)
    np.testing.assert_allclose(scene.source_images[0], np.moveaxis(drawn[1:].sum(axis=0), 0, -1), rtol=1e-6)
    np.testing.assert_allclose(scene.sigma, NOISE, rtol=0.15)  # 370 pixels know it to 4 %
    assert scene.instances[20, 26] == 1 and scene.instances[9, 11] == 2 and scene.instances[0, 39] == 0
    assert scene.truth["is_target"].all()


def test_noise_is_that_of_the_variance_where_the_file_has_one(tmp_path):
    variance = np.full((3, 31, 40), 4.0, np.float32)
    variance[1, 2, 3] = 0
    write_scene(tmp_path / "a.npz", variance=variance)
    sigma = read_scarlet_scene(tmp_path / "a.npz").sigma
    assert sigma[0, 0, 0] == 2 and sigma[2, 3, 1] == np.inf and np.isfinite(sigma).sum() == sigma.size - 1


def test_positions_alone_are_a_truth_without_images(tmp_path):
    write_scene(tmp_path / "a.npz", catalog=None, centers=np.array([[9, 11], [20, 26]]), filters=None, psfs=None)
    scene = read_scarlet_scene(tmp_path / "a.npz")
    assert scene.truth["y"].tolist() == [9, 20] and scene.truth["x"].tolist() == [11, 26]
    assert scene.source_images is None and scene.instances is None and scene.psfs is None
    assert scene.bands == ("0", "1", "2")
    np.testing.assert_allclose(scene.sigma, NOISE, rtol=0.3)  # sources fill a part of it
    write_scene(tmp_path / "b.npz", catalog=None)
    assert read_scarlet_scene(tmp_path / "b.npz").truth is None


def test_files_that_are_no_scenes_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match="a.npz: no such file"):
        read_scarlet_scene(path)
    path.write_text("no archive")
    with pytest.raises(ValueError, match="a.npz: cannot be read as .npz, truncated, damaged or of Python objects"):
        read_scarlet_scene(path)
    for changes, message in (
        ({"images": np.zeros((4, 4))}, r"no array `images` of shape \(n_bands, height, width\)"),
        ({"filters": np.array(["g"])}, "1 filters but images of 3 bands"),
        ({"psfs": np.zeros((2, 5, 5))}, "2 psfs but images of 3 bands"),
        ({"variance": np.zeros((3, 2, 2))}, r"variance of shape \(2, 2, 3\)"),
        ({"catalog": np.zeros(2, [("ra", float)])}, "its catalog has no columns x and y"),
        ({"images": np.zeros((3, 20, 20), np.float32)}, r"sources of shape \(31, 40, 3\), images of \(20, 20, 3\)"),
    ):
        write_scene(path, **changes)
        with pytest.raises(ValueError, match=message):
            read_scarlet_scene(path)


@needs_scenes
@pytest.mark.parametrize("name, n_sources", [("psf_matched_sim", 7), ("psf_unmatched_sim", 5)])
def test_simulated_scenes_of_scarlet_are_the_sum_of_their_sources(name, n_sources):
    scene = read_scarlet_scene(SCENES / f"{name}.npz")
    assert len(scene.truth) == n_sources and scene.bands == tuple("ugrizy")
    # Photons add noise where there is light, so the sum is within 5 of their sigma.
    light = scene.source_images.sum(axis=0)
    deviation = (scene.image - light) / np.sqrt(scene.sigma**2 + np.maximum(light, 0))
    assert np.abs(deviation).max() < 6 and np.std(deviation) == pytest.approx(1, abs=0.12)
    # Stars are symmetric about their positions.
    rows, columns = np.arange(light.shape[0])[:, None], np.arange(light.shape[1])
    for source, image in zip(scene.truth, scene.source_images.sum(axis=-1)):
        if source["kind"] == 1:
            centre = [np.sum(image * axis) / image.sum() for axis in (rows, columns)]
            np.testing.assert_allclose(centre, [source["y"], source["x"]], atol=0.02)


@needs_scenes
@pytest.mark.parametrize("name, n_sources", [("hsc_cosmos_35", 7), ("hsc_cosmos", 6), ("testdata_3_0", 11)])
def test_positions_of_real_scenes_lie_on_light(name, n_sources):
    scene = read_scarlet_scene(SCENES / f"{name}.npz")
    assert len(scene.truth) == n_sources and scene.psfs.shape[0] == 5
    sigma = np.broadcast_to(scene.sigma, scene.image.shape)
    snr = (scene.image / sigma).sum(axis=-1) / np.sqrt(5)
    at = snr[np.round(scene.truth["y"]).astype(int), np.round(scene.truth["x"]).astype(int)]
    assert at.min() > 2.5 and np.median(at) > 6
