"""People's answers: the pictures they are asked about, and what they said."""
