"""Small samples with the truth in their pixels: redshift in the colours of stacks, class in the shape of mocks."""

import numpy as np
from astropy.table import Table

from photoz_morph.surveys import SDSS

# A network of the family that learns in seconds; every test that trains uses it.
TINY = (
    "data.n_validation=20", "data.batch_size=16", "model.crop=32", "model.conv1_filters=8", "model.dense_units=32",
    "model.blocks=[[4, 8], [8, 8]]", "model.pool_after=[1]", "train.epochs=2", "train.learning_rate=3e-3",
    "train.warmup_iterations=0", "train.weight_decay=0", "model.apertures=circular", "model.observing=[]",
    "model.photometric_layers=0", "model.dense_activation=relu", "model.dropout=0",
)  # fmt: skip
PSF_MATCHED = (
    "model.apertures=psf_matched", "model.observing=[psf_fwhm, n_frames]", "model.photometric_layers=1",
    "model.dense_activation=gelu", "model.dropout=0.1", "train.weight_decay=0.1",
)  # fmt: skip

# A smaller one, which compiles sooner: convolutions of raw pixels and nothing else.
PIXELS_ALONE = (
    *TINY, "model.crop=16", "model.conv1_filters=4", "model.conv1_stride=2", "model.blocks=[[4, 4]]",
    "model.pool_after=[]", "model.photometric_inputs=false", "model.apertures=circular", "model.photometric_layers=0",
    "model.observing=[]", "model.dropout=0", "model.compression=asinh", "model.dense_units=16",
)  # fmt: skip

# The ConvNet compiles in a fraction of the time of the ResNet18, which is most of what a test of either would do.
MORPH_TINY = (
    "data.batch_size=16", "model.name=convnet", "model.width=4", "model.n_latent=8", "model.dropout=0.1",
    "train.epochs=2", "train.learning_rate=3e-3", "train.warmup_iterations=0", "adaptation.warmup_epochs=0",
    "adaptation.ramp_epochs=1", "train.class_weights=true", "train.auxiliary_weight=0",
)  # fmt: skip

BLEND_TINY = (
    "simulation.kind=pairs", "data.batch_size=8", "data.crop=32", "model.width=4", "model.depth=2", "train.epochs=2",
    "train.warmup_iterations=0", "train.learning_rate=3e-3",
)  # fmt: skip

# Network -> shipped config, and what makes it small.
REGIONS_TINY = (
    "model.stride=2", "model.sizes=[6, 12]", "model.ratios=[1.0]", "model.n_hidden=8", "model.box_size=3",
    "model.n_proposals=8", "model.anchor_sample=16", "model.proposal_sample=8", "detection.max_detections=6",
)  # fmt: skip
BLEND_NETWORKS = {
    "unet": ("blend_unet.yaml", ("detection.min_score=0",)),
    "grid_detector": ("blend_grid.yaml", ("detection.min_score=0",)),
    "faster_rcnn": ("blend_faster_rcnn.yaml", REGIONS_TINY),
    "mask_rcnn": ("blend_mask_rcnn.yaml", (*REGIONS_TINY, "model.mask_size=3", "model.n_mask_maps=4")),
    "unet_image": ("blend_deblend_plain.yaml", ("data.crop=null",)),
    "probabilistic_unet": ("blend_deblend.yaml", ("data.crop=null", "model.n_latent=2")),
}

MAP_TINY = (
    "data.batch_size=8", "model.width=4", "model.depth=2", "train.epochs=2", "train.warmup_iterations=0",
    "train.learning_rate=3e-3", "data.n_validation=5",
)  # fmt: skip
MAP_NETWORKS = {"maps": "blend_maps.yaml", "parameters": "blend_parameters.yaml", "field": "blend_restore.yaml"}


