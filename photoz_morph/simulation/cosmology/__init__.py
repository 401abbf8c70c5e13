"""Log-normal fields of the density of matter with known cosmological parameters, as a survey would observe them."""
