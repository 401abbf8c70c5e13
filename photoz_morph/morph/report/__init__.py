"""The report of morphology runs."""
