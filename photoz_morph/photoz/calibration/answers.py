"""Answers of an exported model, calibrated or not, in a table with galaxies that cannot be predicted."""

import numpy as np

from photoz_morph.catalogs.per_band import gather_conditions
from photoz_morph.photoz.calibration.quality import BITS, pixel_bits


def predict_good(model, image, table, good, source="stacks"):
    """Predict some of the galaxies.

    Parameters
    ----------
    model : ExportedModel
    image : ndarray, shape (n, size, size, n_bands)
    table : Table
        With `ebv` [mag], and the observing conditions that are known.
    good : ndarray of bool, shape (n,)
        Galaxies to predict.
    source : str
        Named in errors.
    conditions : dict of str to ndarray, shape (n, n_bands), optional
        Observing conditions, from `gather_conditions`.

    Returns
    -------
    pdf : ndarray, shape (n, n_bins)
        NaN for the others.
    calibrated : dict of str to ndarray, shape (n,)
        Columns of `predictions.CALIBRATED` that the model gives; the `quality` of the others is that of their pixels.
    """
    pdf = np.full((len(image), model.grid.n_bins), np.nan, np.float32)
    calibrated = {name: np.full(len(image), np.nan, np.float32) for name in model.calibrated}
    if "quality" in calibrated:
        calibrated["quality"] = pixel_bits(image) | np.int32(BITS["no_pdf"])
    if good.any():
        conditions = gather_conditions(table[good], model.observing, model.survey.bands, source)
        answers = model.predict(image[good], np.asarray(table["ebv"])[good], source, conditions)
        for name, values in {"pdf": pdf, **calibrated}.items():
            values[good] = answers[name]
    return pdf, calibrated
