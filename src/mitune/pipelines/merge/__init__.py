"""One adapter out of several."""
