"""TFDS builders; importing this package registers them."""

from tfds_builders.gri_composites import GriComposites
from tfds_builders.lsst_blends import LsstBlends
from tfds_builders.sdss_ugriz import SdssUgriz
from tfds_builders.tng_lsst_mocks import TngLsstMocks

__all__ = ["GriComposites", "LsstBlends", "SdssUgriz", "TngLsstMocks"]
