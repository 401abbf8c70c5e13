"""Noiseless spirals and ellipticals as seen from z = 0.05, on the 500 x 500 pixels of an LSST scene.

`draw_spiral` and `draw_elliptical` take a random generator and return `StellarMaps`: the light of each stellar
population, an optical depth and the true parameters. A disk is drawn in the box that holds it; the rest of the field
stays dark.

Ranges without a source were tuned so that the Gini and M20 of the i images fall where those of TNG100 do
(Rodriguez-Gomez et al. 2019): its disks are cored and clumpy, with small bulges.
"""

import numpy as np
from scipy import special

from photoz_morph.simulation.morphology.disk_patterns import arm_phase, draw_texture, scatter_clumps, wound_texture
from photoz_morph.simulation.morphology.populations import DUST_CURVE, FIELD_PIXELS, PIXEL_KPC, StellarMaps, r_flux

__all__ = ["draw_elliptical", "draw_spiral"]

CENTRE_SCATTER = 2.5  # [pixel] half a stamp pixel: the stamps' grid falls anywhere on the nucleus
FAINTEST = 1e-5  # of the central brightness: a disk is drawn out to there, beyond 32 mag / arcsec^2
DUST_THICKNESS = 0.09  # axis ratio of the dust layer edge-on
CORE, FINER = 4, 7  # a cusp is sampled 7 x 7 times finer within 4 pixels of the nucleus


def draw_elliptical(rng):
    """An elliptical or S0: two concentric Sersic profiles, the inner one older.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    StellarMaps
        Its `truth` has `abs_mag_r`, of the light in the field; `r_e` [kpc]; `sersic_n`; `axis_ratio`;
        `bulge_to_total`, below 1 for an S0 with a disk.

    Notes
    -----
    Luminous ellipticals have the larger Sersic index (Caon et al. 1993) and R_e grows as M^0.56 (Shen et al. 2003).
    """
    abs_mag = -18.9 - rng.gamma(2.0, 0.75)
    sersic_n = float(np.clip(rng.normal(3.0 + 0.4 * (-20.5 - abs_mag), 1.1), 1.3, 7.0))
    r_e = 3.6 * 10 ** (-0.22 * (abs_mag + 21.2) + rng.normal(0, 0.10))
    axis_ratio = float(np.clip(rng.normal(0.74, 0.14), 0.4, 1.0))
    angle = rng.uniform(0, np.pi)
    outer_ratio = float(np.clip(axis_ratio + rng.normal(0, 0.08), 0.4, 1.0))
    outer_angle = angle + rng.normal(0, 0.1)  # isophotes twist by some degrees
    envelope, envelope_fraction = rng.uniform(1.5, 5.0), rng.uniform(0.25, 0.55)
    is_s0 = rng.random() < 0.25 and abs_mag > -21.5  # the brightest have no disks (Emsellem et al. 2011)
    bulge_to_total = rng.uniform(0.5, 0.85) if is_s0 else 1.0
    disk_ratio = rng.uniform(0.25, 0.8)
    box = Box(rng.uniform(-CENTRE_SCATTER, CENTRE_SCATTER, 2), FIELD_PIXELS)
    inner = box.sersic(0.75 * r_e, sersic_n, axis_ratio, angle)
    outer = box.sersic(envelope * r_e, max(0.6 * sersic_n, 1.0), outer_ratio, outer_angle)
    outer *= envelope_fraction
    # Colour-magnitude relation: the luminous are redder, as their envelopes hold fewer stars of intermediate age.
    old_outside = np.float32(np.clip(rng.normal(0.5 - 0.2 * (abs_mag + 20.5), 0.25), 0, 1))
    light = {
        "old": bulge_to_total * ((1 - envelope_fraction) * inner + old_outside * outer),
        "intermediate": bulge_to_total * (1 - old_outside) * outer,
    }
    if is_s0:
        disk = (0.5 - 0.5 * bulge_to_total) * box.sersic(1.6 * r_e, 1.0, disk_ratio, angle)
        light = {name: image + disk for name, image in light.items()}
    truth = {
        "abs_mag_r": abs_mag,
        "r_e": r_e,
        "sersic_n": sersic_n,
        "axis_ratio": axis_ratio,
        "bulge_to_total": bulge_to_total,
    }
    return box.galaxy(light, None, truth)


