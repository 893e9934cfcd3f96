"""How the shipped miniatures are made: from scratch, deterministic, resumable.

Captions are written and corrupted anew each time an image is seen.
"""
