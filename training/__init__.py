"""Make a challenger from what changed, and weigh it against the champion."""

import os

# Before PyTorch is imported: its threads spin while they wait for each other, and on a machine
# that does anything else besides, each waits for a core that the other one burns. Measured on two
# busy cores: 27-45 tokens a second trained with spinning, 150-240 without.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
