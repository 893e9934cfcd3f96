"""A model on the test prompts."""
