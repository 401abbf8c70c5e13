"""Figures of a sample: redshifts and magnitudes, the sky with its dust, and random stamps in colour.

Each function takes arrays and returns a matplotlib Figure, made without pyplot; `style.save_figure` writes it.
"""

import numpy as np
from astropy.coordinates import SkyCoord
from matplotlib.figure import Figure

from photoz_morph.photoz.report.figures.point_estimates import density_mesh
from photoz_morph.report.images import grey_where_missing, image_grid, relative_noise, scale_bar, scaled_flux
from photoz_morph.report.style import BLACK, BLUE, GREY, LIGHT_GREY

LINEAR_BLACK, LINEAR_WHITE = 0.0, 2.0  # our choice [nanomaggy per pixel, scaled as BAND_SCALES]; SDSS discs are grey
LINEAR_SATURATION, DISPLAY_GAMMA = 1.5, 2.2  # our choice; the exponent of a display
ALL_SKY_CELL_DEG = 2.0
LOCAL_EXTENT_DEG = 30.0  # our choice: smaller fields are drawn in RA and Dec, larger ones in Mollweide's projection


def redshifts_and_magnitudes(z_spec, z_phot, r_mag, title, z_max=0.4, n_bins=50, band="r"):
    """Histograms of redshift and magnitude, and the plane of both.

    Parameters
    ----------
    z_spec, z_phot : ndarray, shape (n,)
    r_mag : ndarray, shape (n,)
        Dereddened magnitude in `band`; NaN where unknown.
    title : str
        Says whether the galaxies are real or simulated.
    z_max : float
        End of the redshift axes.
    n_bins : int
        Along the redshift axis.
    band : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    As Pasquet et al. (2019), Fig. 1, right.
    """
    z_spec, z_phot, r_mag = (np.asarray(values, float) for values in (z_spec, z_phot, r_mag))
    edges = np.linspace(0, z_max, n_bins + 1)
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    redshift, magnitude, plane = figure.subplots(1, 3)
    redshift.stairs(*np.histogram(z_spec, edges), fill=True, color=LIGHT_GREY, label=r"$z_\mathrm{spec}$")
    redshift.stairs(*np.histogram(z_phot, edges), color=BLUE, linewidth=1.4, label=r"$z_\mathrm{phot}$")
    redshift.axvline(np.median(z_spec), color=BLACK, linestyle="--", linewidth=1, label=r"median $z_\mathrm{spec}$")
    redshift.set(xlim=(0, z_max), xlabel="redshift z", ylabel=f"galaxies per {edges[1]:.3g}")
    redshift.legend(frameon=False)
    known = np.isfinite(r_mag)
    if known.any():
        faintest = np.ceil(10 * r_mag[known].max()) / 10
        brightest = min(np.floor(np.quantile(r_mag[known], 0.001)), faintest - 1)
        mag_edges = np.linspace(brightest, faintest, 41)
        magnitude.stairs(*np.histogram(r_mag[known], mag_edges), fill=True, color=LIGHT_GREY)
        magnitude.set(xlim=(brightest, faintest), ylabel=f"galaxies per {np.diff(mag_edges)[0]:.2g} mag")
        density_mesh(plane, z_spec[known], r_mag[known], (edges, mag_edges))
        plane.set(xlim=(0, z_max), ylim=(faintest, brightest))
    for axes in (magnitude, plane):
        if not known.any():
            axes.text(0.5, 0.5, "no magnitudes", transform=axes.transAxes, ha="center", color=GREY)
    magnitude.set(xlabel=f"dereddened {band} [mag]", yscale="log")
    plane.set(xlabel=r"$z_\mathrm{spec}$", ylabel=f"dereddened {band} [mag]")
    figure.suptitle(f"{title}, n = {len(z_spec):,}")
    return figure


def sky_map(ra, dec, ebv, title):
    """Sky map of the galaxies, coloured by the mean E(B-V) of each cell.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Positions [deg].
    ebv : ndarray, shape (n,)
        Galactic E(B-V) [mag].
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    As Pasquet et al. (2019), Fig. 1, left: east is left. A field within 30 deg is drawn in RA and Dec, any other on the
    whole sky; cells are square in RA cos(Dec) at the middle of a field, and 2 deg in RA and Dec on the whole sky.
    """
    ra, dec, ebv = (np.asarray(values, float) for values in (ra, dec, ebv))
    centre, offset = offset_from_centre(ra)
    is_local = max(np.ptp(offset), np.ptp(dec)) < LOCAL_EXTENT_DEG
    figure = Figure(figsize=(7.5, 4.0), layout="constrained")
    if is_local:
        axes = figure.subplots()
        cell = max(np.ptp(offset), np.ptp(dec), 0.01) / 50
        ra_cell = cell / np.cos(np.deg2rad(dec.mean()))
        x, x_edges = centre + offset, _edges(centre + offset, ra_cell)
        y_edges = _edges(dec, cell)
    else:
        axes = figure.add_subplot(projection="mollweide")
        x, x_edges = (180 - ra + 180) % 360 - 180, np.arange(-180, 180.1, ALL_SKY_CELL_DEG)
        y_edges = np.arange(-90, 90.1, ALL_SKY_CELL_DEG)
    count, _, _ = np.histogram2d(x, dec, bins=(x_edges, y_edges))
    total, _, _ = np.histogram2d(x, dec, bins=(x_edges, y_edges), weights=ebv)
    mean = np.ma.masked_array(total, count == 0) / np.maximum(count, 1)
    scale = np.array(1.0 if is_local else np.deg2rad(1))
    # The colour scale ends at the 99 % quantile: a few dusty cells would leave the rest in one colour.
    limits = {"vmin": 0, "vmax": max(np.quantile(mean.compressed(), 0.99), 1e-3)}
    mesh = axes.pcolormesh(x_edges * scale, y_edges * scale, mean.T, cmap="cividis_r", rasterized=True, **limits)
    axes.grid(color=LIGHT_GREY, linewidth=0.5)
    figure.colorbar(mesh, ax=axes, label=r"mean $E(B-V)$ [mag]", extend="max", shrink=0.75)
    if is_local:
        label_field(axes, aspect=ra_cell / cell)
    else:
        label_all_sky(axes)
    axes.set_title(f"{title}, n = {len(ra):,}")
    return figure


