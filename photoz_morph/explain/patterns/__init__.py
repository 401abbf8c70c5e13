"""What units of a network see and look for: kernels, maps, strongest patches, images that excite them most."""
