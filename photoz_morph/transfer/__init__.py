"""Transfer learning: trained networks that learn on from another sample, in parts, at rates by depth, or by LoRA."""
