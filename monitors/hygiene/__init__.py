"""Changes that are no knowledge: named, and left out of every signal."""
