"""The morphology chain, from dataset to predictions, scores, robustness and report."""
