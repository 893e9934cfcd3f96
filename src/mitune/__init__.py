"""Self-supervised text-to-image alignment with mutual information."""

import os

# Before torch is imported: its threads would wait for each other in a busy loop, and anything else
# that runs on the machine slows that down many times.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
