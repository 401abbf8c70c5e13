import keras
import numpy as np
import pytest
from keras import ops

from photoz_morph.models.layers.photometric_inputs import Standardization, adapt_to_training_set
from photoz_morph.models.layers.psf_matched import LogConditions, PsfMatchedPhotometry
from photoz_morph.models.loading import load_network
from photoz_morph.surveys import SDSS

SIZE, SCALE = 64, SDSS.pixel_scale
FLUX = np.array([20.0, 60.0, 100.0, 120.0, 150.0])
NOISE = np.full(5, 1e-3)
SCALES = (0.75, 1.5)


def gaussian(covariance, centre=(0.0, 0.0)):
    """Image of a Gaussian of unit flux, shape (SIZE, SIZE); covariance (xx, yy, xy) and centre in pixels."""
    y, x = (axis - (SIZE - 1) / 2 for axis in np.indices((SIZE, SIZE)))
    x, y = x - centre[0], y - centre[1]
    (xx, yy, xy), determinant = covariance, covariance[0] * covariance[1] - covariance[2] ** 2
    form = (yy * x * x + xx * y * y - 2 * xy * x * y) / determinant
    return np.exp(-form / 2) / (2 * np.pi * np.sqrt(determinant))


def galaxy(fwhm, intrinsic=(12.0, 6.0, 2.0), centre=(0.0, 0.0), flux=FLUX):
    """Stamp of a Gaussian galaxy through Gaussian seeing, shape (1, SIZE, SIZE, 5)."""
    bands = []
    for value, width in zip(flux, fwhm):
        seeing = (width / SCALE / 2.35482) ** 2
        bands.append(value * gaussian((intrinsic[0] + seeing, intrinsic[1] + seeing, intrinsic[2]), centre))
    return np.stack(bands, axis=-1)[None].astype(np.float32)


def measured(image, fwhm=None):
    """Fluxes, shape (n, len(SCALES), 5), in the unit of the image, and shape of stamps."""
    layer = PsfMatchedPhotometry(NOISE, SCALE, scales=SCALES, typical_fwhm=SDSS.psf_fwhm)
    log_fwhm = None if fwhm is None else np.log(np.broadcast_to(fwhm, (len(image), 5))).astype(np.float32)
    fluxes, shape = (ops.convert_to_numpy(values) for values in layer(image, log_fwhm))
    return np.sinh(fluxes.reshape(len(image), len(SCALES), 5)), shape


def test_colours_do_not_depend_on_the_seeing_of_the_bands():
    sharp, poor = np.array([1.2, 1.1, 1.0, 1.0, 1.1]), np.array([2.0, 1.1, 1.6, 1.2, 1.4])
    for fwhm in (sharp, poor):
        fluxes, _ = measured(galaxy(fwhm), fwhm)
        ratios = fluxes / fluxes[..., 2:3]
        np.testing.assert_allclose(ratios, np.broadcast_to(FLUX / FLUX[2], ratios.shape), rtol=2e-3)
    told_wrong, _ = measured(galaxy(poor), sharp)
    assert np.abs(told_wrong / told_wrong[..., 2:3] / (FLUX / FLUX[2]) - 1).max() > 0.05


def test_the_seeing_is_that_of_the_survey_unless_told():
    image = galaxy(SDSS.psf_fwhm)
    for one, other in zip(measured(image), measured(image, np.asarray(SDSS.psf_fwhm))):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_shape_is_that_before_the_seeing():
    for fwhm in (1.0, 1.8):
        _, ((size, ellipticity, size_in_image, offset),) = measured(galaxy([fwhm] * 5), [fwhm] * 5)
        assert size == pytest.approx(np.log(9.0) / 2, abs=5e-3)
        assert ellipticity == pytest.approx(np.hypot(3.0, 2.0) / 9.0, abs=5e-3)
        assert size_in_image == pytest.approx(np.log(9.0 + (fwhm / SCALE / 2.35482) ** 2) / 2, abs=5e-3)
        assert offset == pytest.approx(0, abs=1e-3)


