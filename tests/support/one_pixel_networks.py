"""Runs of networks that look at a single pixel, so that the smallest change that moves their redshift is known.

The PDF is a Gaussian over the bins whose middle rises linearly with the value of one pixel of one band: softmax of
-((b - CENTRE) / WIDTH)^2 / 2 + s value (b - CENTRE) over bins b.
"""

import keras
import numpy as np
from keras import layers

from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import member_dir, start_run

GRID = RedshiftGrid()
CENTRE, WIDTH = 60, 10.0  # [bin]
BINS_PER_UNIT = 25.0  # by which the middle rises per image unit


def one_pixel_network(row, column, band, size=64, n_bands=5):
    """A network that looks at one pixel."""
    image, ebv = keras.Input((size, size, n_bands), name="image"), keras.Input((), name="ebv")
    value = layers.Flatten()(layers.Conv2D(1, size, use_bias=False, name="pixel")(image))
    # As in a real network: the last hidden layer has a name by which a calibration finds it.
    hidden = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="FC2")(value)
    pdf = layers.Dense(GRID.n_bins, "softmax", name="redshift_pdf")(hidden)
    network = keras.Model({"image": image, "ebv": ebv}, pdf)
    weights = np.zeros((size, size, n_bands, 1), np.float32)
    weights[row, column, band] = 1
    bins = np.arange(GRID.n_bins) - CENTRE
    network.get_layer("pixel").set_weights([weights])
    slope = BINS_PER_UNIT / WIDTH**2
    network.get_layer("redshift_pdf").set_weights([slope * bins[None], -0.5 * (bins / WIDTH) ** 2])
    return network


def one_pixel_run(folder, config, data_dir, pixels):
    """A finished run of one fold whose members each look at a pixel, (row, column, band)."""
    start_run(folder, config, PhotozExperiment(config, data_dir).dataset_description(), ["/device:CPU:0"])
    for member, pixel in enumerate(pixels):
        path = member_dir(folder, 0, member)
        path.mkdir(parents=True)
        one_pixel_network(*pixel).save(path / "model.keras")
    return folder


def smallest_move(z_phot, n_members=1):
    """Change of the pixel [image unit] that moves the mean of so many networks, one of which looks at it, by 0.05."""
    return n_members * 0.05 * (1 + z_phot) / (BINS_PER_UNIT * GRID.width)
