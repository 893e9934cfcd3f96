"""Candidates with their MI, one shard per prompt."""
