"""Galaxies as maps of three stellar populations, the output of the drawing of spirals, ellipticals and mergers.

A map holds the light of one population in the r band; a population has one spectrum, so the image in any band is a
weighted sum of the maps, dimmed by the dust. A band is made only when it is needed: for a galaxy that is
rejected by its i image, g and r are never computed.
"""

from dataclasses import dataclass, field

import numpy as np

from photoz_morph.shards.scenes import BANDS, NATIVE_PIXEL_KPC

__all__ = ["BANDS", "FIELD_PIXELS", "PIXEL_KPC", "POPULATIONS", "StellarMaps", "r_flux"]

FIELD_PIXELS = 500  # on a side; 100 kpc, the field of the LSST mocks of TNG100
PIXEL_KPC = NATIVE_PIXEL_KPC
DISTANCE_MODULUS = 36.805  # [mag] z = 0.05 in the cosmology of TNG (h = 0.6774, Om = 0.3089)
AB_ZERO_POINT_NJY = 3631e9  # flux density of AB magnitude zero (Oke & Gunn 1983)

# Magnitudes in g, r, i relative to r: old as a red-sequence galaxy, young as an Im.
POPULATIONS = {
    "old": (0.80, 0.0, -0.40),
    "intermediate": (0.55, 0.0, -0.30),
    "young": (0.20, 0.0, -0.05),
}
# Optical depth in g, r, i relative to r: k(0.48, 0.62, 0.75 um) of Calzetti et al. (2000), Eq. 4.
DUST_CURVE = (1.315, 1.0, 0.785)


@dataclass(frozen=True)
class StellarMaps:
    """Noiseless galaxy as seen from z = 0.05.

    Attributes
    ----------
    maps : dict of str to ndarray, shape (500, 500), float32
        Name of a population -> its light in r [nJy per pixel], before dust. A population may be missing.
    dust : ndarray, shape (500, 500), float32, optional
        Optical depth in r of a screen before all populations; none if None.
    truth : dict of str to float
        True parameters, columns of the catalogue.
    """

    maps: dict
    dust: np.ndarray | None = None
    truth: dict = field(default_factory=dict)

    def band_image(self, band):
        """Image in band g, r or i, shape (500, 500), float32 [nJy per pixel]."""
        b = BANDS.index(band)
        image = sum(np.float32(10 ** (-0.4 * POPULATIONS[name][b])) * light for name, light in self.maps.items())
        if self.dust is not None:
            image *= np.exp(np.float32(-DUST_CURVE[b]) * self.dust)
        return image

    def image(self):
        """All bands, shape (500, 500, 3), float32 [nJy per pixel]."""
        return np.stack([self.band_image(band) for band in BANDS], axis=-1)


def r_flux(abs_mag_r):
    """Flux density of a galaxy at z = 0.05 [nJy], from its absolute AB magnitude in r; no k-correction."""
    return AB_ZERO_POINT_NJY * 10 ** (-0.4 * (abs_mag_r + DISTANCE_MODULUS))
