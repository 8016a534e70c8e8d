"""One training: steps, checkpoints, the process it runs in, and what it costs."""
