"""Survey frames to stacked stamps."""
