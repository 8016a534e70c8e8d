"""Make a challenger from what changed, and weigh it against the champion."""
