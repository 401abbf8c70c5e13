import numpy as np
import pytest

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.files import run_calibrations
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import predict_run
from photoz_morph.photoz.robustness.criteria import Criterion
from photoz_morph.photoz.robustness.networks import AttackedNetworks, RedshiftTarget
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members, read_run
from tests.support.one_pixel_networks import BINS_PER_UNIT, one_pixel_network

GRID = RedshiftGrid()


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A network that looks at pixel (9, 20) in r."""
    path = tmp_path_factory.mktemp("network") / "model.keras"
    one_pixel_network(9, 20, 2).save(path)
    networks = AttackedNetworks([path], GRID)
    networks.set_galaxies({"ebv": np.zeros(3)})
    return networks


def test_the_gradient_is_that_of_z_phot_and_zero_elsewhere(networks):
    images = np.zeros((10, 64, 64, 5), np.float32)
    z_phot, slope = networks.slopes(np.arange(10) % 3, images)
    assert slope[:, 9, 20, 2] == pytest.approx(BINS_PER_UNIT * GRID.width, rel=1e-4)
    slope = slope.copy()
    slope[:, 9, 20, 2] = 0
    assert not slope.any()
    assert z_phot == pytest.approx(GRID.expectation(networks.pdfs(np.arange(10) % 3, images)), abs=1e-6)


def test_a_target_has_moved_as_far_as_its_pixel_says(networks):
    before = GRID.expectation(networks.pdfs(np.arange(1), np.zeros((1, 64, 64, 5))))
    target = RedshiftTarget(networks, Criterion("z_phot", GRID, before, before))
    images = np.zeros((3, 64, 64, 5), np.float32)
    images[:, 9, 20, 2] = 0.0, 0.5, -0.5
    move = 0.5 * BINS_PER_UNIT * GRID.width / (1 + before[0])
    assert target.margins(np.zeros(3, int), images) == pytest.approx([0.05, 0.05 - move, 0.05 - move], abs=1e-5)
    assert target.slopes(np.zeros(3, int), images)[1].tolist() == [0, 1, -1]


def test_an_ensemble_is_attacked_as_it_is_predicted(calibrated_run, data_dir):
    config, _ = read_run(calibrated_run, PhotozConfig)
    paths = finished_members(calibrated_run, PhotozConfig)
    builder = reading.open_dataset(data_dir)
    batch = next(iter(dataset.image_batches(builder, "fold_0", 70, observing=config.model.observing)))
    batch = {name: values.numpy() for name, values in batch.items()}
    index = np.arange(len(batch["image"]))
    calibrator = run_calibrations(calibrated_run, paths, GRID)[0].calibrator
    for own, is_uncalibrated in ((calibrator, False), (None, True)):
        predicted = predict_run(calibrated_run, progress=False, uncalibrated=is_uncalibrated)
        predicted = predicted[predicted["fold"] == 0]
        networks = AttackedNetworks(paths[0], GRID, own)
        networks.set_galaxies(batch)
        found = GRID.expectation(networks.pdfs(index, batch["image"]))
        np.testing.assert_allclose(found, predicted["z_phot"][index], atol=2e-5)  # float32 against float64
