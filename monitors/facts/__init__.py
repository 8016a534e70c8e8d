"""Sentences of two versions side by side, and the facts that differ in them."""
