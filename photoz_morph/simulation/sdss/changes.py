"""An object of the simulated sample seen otherwise, with the same noise: without its neighbours, inclined, reddened.

The noise of the stack is kept and the difference of two noiseless images is added, so that what a network answers
changes by the change alone. Photon noise of light that goes stays; it is below that of the sky but in bright cores.
"""

from dataclasses import replace
from math import cos, log10, sin, sqrt

import numpy as np

from photoz_morph.simulation.sdss.images import DEEP_FRACTION, noiseless_images
from photoz_morph.simulation.sdss.population import DUST_WAVELENGTH_INDEX, EFFECTIVE_WAVELENGTH, INCLINATION_DUST, R
from photoz_morph.simulation.sdss.renderer import draw_components
from photoz_morph.simulation.sdss.sample import galaxy_and_observation, simulate_galaxy
from photoz_morph.simulation.sdss.structure import BULGE_THICKNESS, THICKNESS
from photoz_morph.simulation.seeds import INDICES_PER_SEED
from photoz_morph.surveys import SDSS


class KnownObject:
    """One object with its noiseless parts.

    Parameters
    ----------
    obj_id : int
        Its seed and index, see `simulation.seeds`.
    survey : Survey
    deep_fraction, seeing : float
        Of the sample.

    Attributes
    ----------
    image : ndarray, shape (size, size, n_bands), float32
        The stack [image unit].
    target, neighbours, bulge : ndarray of the same shape
        Noiseless light of the galaxy, of everything else, and of its bulge or spheroid [image unit].
    galaxy : SdssGalaxy
    """

    def __init__(self, obj_id, survey=SDSS, deep_fraction=DEEP_FRACTION, seeing=1.0):
        seed, index = divmod(int(obj_id), INDICES_PER_SEED)
        self._survey = survey
        self.image, _ = simulate_galaxy(seed, index, survey, deep_fraction, seeing)
        self.galaxy, self._observation = galaxy_and_observation(seed, index, survey, deep_fraction, seeing)
        target, neighbours = noiseless_images(self.galaxy, self._observation, survey)
        self.target = _bands_last(target)
        self.neighbours = np.zeros_like(self.target) if neighbours is None else _bands_last(neighbours)
        bulge = draw_components(
            self.galaxy.components[:1], self._observation.psf_fwhm, survey.stamp_size, survey.pixel_scale,
            offsets=self._observation.offsets, psf_ellipticity=self._observation.psf_ellipticity,
        )  # fmt: skip
        self.bulge = _bands_last(bulge * self._observation.flux_scale.astype(np.float32)[:, None, None])

    def without_neighbours(self):
        """The stack without the light of stars and galaxies around."""
        return self.image - self.neighbours

    def moved(self, right, up):
        """The stack with all light moved by so many pixels, by which the noise is not."""
        offsets = self._observation.offsets + np.array([right, up])
        target, neighbours = noiseless_images(self.galaxy, replace(self._observation, offsets=offsets), self._survey)
        scene = target if neighbours is None else target + neighbours
        return self.image + (_bands_last(scene) - self.target - self.neighbours)

    def reddened(self, ebv):
        """The stack behind more Galactic dust, E(B-V) [mag]; with a negative one behind less."""
        dimming = 10 ** (-0.4 * ebv * np.asarray(self._survey.extinction_per_ebv)) - 1
        return self.image + (self.target + self.neighbours) * dimming.astype(np.float32)

    def inclined(self, axis_ratio, with_dust=True):
        """The stack with the disk at another inclination.

        Parameters
        ----------
        axis_ratio : float
            Of the disk, from its thickness 0.2 to 1.
        with_dust : bool
            Whether the dust of the disk dims it accordingly, as in the sample, or the light stays.

        Returns
        -------
        ndarray, shape (size, size, n_bands), float32

        Raises
        ------
        ValueError
            If the galaxy is an early type, which has no disk, or no disk has that axis ratio.
        """
        if self.galaxy.is_early:
            raise ValueError("the object is an early type; only disks are inclined")
        if not THICKNESS <= axis_ratio <= 1:
            raise ValueError(f"axis_ratio is {axis_ratio}; a disk has {THICKNESS} to 1")
        own = self.galaxy.axis_ratio
        cos2 = (axis_ratio**2 - THICKNESS**2) / (1 - THICKNESS**2)
        of_bulge = sqrt((1 - BULGE_THICKNESS**2) * cos2 + BULGE_THICKNESS**2)
        rest_wavelength = EFFECTIVE_WAVELENGTH / (1 + self.galaxy.z) / EFFECTIVE_WAVELENGTH[R]
        dust = INCLINATION_DUST * log10(own / axis_ratio) * rest_wavelength**DUST_WAVELENGTH_INDEX * with_dust
        bulge, *bar, disk = self.galaxy.components
        dimmed = 10 ** (-0.4 * dust)
        components = (
            # A bulge sits half behind.
            replace(bulge, flux=bulge.flux * np.sqrt(dimmed), axis_ratio=of_bulge),
            *(replace(part, flux=part.flux * dimmed) for part in bar),
            replace(disk, flux=disk.flux * dimmed, axis_ratio=axis_ratio),
        )
        clumps = self.galaxy.clumps
        if clumps is not None:
            turn = np.array([[cos(disk.angle), sin(disk.angle)], [-sin(disk.angle), cos(disk.angle)]])
            along = clumps.positions @ turn.T * [1, axis_ratio / own]
            clumps = replace(clumps, flux=clumps.flux * dimmed, positions=along @ turn)
        galaxy = replace(self.galaxy, components=components, clumps=clumps, axis_ratio=axis_ratio)
        target, _ = noiseless_images(galaxy, replace(self._observation, neighbours=()), self._survey)
        return self.image + (_bands_last(target) - self.target)


def _bands_last(images):
    return np.ascontiguousarray(np.moveaxis(images, 0, -1))
