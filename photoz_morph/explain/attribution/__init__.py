"""Attribution by gradients: how much each pixel in each band, and each scalar input, adds to a target."""
