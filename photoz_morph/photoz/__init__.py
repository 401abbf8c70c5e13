"""The photometric-redshift chain, from dataset to predictions, scores and report."""
