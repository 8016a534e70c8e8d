"""Guards switched off one by one: each has a test that notices."""