def draw_spiral(rng):
    """A disk with arms, clumps, dust and a small bulge; 40 % have a bar.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    StellarMaps
        Its `truth` has `abs_mag_r`, of the light in the field, after dust; `r_e`, half-light semi-major axis of the
        disk [kpc]; `sersic_n` and `axis_ratio` of the disk; `bulge_to_total`, before dust.
    """
    abs_mag = -18.6 - rng.gamma(2.0, 0.55)
    r_e = 3.9 * 10 ** (-0.12 * (abs_mag + 20.4) + rng.normal(0, 0.15))
    sersic_n = rng.uniform(0.45, 1.0)
    cos_i = rng.random()
    thickness = rng.uniform(0.2, 0.35)  # 0.2: Hubble (1926); the disks of TNG100 are puffed up by its resolution
    bulge_to_total = rng.beta(0.9, 16.0)
    halo_to_total = rng.uniform(0.02, 0.08)
    bar_to_total = rng.uniform(0.05, 0.20) if rng.random() < 0.4 else 0.0
    angle = rng.uniform(0, np.pi)
    axis_ratio = _projected(thickness, cos_i)
    half_width = r_e / PIXEL_KPC * (-np.log(FAINTEST) / _sersic_b(sersic_n)) ** sersic_n
    box = Box(rng.uniform(-CENTRE_SCATTER, CENTRE_SCATTER, 2), 2 * int(np.ceil(half_width)))
    disk, dust = _disk(box, r_e, sersic_n, cos_i, thickness, angle, rng)
    bulge = box.sersic(r_e * rng.uniform(0.12, 0.25), rng.uniform(1.0, 2.5), rng.uniform(0.7, 1.0), angle)
    halo = box.sersic(1.6 * r_e, 1.0, max(axis_ratio, 0.6), angle)
    disk_to_total = 1 - bulge_to_total - bar_to_total - halo_to_total
    light = {name: disk_to_total * image for name, image in disk.items()}
    light["old"] += bulge_to_total * bulge + halo_to_total * halo
    if bar_to_total:
        light["old"] += bar_to_total * _bar(box, r_e * rng.uniform(0.4, 0.9), axis_ratio, angle, rng)
    truth = {
        "abs_mag_r": abs_mag,
        "r_e": r_e,
        "sersic_n": sersic_n,
        "axis_ratio": axis_ratio,
        "bulge_to_total": bulge_to_total,
    }
    return box.galaxy(light, dust, truth)


def _disk(box, r_e, sersic_n, cos_i, thickness, angle, rng):
    """Population maps of unit total flux and optical depth of a disk."""
    axis_ratio = _projected(thickness, cos_i)
    # Lopsided: the nucleus is not at the centre of the disk, and one side of the disk is brighter.
    shift = rng.normal(0, 0.13, 2).astype(np.float32)
    x, y = (coordinate / np.float32(r_e) for coordinate in box.rotated(angle))
    x, y = x - shift[0], y - shift[1] * np.float32(axis_ratio)
    r = np.hypot(x, y / np.float32(axis_ratio))
    theta = np.arctan2(y / np.float32(axis_ratio), x)
    smooth = np.exp(-np.float32(_sersic_b(sersic_n)) * r ** np.float32(1 / sersic_n))
    one_sided = np.cos(theta - np.float32(rng.uniform(0, 2 * np.pi))) * np.minimum(r / 2, 1)
    smooth *= 1 + np.float32(rng.uniform(0, 0.5)) * one_sided
    pitch = rng.choice((-1, 1)) * np.radians(rng.uniform(12, 32))
    texture = wound_texture(draw_texture(rng), r, theta, pitch)
    phase = arm_phase(r, theta, rng.choice((2, 2, 2, 3, 4)), pitch, rng.uniform(0, 2 * np.pi) + 0.35 * texture)
    # Contrast exp(kappa (cos phase - 1)), fading into the smooth centre where a logarithmic arm would wind forever.
    kappa = np.float32(rng.uniform(0.5, 1.6))
    where = r**2 / (r**2 + np.float32(0.4**2))
    arms = np.exp(kappa * where * (np.cos(phase) - 1))
    clumpy = smooth * arms * np.exp(np.float32(rng.uniform(0.15, 0.5)) * texture)
    clump_fraction = 0.05 + 0.5 * rng.beta(1.0, 2.0)  # of the young light in lumps; the tail is off-centre starbursts
    clumps = scatter_clumps(clumpy * np.minimum(r, 1), int(10 ** rng.uniform(1.3, 2.4)), 1.7, (0.6, 1.6), rng)
    young = rng.uniform(0.25, 0.65)
    old = (1 - young) * rng.uniform(0.3, 0.55)
    light = {
        "old": old * _unit(smooth * np.sqrt(arms)),
        "intermediate": (1 - young - old) * _unit(clumpy),
        "young": young * ((1 - clump_fraction) * _unit(clumpy * arms) + clump_fraction * clumps),
    }
    # Lanes lie 0.6 rad inside the arms; the layer is thinner than the stars and so a band across an edge-on disk.
    lanes = np.exp(np.float32(2.5) * where * (np.cos(phase + np.float32(0.6)) - 1) + np.float32(0.4) * texture)
    r_dust = np.hypot(x, y / np.float32(_projected(DUST_THICKNESS, cos_i)))
    tau = rng.uniform(0.1, 0.6) * axis_ratio**-0.7
    return light, np.float32(tau) * (np.float32(0.3) + lanes) * np.exp(-np.float32(0.9) * r_dust)


