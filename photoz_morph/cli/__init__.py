"""The commands `photoz` and `morph`."""
