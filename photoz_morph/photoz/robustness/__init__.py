"""Attacks on the redshifts of trained runs: the smallest change of few pixels that moves them."""
