"""Networks for periodic fields, such as of the density of matter."""
