"""Rules by which a signal at the output of a network passes back to its inputs, layer by layer."""
