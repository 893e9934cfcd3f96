"""The workflow: one package per stage, rounds chained through their adapters."""
