"""Text of a new description of a survey, with the meaning of every key beside it."""

import re

from photoz_morph.surveys.files import survey_from_dict

TEMPLATE = """\
# A survey for photoz-morph: what its stacks are, and how its images lie on disk. Check it with
#   photoz survey check THIS_FILE FRAMES
# The numbers below are an example; replace them, and keep the source of each behind it.
name: {name}  # small letters, digits and _; in file headers and the name of the dataset
bands: [g, r, i]  # order of the last axis of the stacks, by which colours are made of neighbours
pixel_scale: 0.25  # arcsec; stacks have it, whatever the images have
stamp_size: 64  # pixels; side of a stack, galaxy in the middle
image_unit: nanomaggy  # of the stacks: nanomaggy, nJy, uJy, mJy, Jy, maggy, or another such as count
zero_point: 22.5  # AB magnitude of one image_unit; that of a unit named above is fixed

# One number per band, in the order of bands.
extinction_per_ebv: [3.237, 2.176, 1.595]  # A_band / E(B-V); Schlafly & Finkbeiner (2011), Table 6, DES, R_V = 3.1
# Optional. sky_sigma is needed for model.photometric_inputs; the others document the survey.
# sky_sigma: [0.01, 0.02, 0.03]  # noise of a background pixel of one image [image_unit]
# psf_fwhm: [1.1, 1.0, 0.9]  # seeing [arcsec]
# sky_brightness: [22.0, 21.0, 20.0]  # mag/arcsec^2
# gain: [100.0, 100.0, 100.0]  # electrons per image_unit in one image
# asinh_softening: [1.0e-10, 1.0e-10, 1.0e-10]  # of asinh magnitudes, relative to magnitude 0

# Images; not needed where only stacks are used.
frames:
  # Names of the files. {{band}} is the band, other words in braces are parts that tell images of a band apart, * and ?
  # are as in a shell; .gz, .bz2 and .fz may follow. A list gives several patterns.
  file_name: "{{field}}_{{band}}.fits"
  # hdu: 0  # number or EXTNAME of the image; without it the first HDU that has one
  # band_keyword: FILTER  # header keyword of the band, instead of {{band}} in the name or to be compared with it
  # bands: {{g: [g, "g DECam"], r: r.MP9602}}  # band: its names in files and headers, where these differ
  # Flux scale of the pixels, one of the three:
  zero_point: 25.0  # AB magnitude of one count
  # zero_point_keyword: MAGZERO  # header keyword of that magnitude, where it differs between images
  # unit: nanomaggy  # pixels have a unit, which BUNIT in the header must name
  # exposure_keyword: EXPTIME  # header keyword of a time [s] by which counts are divided; zero points are per second
  # cube_keyword: BANDS  # images of three axes, of a cut-out service: header keyword that lists the bands of the planes
"""


def new_description(name, text=None):
    """Text of a description with comments.

    Parameters
    ----------
    name : str
        Of the survey.
    text : str, optional
        Description to begin with, whose name is replaced; by default `TEMPLATE`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the name cannot be that of a survey.
    """
    survey_from_dict(
        {"name": name, "bands": ["g"], "pixel_scale": 1.0, "stamp_size": 4, "image_unit": "count", "zero_point": 0.0,
         "extinction_per_ebv": [0.0]}, "survey",
    )  # fmt: skip
    if text is None:
        return TEMPLATE.format(name=name)
    return re.sub(r"(?m)^name\s*:[^#\n]*?(?=\s*(#|$))", f"name: {name}", text, count=1)
