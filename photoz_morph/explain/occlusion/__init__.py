"""Explanation by taking away: patches, bands, E(B-V) or superpixels replaced by sky, for any function of the inputs."""
