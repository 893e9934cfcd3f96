"""Self-supervised text-to-image alignment with mutual information."""

__version__ = "0.1.0"
