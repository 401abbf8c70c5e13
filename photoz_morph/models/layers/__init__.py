"""Layers and blocks that several networks use."""
