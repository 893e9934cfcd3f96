"""Alignment against quality over guidance and rounds."""
