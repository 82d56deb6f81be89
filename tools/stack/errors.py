"""The one error the local stack raises for its users."""

from __future__ import annotations


class StackError(Exception):
    """Something a user can act on; the text says what was wrong, where, and what to do."""
