"""A survey that no code knows: three bands not in order of wavelength, in counts, with few facts."""

from photoz_morph.surveys import survey_from_dict

DESCRIPTION = {
    "name": "tiny",
    "bands": ["V", "R", "B"],
    "pixel_scale": 0.6,
    "stamp_size": 24,
    "image_unit": "count",
    "zero_point": 27.0,
    "extinction_per_ebv": [2.742, 2.169, 3.626],  # Schlafly & Finkbeiner (2011), Table 6, Landolt V, R, B
    "frames": {"file_name": "tiny_{band}_{field}.fits", "band_keyword": "FILTER", "zero_point_keyword": "MAGZERO"},
}
THREE_BANDS = survey_from_dict(DESCRIPTION)
