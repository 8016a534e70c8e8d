"""Models on held-out rows, beside each other, and the verdict."""
