"""The papers' studies: what goes into the set, which adapter, one model for all categories."""
