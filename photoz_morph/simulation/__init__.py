"""The embedded defaults: objects with known truth, one seed per object."""
