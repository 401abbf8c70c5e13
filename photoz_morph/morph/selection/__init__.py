"""Choosing among networks and calibrating them for a depth without labels."""