def offset_from_centre(ra):
    """Mean RA of a field, and the RA of its galaxies counted from there, so that a field across RA = 0 stays whole.

    Parameters
    ----------
    ra : ndarray, shape (n,)
        [deg].

    Returns
    -------
    centre : float
        0 to 360 deg.
    offset : ndarray, shape (n,)
        -180 to 180 deg.
    """
    centre = np.rad2deg(np.angle(np.exp(1j * np.deg2rad(ra)).mean())) % 360
    return centre, (ra - centre + 180) % 360 - 180


def label_field(axes, aspect):
    """Labels of a map in RA and Dec, with east left; `aspect` keeps angles on the sky."""
    axes.invert_xaxis()
    axes.set(xlabel="RA J2000 [deg]", ylabel="Dec J2000 [deg]", aspect=aspect)
    axes.xaxis.set_major_formatter(lambda x, _: f"{round(x % 360, 6):g}")
    axes.yaxis.set_major_formatter("{x:g}")


def _edges(values, cell):
    """Cell edges around all values."""
    n_cells = int(np.ceil(np.ptp(values) / cell)) + 2
    return values.min() - cell + cell * np.arange(n_cells + 1)


def label_all_sky(axes):
    """Ticks, labels and the Galactic plane of a Mollweide map centred on RA 180."""
    plane = SkyCoord(np.linspace(0, 360, 721), np.zeros(721), unit="deg", frame="galactic").icrs
    x = (180 - plane.ra.deg + 180) % 360 - 180
    order = np.argsort(x)
    axes.plot(np.deg2rad(x[order]), plane.dec.rad[order], color=GREY, linewidth=1.2, label="Galactic plane, b = 0")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.12, -0.12), fontsize=8)
    shown = np.array([-120, -60, 0, 60, 120])
    axes.set_xticks(np.deg2rad(shown), [])
    for x in shown:  # in the south, beyond northern surveys
        axes.text(np.deg2rad(x), np.deg2rad(-42), f"{180 - x}°", ha="center", fontsize=8)
    axes.set_yticks(np.deg2rad([-60, -30, 0, 30, 60]))
    axes.set(xlabel="RA J2000 (east is left)", ylabel="Dec J2000")


def linear_rgb(stamps, survey, black=LINEAR_BLACK, white=None, saturation=LINEAR_SATURATION, gamma=DISPLAY_GAMMA):
    """Colour images by a linear remapping of the pixel values.

    Parameters
    ----------
    stamps : ndarray, shape (n, height, width, n_bands)
        Sky-subtracted stamps [unit of the survey].
    survey : Survey
    black, white : float
        Scaled flux that is black and that is white [nanomaggy per pixel]; the same for all stamps. White is by default
        `LINEAR_WHITE` times `images.relative_noise`.
    saturation : float
        Factor on the difference of each colour from their mean.
    gamma : float
        The final image is raised to 1 / gamma.

    Returns
    -------
    ndarray, shape (n, height, width, 3), float32
        Between 0 and 1: `survey.colour_bands`, weighted as in `images.rgb`; mid-grey where not finite.

    Notes
    -----
    Bertin (2012, STIFF), as Pasquet et al. (2019), Fig. 2. `images.rgb` keeps the hue of bright cores instead.
    """
    white = white or LINEAR_WHITE * relative_noise(stamps, survey)
    flux = scaled_flux(stamps, survey)
    level = (flux - black) / (white - black)
    mean = level.mean(axis=-1, keepdims=True)
    colour = np.clip(mean + saturation * (level - mean), 0, 1) ** (1 / gamma)
    return grey_where_missing(colour, flux)


def random_stamps(stamps, survey, z_spec, r_mag, title, n_columns=6, band="r"):
    """Stamps of galaxies in colour, north up and east left.

    Parameters
    ----------
    stamps : ndarray, shape (n, size, size, n_bands)
        [unit of the survey]; rows grow to the north, columns to the west.
    survey : Survey
    z_spec, r_mag : ndarray, shape (n,)
        Written above each; NaN where unknown.
    title : str
        Says whether the pixels are real or simulated.
    n_columns : int
    band : str
        That of the magnitude.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = []
    for z, mag in zip(z_spec, r_mag):
        label = f"z = {z:.3f}" if np.isfinite(z) else "z unknown"
        labels.append(label + (f", {band} = {mag:.2f}" if np.isfinite(mag) else ""))
    figure = image_grid(linear_rgb(stamps, survey), labels, title, n_columns)
    scale_bar(figure.axes[0], stamps.shape[1], survey.pixel_scale)
    return figure
