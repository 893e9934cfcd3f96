"""Self-supervised text-to-image alignment with mutual information."""

import os

# Threads that wait must not spin: two jobs on the same cores would take ten times as long. Read
# when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
