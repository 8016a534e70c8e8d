"""Questions made from the corpus itself, and the full-text search that answers them."""
