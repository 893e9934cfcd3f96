"""Image editing: every model edits the same pictures (DSPO, Table 4)."""
