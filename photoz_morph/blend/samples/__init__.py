"""What networks of `blend` are trained on: squares of images, and the outputs that are right for them."""
