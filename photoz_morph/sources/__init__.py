"""Galaxy images of any accepted format, as partitions that are read one at a time."""
