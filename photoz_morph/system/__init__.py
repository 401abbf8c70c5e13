"""Files, FITS, JSON and tables written whole or not at all; threads and worker processes."""
