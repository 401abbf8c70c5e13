"""Figures and tables; the only place that imports matplotlib."""
