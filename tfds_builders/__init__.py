"""TFDS builders; importing this package registers them."""

from tfds_builders.sdss_ugriz import SdssUgriz

__all__ = ["SdssUgriz"]
