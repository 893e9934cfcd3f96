"""Figures of the workflow, one a file, as matplotlib figures; none is shown or kept open."""
