"""A small sky in frames of the survey of three bands: Gaussian galaxies whose colour is their redshift."""

import numpy as np
import yaml
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from tests.support.frames import frame_header
from tests.support.surveys import DESCRIPTION, THREE_BANDS

FIELDS = {"north": ((150.0, 30.0), 27.0), "south": ((150.0, -30.0), 25.5)}  # centre [deg] and zero point [mag]
SIDE = 240  # pixels of a frame
SPACING = 34  # pixels between galaxies
NOISE = 0.5  # of a pixel [image unit of the survey]
FWHM_ARCSEC = 2.5


def write_sky(folder, seed=3):
    """Write frames, catalogue and description of the survey; the truth of each galaxy as a Table.

    Parameters
    ----------
    folder : Path
        Gets `frames/tiny_BAND_FIELD.fits`, `galaxies.csv` and `tiny.yaml`.

    Returns
    -------
    Table
        With the catalogue's columns and `flux`, shape (n, 3) [image unit of the survey].
    """
    rng = np.random.default_rng(seed)
    (folder / "frames").mkdir()
    places = np.arange(SPACING, SIDE - SPACING / 2, SPACING)
    tables = []
    for field, ((ra, dec), zero_point) in FIELDS.items():
        header = frame_header(ra, dec, 15.0, (SIDE, SIDE), THREE_BANDS.pixel_scale)
        del header["BUNIT"]
        x, y = (grid.ravel() + rng.uniform(-3, 3, grid.size) for grid in np.meshgrid(places, places))
        z_spec = rng.uniform(0.02, 0.38, len(x))
        # V, R, B: the redder the farther.
        flux = rng.uniform(2000, 6000, len(x))[:, None] * np.stack([1 + 0 * z_spec, 1 + 2 * z_spec, 1 - 2 * z_spec], 1)
        sky_ra, sky_dec = WCS(header).all_pix2world(x, y, 0)
        tables.append(Table({"ra": sky_ra, "dec": sky_dec, "z_spec": z_spec, "flux": flux}))
        rows, columns = np.indices((SIDE, SIDE))
        sigma = FWHM_ARCSEC / 2.3548 / THREE_BANDS.pixel_scale
        profiles = np.exp(-0.5 * ((rows - y[:, None, None]) ** 2 + (columns - x[:, None, None]) ** 2) / sigma**2)
        counts = 10 ** (0.4 * (zero_point - THREE_BANDS.zero_point))  # of one image unit
        for band, name in enumerate(THREE_BANDS.bands):
            image = np.einsum("n,nij->ij", flux[:, band], profiles) / (2 * np.pi * sigma**2)
            image = counts * (image + rng.normal(0, NOISE, image.shape))
            cards = fits.Header({**header, "FILTER": name, "MAGZERO": zero_point})
            fits.writeto(folder / "frames" / f"tiny_{name}_{field}.fits", image.astype(np.float32), cards)
    truth = Table({name: np.concatenate([table[name] for table in tables]) for name in tables[0].colnames})
    truth.add_column(np.arange(len(truth)), 0, "obj_id")
    truth["ebv"] = 0.02
    for band, name in enumerate(THREE_BANDS.bands):
        truth[f"mag_{name}"] = THREE_BANDS.zero_point - 2.5 * np.log10(truth["flux"][:, band])
    truth[[name for name in truth.colnames if name != "flux"]].write(folder / "galaxies.csv")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    return truth
