"""Adaptation losses with an opponent: a network that is trained to tell the domains apart while the latents hide it."""
