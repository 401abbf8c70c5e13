"""The report of a photo-z run."""