def test_what_is_measured_does_not_change_when_a_stamp_is_turned_or_mirrored():
    fwhm = np.asarray(SDSS.psf_fwhm)
    image = galaxy(fwhm, centre=(0.6, -0.3)) + np.random.default_rng(1).normal(0, 0.02, (1, SIZE, SIZE, 5))
    image = image.astype(np.float32)
    expected = measured(image, fwhm)
    for other in (np.rot90(image, axes=(1, 2)), image[:, ::-1], image.transpose(0, 2, 1, 3)):
        for one, value in zip(measured(np.ascontiguousarray(other), fwhm), expected):
            np.testing.assert_allclose(one, value, rtol=2e-3, atol=2e-3)


def test_a_galaxy_off_the_centre_has_the_fluxes_of_one_in_the_centre():
    fwhm = np.asarray(SDSS.psf_fwhm)
    (centred, _), (moved, shape) = (measured(galaxy(fwhm, centre=centre), fwhm) for centre in ((0, 0), (1.2, 0.5)))
    np.testing.assert_allclose(moved, centred, rtol=0.03)
    assert shape[0, 3] == pytest.approx(np.hypot(1.2, 0.5), abs=0.1)


def test_a_bright_neighbour_changes_little():
    fwhm = np.asarray(SDSS.psf_fwhm)
    alone = galaxy(fwhm)
    neighbour = galaxy(fwhm, (2.0, 2.0, 0.0), centre=(14.0, 9.0), flux=3 * FLUX[::-1])
    (fluxes, shape), (crowded, its_shape) = measured(alone, fwhm), measured(alone + neighbour, fwhm)
    np.testing.assert_allclose(crowded, fluxes, rtol=0.02)
    np.testing.assert_allclose(its_shape, shape, atol=0.03)


@pytest.mark.parametrize("level", [0.0, -1.0, 1e4])
def test_a_stamp_without_a_galaxy_gives_finite_values(level):
    fluxes, shape = measured(np.full((1, SIZE, SIZE, 5), level, np.float32))
    assert np.isfinite(fluxes).all() and np.isfinite(shape).all()


def test_small_stamps_of_three_bands_are_measured_too():
    layer = PsfMatchedPhotometry([0.01] * 3, 0.262, typical_fwhm=[1.3, 1.2, 1.1])
    fluxes, shape = layer(np.random.default_rng(2).normal(size=(2, 21, 21, 3)).astype(np.float32))
    assert fluxes.shape == (2, 12) and shape.shape == (2, 4)


def test_unknown_conditions_are_those_of_a_typical_image():
    layer = LogConditions([1.0, 2.0])
    values = np.array([[1.5, np.nan], [0.0, -9999.0], [np.inf, 3.0]], np.float32)
    expected = np.log([[1.5, 2.0], [1.0, 2.0], [1.0, 3.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(values)), expected, atol=1e-6)
    layer.adapt([[1.2, np.nan], [1.4, np.nan], [9.0, 0.0]])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(values[1:2])), np.log([[1.4, 2.0]]), atol=1e-6)


def test_layers_are_adapted_in_the_order_of_the_network_and_keep_it_when_saved(tmp_path):
    image, fwhm = keras.Input((SIZE, SIZE, 5), name="image"), keras.Input((5,), name="psf_fwhm")
    conditions = LogConditions([1.0] * 5, name="log_psf_fwhm")(fwhm)
    fluxes, _ = PsfMatchedPhotometry(NOISE, SCALE, name="psf_matched_photometry")(image, conditions)
    outputs = Standardization(name="standardization")(keras.layers.Concatenate()([fluxes, conditions]))
    network = keras.Model({"image": image, "psf_fwhm": fwhm}, outputs)
    rng = np.random.default_rng(3)
    batch = {"image": np.concatenate([galaxy([width] * 5) for width in (1.0, 1.2, 1.4, 1.6)])}
    batch["psf_fwhm"] = rng.uniform(1, 2, (4, 5)).astype(np.float32)
    batch["psf_fwhm"][0] = np.nan
    adapt_to_training_set(network, [batch])
    values = ops.convert_to_numpy(network(batch))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-3)
    network.save(tmp_path / "network.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(load_network(tmp_path / "network.keras")(batch)), values, atol=1e-5)
