"""Prompt ingest: everything that can be wrong with a prompt is said here."""
