"""FITS shards passed between the stages, one module per format."""
