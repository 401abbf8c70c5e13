"""Calibration of redshift PDFs on galaxies that no network was trained on, and quality flags."""