def _bar(box, length, axis_ratio, angle, rng):
    """Boxy bar of unit flux at a random angle in the disk."""
    x, y = box.rotated(angle)
    turn, narrow = rng.uniform(0, np.pi), rng.uniform(0.28, 0.45)
    y = y / np.float32(axis_ratio)
    along = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.float32(length)
    across = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) / np.float32(length * narrow)
    return _unit(np.exp(-((along**2) ** 1.5 + (across**2) ** 1.5) ** np.float32(0.8)))


class Box:
    """A square around the nucleus, cut at the edge of the field; coordinates in kpc."""

    def __init__(self, offset, size):
        self.low = max((FIELD_PIXELS - size) // 2, 0)
        self.size = FIELD_PIXELS - 2 * self.low
        self.offset = offset

    def rotated(self, angle):
        """x along and y across a position angle, from the nucleus [kpc]."""
        steps = (np.arange(self.size) - (self.size - 1) / 2) * PIXEL_KPC
        return _turned(steps, self.offset * PIXEL_KPC, angle)

    def sersic(self, r_e, n, axis_ratio, angle):
        """Sersic profile of unit flux in the box; the pixels at the nucleus are averages over their area."""
        image = _sersic_profile(*self.rotated(angle), r_e, n, axis_ratio)
        middle = self.size // 2
        nucleus = middle + np.rint(self.offset - 0.5).astype(int)
        width = 2 * CORE + 1
        fine = (np.arange(width * FINER) - (width * FINER - 1) / 2) * (PIXEL_KPC / FINER)
        start = nucleus - CORE
        # The patch is centred on a pixel, so the nucleus is where the remainder of its offset says.
        remainder = (self.offset - (nucleus - (self.size - 1) / 2)) * PIXEL_KPC
        patch = _sersic_profile(*_turned(fine, remainder, angle), r_e, n, axis_ratio)
        patch = patch.reshape(width, FINER, width, FINER).mean(axis=(1, 3))
        image[start[1] : start[1] + width, start[0] : start[0] + width] = patch
        return _unit(image)

    def galaxy(self, light, dust, truth):
        """Maps on the whole field, of the luminosity in its truth."""
        through = 1.0 if dust is None else np.exp(np.float32(-DUST_CURVE[1]) * dust)
        seen = sum(float((image * through).sum(dtype=np.float64)) for image in light.values())
        factor = np.float32(r_flux(truth["abs_mag_r"]) / seen)
        maps = {name: self._paste(image * factor) for name, image in light.items()}
        return StellarMaps(maps, None if dust is None else self._paste(dust), truth)

    def _paste(self, image):
        field = np.zeros((FIELD_PIXELS, FIELD_PIXELS), np.float32)
        inside = slice(self.low, self.low + self.size)
        field[inside, inside] = image
        return field


def _turned(steps, centre, angle):
    """Coordinates along and across a position angle of the points of a square grid, float32."""
    x, y = (steps - centre[0]).astype(np.float32)[None, :], (steps - centre[1]).astype(np.float32)[:, None]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cos + y * sin, y * cos - x * sin


def _sersic_profile(x, y, r_e, n, axis_ratio):
    """exp(-b (r / r_e)^(1/n)) in ellipses of semi-major axis r."""
    r_squared = (x**2 + (y / np.float32(axis_ratio)) ** 2) / np.float32(r_e**2)
    return np.exp(np.float32(-_sersic_b(n)) * r_squared ** np.float32(0.5 / n))


def _sersic_b(n):
    """b such that r_e holds half the light: 2 gamma(2n, b) = Gamma(2n) (Graham & Driver 2005, Eq. 4)."""
    return float(special.gammaincinv(2 * n, 0.5))


def _projected(thickness, cos_i):
    """Axis ratio on the sky of an oblate disk."""
    return float(np.sqrt((1 - thickness**2) * cos_i**2 + thickness**2))


def _unit(image):
    """The image with unit sum."""
    return image / image.sum()
