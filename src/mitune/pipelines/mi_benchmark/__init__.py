"""Estimators of mutual information on tasks of known information."""
