"""An adapter trained on the set."""
