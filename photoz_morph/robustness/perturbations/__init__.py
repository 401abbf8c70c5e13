"""Physical perturbations of images, by name."""
