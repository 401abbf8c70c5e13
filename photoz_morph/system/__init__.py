"""Files, FITS, JSON and tables written atomically; threads and worker processes."""
