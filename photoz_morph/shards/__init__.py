"""The FITS files between stages, one module per format."""
