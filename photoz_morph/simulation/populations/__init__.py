"""Galaxies whose stars have ages, metallicities and masses, with maps of them."""
