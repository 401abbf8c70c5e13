"""Domain adaptation: a classifier with extra losses, and one module per loss."""
