"""An adapter trained on examples from files instead of a run's own candidates."""
