"""Log-normal fields of the projected density of matter, each with cosmological parameters of its own.

A field of the density contrast delta has exactly the power spectrum of a slab of matter in a universe of its Omega_m
and sigma_8, on a periodic square, and ln(1 + delta) is Gaussian (Coles & Jones 1991). That is a toy: real structure is
not log-normal below some ten Mpc/h, and the power spectrum is the linear one. What it is good for is that the best
possible answers are known: of ln(1 + delta) no network can learn more about the parameters than its mean and power
spectrum tell, nor, given these, restore a noisy field better than the Wiener filter.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.interpolate import CubicSpline

from photoz_morph.simulation.cosmology.power_spectrum import Cosmology, linear_power, projection_matrix

STREAMS = {"parameters": 11, "field": 12, "observation": 13}  # apart from those of other objects of a seed
WAVE_NUMBERS = np.geomspace(1e-3, 30.0, 512)  # [h/Mpc] of the power spectrum before its projection
PARAMETERS = ("Omega_m", "sigma_8")
MAX_PIXELS = 1024
N_NODES = 33  # in Omega_m, between which spectra are splines, right to 1e-5


@dataclass(frozen=True)
class FieldSettings:
    """What is simulated.

    Attributes
    ----------
    n_pixels : int
        Along each side of a field, even.
    box_size : float
        Side of a field [Mpc/h].
    thickness : float
        Of the slab along the line of sight [Mpc/h].
    omega_m, sigma_8 : tuple of float
        Ranges in which the parameters are uniform; by default those of CAMELS.
    maps_per_simulation : int
        Fields in a row that have the same parameters, as the 15 maps of a simulation of CAMELS.
    seed : int
    """

    n_pixels: int = 64
    box_size: float = 256.0
    thickness: float = 32.0
    omega_m: tuple = (0.1, 0.5)
    sigma_8: tuple = (0.6, 1.0)
    maps_per_simulation: int = 1
    seed: int = 1

    def __post_init__(self):
        if not 8 <= self.n_pixels <= MAX_PIXELS or self.n_pixels % 2:
            raise ValueError(f"n_pixels is {self.n_pixels}; give an even number from 8 to {MAX_PIXELS}")
        for name in ("box_size", "thickness", "maps_per_simulation"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name, lowest in (("omega_m", Cosmology.omega_b), ("sigma_8", 0)):
            low, high = getattr(self, name)
            if not lowest < low <= high:
                raise ValueError(f"{name} is from {low} to {high}; give a range above {lowest}, lower end first")

    @property
    def pixel_size(self):
        """Side of a pixel [Mpc/h]."""
        return self.box_size / self.n_pixels


def simulate_fields(settings, indices):
    """Fields of the density contrast.

    Parameters
    ----------
    settings : FieldSettings
    indices : sequence of int
        A field is a function of its index and the settings alone.

    Returns
    -------
    fields : ndarray, shape (n, n_pixels, n_pixels), float32
        delta, above -1, with a mean of 0 over many fields.
    parameters : ndarray, shape (n, 2)
        `PARAMETERS` of each field.
    """
    indices = np.asarray(indices, int)
    parameters = np.array([draw_parameters(settings, index) for index in indices]).reshape(-1, len(PARAMETERS))
    fields = np.empty((len(indices), settings.n_pixels, settings.n_pixels), np.float32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng([settings.seed, index, STREAMS["field"]])
        gaussian = gaussian_power(field_power(settings, *parameters[row]))
        fields[row] = np.expm1(_realisation(gaussian, rng) - _total(gaussian) / 2)
    return fields, parameters


def draw_parameters(settings, index):
    """Parameters (Omega_m, sigma_8) of the field of an index."""
    simulation = int(index) // settings.maps_per_simulation
    rng = np.random.default_rng([settings.seed, simulation, STREAMS["parameters"]])
    return rng.uniform(*settings.omega_m), rng.uniform(*settings.sigma_8)


def field_power(settings, omega_m, sigma_8):
    """Power of the density contrast in the modes of a field.

    Parameters
    ----------
    settings : FieldSettings
    omega_m, sigma_8 : float

    Returns
    -------
    ndarray, shape (n_pixels, n_pixels // 2 + 1)
        On the half plane of `rfft2`; P_2D over the area of the field, so that the sum over all modes is the variance of
        a pixel. 0 for the mean, and no mode is beyond those of the grid.
    """
    geometry = settings.n_pixels, settings.box_size, settings.thickness
    spline, place = _spectra(*geometry, *settings.omega_m)
    spectrum = sigma_8**2 * np.exp(spline(np.log(omega_m)))
    return np.append(0.0, spectrum)[place] / settings.box_size**2


def gaussian_power(power):
    """Power of the Gaussian field ln(1 + delta) of which the log-normal delta has a given power.

    Parameters
    ----------
    power : ndarray, shape (n, n // 2 + 1)
        From `field_power`.

    Returns
    -------
    ndarray, shape (n, n // 2 + 1)
        The correlation functions are related by xi_G = ln(1 + xi): Coles & Jones (1991). What rounding or the
        relation makes negative is 0.
    """
    n = len(power)
    correlation = fft.irfft2(power, s=(n, n)) * n**2
    return np.maximum(fft.rfft2(np.log1p(correlation)).real / n**2, 0)


def log_density(fields):
    """ln(1 + delta) of fields, float32: of log-normal ones a Gaussian field."""
    return np.log1p(np.asarray(fields, np.float32))


def _realisation(power, rng):
    """A Gaussian field whose modes have that power, shape (n, n)."""
    n = len(power)
    return fft.irfft2(fft.rfft2(rng.standard_normal((n, n))) * np.sqrt(power), s=(n, n)) * n


def _total(power):
    """Sum of the power of all modes, of which the half plane has all columns but its first and last once instead of
    twice."""
    return 2 * power.sum() - power[:, 0].sum() - power[:, -1].sum()


@lru_cache(maxsize=4)
def _spectra(n_pixels, box_size, thickness, lowest, highest):
    """Logarithm of P_2D for sigma_8 = 1 as a spline in ln Omega_m, at the different wave numbers of a field, and the
    place of each of its modes among them, counted from 1; that of the mean is 0.
    """
    rows, columns = np.abs(fft.fftfreq(n_pixels, 1 / n_pixels)).astype(int), np.arange(n_pixels // 2 + 1)
    squares, place = np.unique(rows[:, None] ** 2 + columns**2, return_inverse=True)
    matrix = projection_matrix(WAVE_NUMBERS, 2 * np.pi / box_size * np.sqrt(squares[1:]), thickness)
    nodes = np.geomspace(lowest, 1.01 * highest, N_NODES)
    spectra = [matrix @ linear_power(WAVE_NUMBERS, Cosmology(omega_m=node, sigma_8=1.0)) for node in nodes]
    return CubicSpline(np.log(nodes), np.log(spectra)), place.reshape(n_pixels, -1)
