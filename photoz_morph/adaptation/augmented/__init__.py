"""Adaptation losses that show images a second time, changed: under strong augmentation, or with the target's noise."""
