"""When every part of a call failed because the cluster did, the call did."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import PodyardError, RetryableError


def raise_if_nothing_worked(errors: Sequence[PodyardError | None]) -> None:
    """Raise the first error if each part has one and all of them pass with time."""
    passing = [error for error in errors if isinstance(error, RetryableError)]
    if passing and len(passing) == len(errors):
        raise passing[0]
