"""From the outputs of trained networks to the sources of an image."""
