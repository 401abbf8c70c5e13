"""Maps of the stars and dust of a galaxy from its image."""
