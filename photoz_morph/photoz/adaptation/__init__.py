"""Training of redshift networks on labelled galaxies of one depth or survey and unlabelled ones of another."""
