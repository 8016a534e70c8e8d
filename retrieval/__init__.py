"""Documents in, hits out, every table by version."""