def colour_stacks(n_galaxies, first_id=0, seed=1):
    """Round galaxies whose g - r grows with redshift, and their table."""
    rng = np.random.default_rng([seed, first_id])
    z_spec = rng.uniform(0.02, 0.38, n_galaxies)
    rows, columns = np.indices((SDSS.stamp_size, SDSS.stamp_size)) - (SDSS.stamp_size - 1) / 2
    radius = rng.uniform(3, 6, n_galaxies)
    variance = radius[:, None, None] ** 2
    profile = np.exp(-0.5 * (rows**2 + columns**2) / variance) / (2 * np.pi * variance)
    colour = np.stack([1 - 2 * z_spec, 1 - z_spec, np.ones(n_galaxies), 1 + z_spec, 1 + 2 * z_spec], axis=1)
    flux = rng.uniform(60, 120, n_galaxies)[:, None] * colour
    images = profile[..., None] * flux[:, None, None, :]
    images += rng.normal(size=images.shape) * 0.2 * np.asarray(SDSS.sky_sigma)
    ids = first_id + np.arange(n_galaxies)
    table = Table(
        {
            "obj_id": ids,
            "group_id": ids // 2,  # two copies of each galaxy
            "ra": rng.uniform(0, 360, n_galaxies),
            "dec": rng.uniform(-5, 60, n_galaxies),
            "z_spec": z_spec,
            "ebv": rng.uniform(0, 0.1, n_galaxies),
            "flag": np.zeros(n_galaxies, np.int16),
            "flag_reason": np.full(n_galaxies, "", "U32"),
            "mags": SDSS.asinh_magnitude(flux),
            "petro_r": SDSS.asinh_magnitude(flux)[:, 2],
            "n_frames": np.where(ids % 3 == 0, 20, 1)[:, None] * np.ones(5, np.int16),  # a third is deep
        }
    )
    return images.astype(np.float32), table


def shape_mocks(n_galaxies, first_id=0, seed=1):
    """Broad, compact and double blobs at two depths, and their table: classes 0, 1, 2."""
    rng = np.random.default_rng([seed, first_id])
    ids = first_id + np.arange(n_galaxies)
    label = ids % 3
    rows, columns = np.indices((100, 100)) - 49.5
    width = np.array([7.0, 3.0, 3.0])[label] * rng.uniform(0.9, 1.1, n_galaxies)
    scene = np.exp(-0.5 * (rows**2 + columns**2) / width[:, None, None] ** 2)
    angle = rng.uniform(0, 2 * np.pi, n_galaxies)[:, None, None]
    second = np.exp(-0.5 * ((rows - 14 * np.sin(angle)) ** 2 + (columns - 14 * np.cos(angle)) ** 2) / 9)
    scene += np.where(label == 2, 0.8, 0.0)[:, None, None] * second
    flux = 1000 * scene[..., None] * np.array([0.6, 1.0, 1.3])
    images = {years: flux + rng.normal(size=flux.shape) * 60 / np.sqrt(years) for years in (10, 1)}
    table = Table(
        {
            "obj_id": ids,
            "group_id": ids // 2,  # two views of each
            "intended_type": label,
            "label": label,
            "label_g": np.where(ids % 10 == 0, (label + 1) % 3, label),
            "gini": rng.uniform(0.4, 0.6, n_galaxies).astype(np.float32),
            "m20": rng.uniform(-2, -1, n_galaxies).astype(np.float32),
            "gini_g": rng.uniform(0.4, 0.6, n_galaxies).astype(np.float32),
            "m20_g": rng.uniform(-2, -1, n_galaxies).astype(np.float32),
            "flag": np.zeros(n_galaxies, np.int16),
            "subhalo_id": np.full(n_galaxies, -1),
            "snapshot": np.full(n_galaxies, -1),
        }
    )
    return {years: image.astype(np.float32) for years, image in images.items()}, table

MOCK_HEADER = (
    ("PIXSCALE", 1.0, ""), ("ORIGIN", "simulated", ""), ("BINNING", "sample", ""), ("FIELDKPC", 100.0, ""),
    ("NESTED", False, ""), ("SEED", 1, ""),
)  # fmt: skip
