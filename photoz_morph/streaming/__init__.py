"""Long computations in parts: read ahead, computed one by one, kept as they are finished, joined at the end."""
