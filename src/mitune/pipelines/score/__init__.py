"""Scores of a folder of pictures, whoever made them."""
