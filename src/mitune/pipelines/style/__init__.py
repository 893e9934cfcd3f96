"""Style alignment: models trained to paint as edited pictures are (Diff-contrast, sections 3-4)."""
