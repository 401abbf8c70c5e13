"""What the networks of a run look at: chosen galaxies explained, and simulated ones with their truth."""
