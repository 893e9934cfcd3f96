"""What prompts say: noun phrases, adjectives, relations; by closed word lists or by spaCy."""
