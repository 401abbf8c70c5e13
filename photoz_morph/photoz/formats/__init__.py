"""Predictions as qp HDF5, HATS and compact PDFs."""
