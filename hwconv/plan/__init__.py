"""Everything that is decided before gateware is built: folding, widths, memories, requantisers, cycles."""
