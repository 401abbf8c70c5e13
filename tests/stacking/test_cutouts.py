"""Cut-outs of three axes in the projections of other surveys, stacked."""

import copy

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from photoz_morph.catalogs.galaxies import check_galaxy_catalog
from photoz_morph.shards.stacks import read_shard
from photoz_morph.stacking.stack import stack_catalog
from photoz_morph.surveys import survey_from_dict
from tests.support.frames import frame_header
from tests.support.surveys import DESCRIPTION

SIDE, SIGMA = 120, 1.6  # pixels
FLUX = np.array([400.0, 800.0, 200.0])  # in V, R, B [image unit]
# A radial distortion of 1e-3 at the edge, 60 pixels of 0.6 arcsec from the middle: 0.06 pixel.
DISTORTION = 1e-3 / (60 * 0.6 / 3600) ** 2  # [1 / deg^2]
PROJECTIONS = {
    "TAN": {},
    "ZPN": {"PV2_1": 1.0, "PV2_3": DISTORTION * (180 / np.pi) ** 2},  # of angles in radians
    "TPV": {"PV1_1": 1.0, "PV1_7": DISTORTION, "PV1_9": DISTORTION, "PV2_1": 1.0, "PV2_7": DISTORTION,
            "PV2_9": DISTORTION},
    "TAN-SIP": {"A_ORDER": 3, "A_3_0": 1e-3 / 60**2, "A_1_2": 1e-3 / 60**2, "B_ORDER": 3, "B_0_3": 1e-3 / 60**2,
                "B_2_1": 1e-3 / 60**2},
}  # fmt: skip


def survey_of_cutouts():
    values = copy.deepcopy(DESCRIPTION)
    values["frames"] = {"cube_keyword": "BANDS", "zero_point_keyword": "MAGZERO"}
    return survey_from_dict(values)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_cube_of_any_projection_gives_galaxies_at_their_places_with_their_flux(tmp_path, projection):
    header = frame_header(150.0, 20.0, 30.0, (SIDE, SIDE), 0.6)
    del header["BUNIT"]
    header["CTYPE1"], header["CTYPE2"] = f"RA---{projection}", f"DEC--{projection}"
    header.update(PROJECTIONS[projection])
    x, y = (grid.ravel() for grid in np.meshgrid([35.3, 84.7], [36.1, 83.2]))
    ra, dec = WCS(header).all_pix2world(x, y, 0)
    rows, columns = np.indices((SIDE, SIDE))
    profile = sum(np.exp(-0.5 * ((columns - a) ** 2 + (rows - b) ** 2) / SIGMA**2) for a, b in zip(x, y))
    cube = FLUX[:, None, None] * profile / (2 * np.pi * SIGMA**2)
    cube += np.random.default_rng(1).normal(0, 0.01, cube.shape)
    # B first in the file; one count has 24.5 mag, one image unit 27.
    cards = {"BANDS": "B V R", "MAGZERO": 24.5, "CTYPE3": "BAND", "CRPIX3": 1.0, "CRVAL3": 1.0, "CDELT3": 1.0}
    (tmp_path / "frames").mkdir()
    counts = cube[[2, 0, 1]] * 10 ** (0.4 * (24.5 - 27.0))
    fits.writeto(tmp_path / "frames" / "cutout.fits", counts.astype(np.float32), fits.Header({**header, **cards}))
    catalog = Table({"obj_id": np.arange(4), "ra": ra, "dec": dec, "ebv": np.zeros(4)})
    catalog = check_galaxy_catalog(catalog, "catalogue")
    done = stack_catalog(catalog, tmp_path / "frames", tmp_path / "stacks", survey_of_cutouts(), progress=False)
    assert done.n_good == 4, done.messages
    images, _, _ = read_shard(done.paths[0])
    rows, columns = np.indices((24, 24)) - 11.5
    # Within 6 pixels lies all of the light but 1e-3; pixels have 0.01 of noise.
    near = (np.hypot(rows, columns) < 6.5)[:, :, None]
    flux = (images * near).sum(axis=(1, 2))
    np.testing.assert_allclose(flux, np.tile(FLUX, (4, 1)), rtol=4e-3)
    for axis in (rows, columns):
        offset = (images * near * axis[:, :, None]).sum(axis=(1, 2)) / flux
        assert np.abs(offset).max() < 0.02  # [pixel]
