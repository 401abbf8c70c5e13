"""Figures of the report on sources found in images: arrays in, Matplotlib figures out."""
