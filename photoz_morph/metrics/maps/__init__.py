"""Scores of maps against true maps, and of the parameters behind fields."""
