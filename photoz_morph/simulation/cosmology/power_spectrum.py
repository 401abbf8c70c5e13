"""The linear power spectrum of matter today, and of the matter of a slab that is seen in projection.

The transfer function is the fit of Eisenstein & Hu (1998, ApJ 496, 605; EH98) with baryons and their acoustic
oscillations, to a few per cent of a Boltzmann code. Wave numbers are in h/Mpc, lengths in Mpc/h.
"""

from dataclasses import dataclass

import numpy as np

T_CMB = 2.7255  # [K] Fixsen (2009)
RADIUS_8 = 8.0  # [Mpc/h] of the sphere in which sigma_8 is the dispersion
LOBES, STEPS_PER_LOBE = 16, 8  # of the window of the slab, over which the projection is summed


@dataclass(frozen=True)
class Cosmology:
    """A flat universe of cold dark matter and baryons; defaults are those of CAMELS (Villaescusa-Navarro et al. 2021).

    Attributes
    ----------
    omega_m : float
        Density of all matter over the critical one, today.
    sigma_8 : float
        Dispersion of the linear density contrast today in spheres of 8 Mpc/h.
    omega_b : float
        Density of baryons, in the same unit.
    h : float
        Hubble constant [100 km/s/Mpc].
    n_s : float
        Slope of the primordial power spectrum.
    """

    omega_m: float = 0.3
    sigma_8: float = 0.8
    omega_b: float = 0.049
    h: float = 0.6711
    n_s: float = 0.9624

    def __post_init__(self):
        if not 0 < self.omega_b < self.omega_m:
            raise ValueError(
                f"omega_b is {self.omega_b} and omega_m {self.omega_m}; give numbers with 0 < omega_b < omega_m"
            )
        for name in ("sigma_8", "h"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")


def transfer_function(k, cosmology):
    """Transfer function of matter with its acoustic oscillations, 1 on large scales.

    Parameters
    ----------
    k : ndarray, shape (n,)
        Wave numbers above 0 [h/Mpc].
    cosmology : Cosmology

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    EH98, Eqs. 2 to 24; the equation of each line stands beside it.
    """
    scales = acoustic_scales(cosmology)
    matter, k = cosmology.omega_m * cosmology.h**2, np.asarray(k, float) * cosmology.h  # [1/Mpc] from here on
    fraction = cosmology.omega_b / cosmology.omega_m
    s, k_eq = scales["sound_horizon"], scales["k_equality"]
    q = k / (13.41 * k_eq)  # 10
    a1 = (46.9 * matter) ** 0.670 * (1 + (32.1 * matter) ** -0.532)  # 11
    a2 = (12.0 * matter) ** 0.424 * (1 + (45.0 * matter) ** -0.582)
    alpha_c = a1**-fraction * a2 ** -(fraction**3)
    b1, b2 = 0.944 / (1 + (458 * matter) ** -0.708), (0.395 * matter) ** -0.0266  # 12
    beta_c = 1 / (1 + b1 * ((1 - fraction) ** b2 - 1))
    blend = 1 / (1 + (k * s / 5.4) ** 4)  # 18
    dark = blend * _pressureless(q, 1, beta_c) + (1 - blend) * _pressureless(q, alpha_c, beta_c)  # 17
    y = (1 + scales["z_equality"]) / (1 + scales["z_drag"])
    root = np.sqrt(1 + y)
    growth = y * (-6 * root + (2 + 3 * y) * np.log((root + 1) / (root - 1)))  # 15
    alpha_b = 2.07 * k_eq * s * (1 + scales["ratio_drag"]) ** -0.75 * growth  # 14
    beta_b = 0.5 + fraction + (3 - 2 * fraction) * np.sqrt((17.2 * matter) ** 2 + 1)  # 24
    node = s / np.cbrt(1 + (8.41 * matter**0.435 / (k * s)) ** 3)  # 22, 23
    silk = np.exp(-((k / scales["k_silk"]) ** 1.4))
    acoustic = _pressureless(q, 1, 1) / (1 + (k * s / 5.2) ** 2) + alpha_b / (1 + (beta_b / (k * s)) ** 3) * silk
    baryons = acoustic * np.sinc(k * node / np.pi)  # 21; the sine of NumPy has a pi inside
    return fraction * baryons + (1 - fraction) * dark  # 16


def acoustic_scales(cosmology):
    """Scales at equality of matter and radiation and at the drag epoch.

    Parameters
    ----------
    cosmology : Cosmology

    Returns
    -------
    dict of str to float
        `z_equality`, `z_drag`; `ratio_drag`, of the momentum of baryons to that of photons; `k_equality`, `k_silk`
        [1/Mpc]; `sound_horizon` [Mpc]. EH98, Eqs. 2 to 7.
    """
    matter, baryons = cosmology.omega_m * cosmology.h**2, cosmology.omega_b * cosmology.h**2
    theta = T_CMB / 2.7
    z_equality = 2.50e4 * matter * theta**-4  # 2
    k_equality = 7.46e-2 * matter * theta**-2  # 3
    b1, b2 = 0.313 * matter**-0.419 * (1 + 0.607 * matter**0.674), 0.238 * matter**0.223  # 4
    z_drag = 1291 * matter**0.251 / (1 + 0.659 * matter**0.828) * (1 + b1 * baryons**b2)
    drag, equality = (31.5 * baryons * theta**-4 * 1000 / z for z in (z_drag, z_equality))  # 5
    sound_horizon = 2 / (3 * k_equality) * np.sqrt(6 / equality) * np.log(
        (np.sqrt(1 + drag) + np.sqrt(drag + equality)) / (1 + np.sqrt(equality))
    )  # 6
    k_silk = 1.6 * baryons**0.52 * matter**0.73 * (1 + (10.4 * matter) ** -0.95)  # 7
    return {
        "z_equality": z_equality, "z_drag": z_drag, "ratio_drag": drag, "k_equality": k_equality, "k_silk": k_silk,
        "sound_horizon": float(sound_horizon),
    }  # fmt: skip


def linear_power(k, cosmology):
    """Linear power spectrum of matter today.

    Parameters
    ----------
    k : ndarray, shape (n,)
        Wave numbers [h/Mpc], ascending and fine enough to integrate over, from 0.001 or less to 10 or more: the
        normalisation is made with them.
    cosmology : Cosmology

    Returns
    -------
    ndarray, shape (n,)
        [(Mpc/h)^3], with the dispersion `sigma_8`.
    """
    shape = np.asarray(k, float) ** cosmology.n_s * transfer_function(k, cosmology) ** 2
    return shape * (cosmology.sigma_8 / sigma_of_sphere(k, shape)) ** 2


def sigma_of_sphere(k, power, radius=RADIUS_8):
    """Dispersion of the density contrast in spheres.

    Parameters
    ----------
    k : ndarray, shape (n,)
        [h/Mpc], ascending.
    power : ndarray, shape (n,)
        [(Mpc/h)^3]
    radius : float
        [Mpc/h]

    Returns
    -------
    float
        Root of the integral of k^3 P W^2 / (2 pi^2) over ln k, with W = 3 (sin x - x cos x) / x^3 and x = k radius.
    """
    x = np.asarray(k, float) * radius
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    return float(np.sqrt(np.trapezoid(k**3 * power * window**2 / (2 * np.pi**2), np.log(k))))


def projection_matrix(k, k_sky, thickness):
    """Matrix from the power spectrum of matter to that of its mean along the line of sight through a slab.

    Parameters
    ----------
    k : ndarray, shape (n,)
        Wave numbers of the power spectrum [h/Mpc], ascending; between them it is linear in ln k, beyond them zero.
    k_sky : ndarray, shape (m,)
        Wave numbers on the sky [h/Mpc].
    thickness : float
        Of the slab [Mpc/h].

    Returns
    -------
    ndarray, shape (m, n)
        Its product with P [(Mpc/h)^3] is P_2D [(Mpc/h)^2].

    Notes
    -----
    P_2D(k) is the integral of P((k^2 + k_z^2)^(1/2)) W^2(k_z) over k_z / 2 pi, with W = sin(x) / x and
    x = k_z thickness / 2. The sum stops after 16 lobes of W, beyond which lie less than 1 % of W^2.
    """
    n = LOBES * STEPS_PER_LOBE
    x = (np.arange(n) + 0.5) * np.pi / STEPS_PER_LOBE
    weight = np.sinc(x / np.pi) ** 2 * (np.pi / STEPS_PER_LOBE) * 2 / thickness / np.pi  # both signs of k_z
    place = np.log(np.hypot(np.asarray(k_sky, float)[:, None], 2 * x / thickness))
    ln_k = np.log(np.asarray(k, float))
    right = np.clip(np.searchsorted(ln_k, place), 1, len(ln_k) - 1)
    part = (place - ln_k[right - 1]) / (ln_k[right] - ln_k[right - 1])
    inside = (part >= 0) & (part <= 1)
    rows = np.broadcast_to(np.arange(len(place))[:, None], place.shape)
    matrix = np.zeros((len(place), len(ln_k)))
    np.add.at(matrix, (rows, right - 1), np.where(inside, (1 - part) * weight, 0))
    np.add.at(matrix, (rows, right), np.where(inside, part * weight, 0))
    return matrix


def _pressureless(q, alpha, beta):
    """Transfer function without pressure: EH98, Eqs. 19 and 20."""
    logarithm = np.log(np.e + 1.8 * beta * q)
    return logarithm / (logarithm + (14.2 / alpha + 386 / (1 + 69.9 * q**1.08)) * q**2)
