"""Scores that choose among networks for a domain without labels, as functions of their outputs."""
