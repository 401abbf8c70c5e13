"""Speed of the SDSS simulator on one core, against GalSim drawing the same galaxies.

    python scripts/benchmarks/simulate_sdss.py [number of galaxies]

Prints complete galaxies per second (population, neighbours, noise, photometry), the bare five-band drawing of bulge
and disk, the same drawing by GalSim, their ratio and the largest difference of a pixel. Expect, on one core of a
cloud machine, 300 (busy) to 450 complete galaxies per second and a ratio of 50 to 100; GalSim is slow here because it
tabulates every new Sersic index.
"""

import sys
import time

import galsim
import numpy as np

from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.simulation.sdss.renderer import (
    SHALLOW_BETA,
    STEEP_BETA,
    STEEP_SHARE,
    draw_components,
    fwhm_in_scale_radii,
)
from photoz_morph.simulation.sdss.sample import simulate_galaxy
from photoz_morph.surveys import SDSS

SEED = 1
N_GALSIM = 100  # GalSim needs tens of milliseconds for each


def main(n_galaxies):
    """Time both and print."""
    simulate_galaxy(SEED, 0)  # loads the tables
    complete = n_galaxies / cpu_time(lambda i: simulate_galaxy(SEED, i), n_galaxies)
    print(f"complete            {complete:7.0f} galaxies/s")

    parents = Parents()
    galaxies = [draw_galaxy(parents, np.random.default_rng([SEED, i])) for i in range(n_galaxies)]
    ours = n_galaxies / cpu_time(lambda i: ours_of(galaxies[i]), n_galaxies)
    theirs = N_GALSIM / cpu_time(lambda i: galsim_of(galaxies[i]), N_GALSIM)
    print(f"drawing only        {ours:7.0f} galaxies/s")
    print(f"drawing with GalSim {theirs:7.0f} galaxies/s: ratio {ours / theirs:.0f}")
    worst = max(largest_difference(galaxy) for galaxy in galaxies[:N_GALSIM])
    print(f"largest difference  {worst:.1e} of the peak")


def cpu_time(draw, number):
    """Processor seconds for `number` calls; other users of the machine do not count."""
    start = time.process_time()
    for i in range(number):
        draw(i)
    return time.process_time() - start


def ours_of(galaxy):
    """Our image, shape (n_bands, size, size), without the arms and clumps that GalSim does not draw here."""
    return draw_components(galaxy.components, SDSS.psf_fwhm, SDSS.stamp_size, SDSS.pixel_scale)


def galsim_of(galaxy):
    """GalSim's image of the same bulge and disk."""
    profiles = []
    for component in galaxy.components:
        circular_radius = component.half_light_radius * np.sqrt(component.axis_ratio)
        if component.n == 1:
            profile = galsim.Exponential(half_light_radius=circular_radius)
        else:
            profile = galsim.Sersic(n=component.n, half_light_radius=circular_radius)
        profiles.append(profile.shear(q=component.axis_ratio, beta=component.angle * galsim.radians))
    size = SDSS.stamp_size
    images = []
    for band, fwhm in enumerate(SDSS.psf_fwhm):
        light = galsim.Add([profile * c.flux[band] for profile, c in zip(profiles, galaxy.components)])
        radius = fwhm / fwhm_in_scale_radii(STEEP_SHARE[band])
        steep = galsim.Moffat(beta=STEEP_BETA, scale_radius=radius) * STEEP_SHARE[band]
        shallow = galsim.Moffat(beta=SHALLOW_BETA, scale_radius=radius) * (1 - STEEP_SHARE[band])
        scene = galsim.Convolve(light, steep + shallow)
        images.append(scene.drawImage(nx=size, ny=size, scale=SDSS.pixel_scale).array)
    return np.array(images)


def largest_difference(galaxy):
    """Largest difference of a pixel relative to the peak of its band."""
    theirs = galsim_of(galaxy)
    return np.max(np.abs(ours_of(galaxy) - theirs) / theirs.max(axis=(1, 2), keepdims=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
