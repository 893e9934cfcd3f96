"""Errors that are the user's to fix: shown as one line, without a traceback."""


class UserError(ValueError):
    """What is wrong, where (file, line or field), and what to do about it."""
