"""Cost of a simulated galaxy and its mocks, step by step, and of Gini-M20 against statmorph.

    python scripts/benchmarks/morph_mocks.py ENCOUNTERS [number of galaxies]

ENCOUNTERS is the folder `encounters` that `morph simulate` leaves beside its scenes. Processor time on one core, in
milliseconds a galaxy: drawing an accepted galaxy with all candidates that were not, its g, r, i images, the PSF,
Gini-M20 of one band, and noise at two depths. Where statmorph is installed, its Gini and M20 of the same images
(without the Sersic fit), and the ratio.
"""

import importlib.util
import sys
import time

import numpy as np
from scipy import ndimage

from photoz_morph.mocks.labels import gini_m20
from photoz_morph.mocks.observe import convolve_native, observe
from photoz_morph.simulation.morphology.candidates import draw_accepted
from photoz_morph.surveys import LSST
from photoz_morph.system.threads import one_thread

SEED = 1
N_STATMORPH = 5  # it takes seconds for each
DETECTION = 3.4  # [nJy per camera pixel] 1.5 sigma of a ten-year i image


def main(encounters, n_galaxies):
    """Time each step and print."""
    with one_thread():
        drawn = timed("accepted galaxy", lambda i: draw_accepted(SEED, i, encounters)[0], range(n_galaxies))
        images = timed("g, r, i image", lambda galaxy: galaxy.image(), drawn)
        seen = timed("PSF, three bands", lambda image: np.moveaxis(convolve_native(image, LSST), 0, -1), images)
        seen = [centred(image) for image in seen]
        rng = np.random.default_rng(SEED)
        timed("noise, two depths", lambda image: observe(image, LSST, (10, 1), rng), seen)
        ours = timed("Gini-M20, one band", lambda image: gini_m20(image[..., 2]), seen)
        if importlib.util.find_spec("statmorph") is None:
            print("statmorph is not installed: no comparison with it")
            return
        start = time.process_time()
        theirs = [statmorph_gini_m20(image[..., 2]) for image in seen[:N_STATMORPH]]
        spent = (time.process_time() - start) / N_STATMORPH
    print(f"statmorph's         {1e3 * spent:8.1f} ms")
    start = time.process_time()
    for image in seen[:N_STATMORPH]:
        gini_m20(image[..., 2])
    print(f"ratio to ours on the same images: {spent * N_STATMORPH / (time.process_time() - start):.0f}")
    differences = np.abs(np.array(theirs) - np.array(ours)[:N_STATMORPH, :2])
    print(f"median difference in G and M20: {np.median(differences, axis=0).round(4)}")


def timed(name, function, inputs):
    """Results of a function for all inputs; prints its processor time for one."""
    inputs = list(inputs)
    start = time.process_time()
    results = [function(item) for item in inputs]
    print(f"{name:20s}{1e3 * (time.process_time() - start) / len(inputs):8.1f} ms", flush=True)
    return results


def centred(image, size=500):
    """Central square of an image that is padded for the PSF."""
    first = (image.shape[0] - size) // 2
    return image[first : first + size, first : first + size]


def statmorph_gini_m20(image):
    """Gini and M20 by statmorph of the brightest segment above the detection threshold."""
    import statmorph

    class OnlyWhatIsAsked(statmorph.SourceMorphology):
        def _calculate_morphology(self):
            """Skip the Sersic fit and other quantities, all of which are computed when first read."""

    pieces, _ = ndimage.label(image > DETECTION)
    label = pieces[np.unravel_index(np.argmax(ndimage.gaussian_filter(image, 5)), image.shape)]
    weightmap = np.full(image.shape, DETECTION / 1.5)
    source = OnlyWhatIsAsked(image, pieces, label, weightmap=weightmap, n_sigma_outlier=0)
    return source.gini, source.m20


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
