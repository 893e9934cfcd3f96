"""Test images of all models against reference pictures."""
