"""Galaxy catalogues: reading them, folds, Galactic reddening, SDSS stripes."""
