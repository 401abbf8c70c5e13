"""Fields of many galaxies and stars with full truth, for detection, segmentation and deblending."""
