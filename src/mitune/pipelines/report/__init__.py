"""One page that a person would want to look at."""
