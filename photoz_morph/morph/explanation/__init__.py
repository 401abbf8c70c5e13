"""What the networks of a run look at: chosen galaxies explained, and simulated mergers with their truth."""
