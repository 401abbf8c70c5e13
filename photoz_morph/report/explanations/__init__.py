"""Figures and tables of explanations, the same for both chains."""
