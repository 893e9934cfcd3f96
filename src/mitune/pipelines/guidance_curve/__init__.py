"""Alignment of base and rounds over guidance: a few cells of the grid, for the first screen."""
