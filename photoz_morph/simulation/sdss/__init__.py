"""Simulated SDSS Main Galaxy Sample stamps."""
