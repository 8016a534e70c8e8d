"""The parts of one check: what moved, how far, what it costs, and its report."""
