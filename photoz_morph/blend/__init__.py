"""The chain of whole images: sources detected, outlined and deblended."""
