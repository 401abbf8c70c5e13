"""How little it takes to change the class of a galaxy: attacks, physical perturbations, latent geometry."""
