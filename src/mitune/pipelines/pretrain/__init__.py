"""The miniature, trained from scratch."""
