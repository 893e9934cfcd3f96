"""Which scorer ranks: a study on the tuning prompts."""
