"""Networks under attack: an ensemble as `photoz predict` uses it, or one of its members; PDFs and their gradients."""

import keras
import numpy as np
import tensorflow as tf

from photoz_morph.models.loading import BATCH_SIZE, in_float32, load_members
from photoz_morph.photoz.calibration.graph import calibrated_pdf
from photoz_morph.photoz.predict import combine_pdfs

SLOPES_AT_ONCE = 8


class AttackedNetworks:
    """One or several networks whose PDFs are pooled.

    Parameters
    ----------
    paths : list of path-like
        `model.keras` of the networks.
    grid : RedshiftGrid
    calibrator : Calibrator, optional
        What turns their PDFs into the calibrated one; by default it is their mean.
    """

    def __init__(self, paths, grid, calibrator=None):
        self._members = [in_float32(member) for member in load_members(paths)]
        midpoints = tf.constant(grid.midpoints, tf.float32)

        def member_pdfs(inputs):
            return [member({tensor.name: inputs[tensor.name] for tensor in member.inputs}, training=False)
                    for member in self._members]  # fmt: skip

        def pooled(pdfs):
            return calibrated_pdf(tf.stack(pdfs), calibrator, grid) if calibrator else combine_pdfs(pdfs)

        def slope_of(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs["image"])
                pdfs = member_pdfs(inputs)
                # Not through the calibration: powers of a probability of zero have no gradient.
                mean = tf.linalg.matvec(combine_pdfs(pdfs), midpoints)
            return tf.linalg.matvec(pooled(pdfs), midpoints), tape.gradient(mean, inputs["image"])

        self._pdf_of = tf.function(lambda inputs: pooled(member_pdfs(inputs)), reduce_retracing=True)
        self._slope_of = tf.function(slope_of, reduce_retracing=True)
        self._facts = {}

    @property
    def inputs(self):
        """Names of the inputs beside the image."""
        return tuple(dict.fromkeys(t.name for member in self._members for t in member.inputs if t.name != "image"))

    def set_galaxies(self, facts):
        """Take other galaxies.

        Parameters
        ----------
        facts : dict of str to ndarray, first axis n
            Their `inputs`.
        """
        self._facts = {name: np.asarray(facts[name], np.float32) for name in self.inputs}

    def pdfs(self, index, images):
        """PDFs of images of the galaxies of numbers `index`: shape (k, n_bins), float64."""
        parts = self._in_batches(self._pdf_of, index, images, BATCH_SIZE)
        return np.concatenate([pdf.astype(float) for (pdf,) in parts])

    def slopes(self, index, images):
        """z_phot, shape (k,), and the derivatives of that of the mean PDF by the pixels; 0 where not finite."""
        parts = list(self._in_batches(self._slope_of, index, images, SLOPES_AT_ONCE))
        z_phot, slope = (np.concatenate(values) for values in zip(*parts))
        return z_phot, np.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)

    def _in_batches(self, function, index, images, size):
        """Outputs of batches of one size, the last galaxy repeated if need be: then a function is compiled once."""
        for start in range(0, len(images), size):
            rows = np.minimum(np.arange(start, start + size), len(images) - 1)
            inputs = {name: tf.constant(values[index[rows]]) for name, values in self._facts.items()}
            outputs = function({"image": tf.constant(images[rows], tf.float32), **inputs})
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            yield tuple(keras.ops.convert_to_numpy(output)[: len(images) - start] for output in outputs)


class RedshiftTarget:
    """What `few_pixels.smallest_changes` attacks: networks, and the criterion of success.

    Parameters
    ----------
    networks : AttackedNetworks
        With the galaxies of the criterion.
    criterion : Criterion
    """

    def __init__(self, networks, criterion):
        self._networks, self._criterion = networks, criterion

    def margins(self, index, images):
        """What is left until success, shape (k,)."""
        return self._criterion.margins(index, self._networks.pdfs(index, images))

    def slopes(self, index, images):
        """Derivatives of z_phot by the pixels, and the side to which it has moved."""
        z_phot, slope = self._networks.slopes(index, images)
        return slope, self._criterion.side(index, z_phot)
