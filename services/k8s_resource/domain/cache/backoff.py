"""How long to wait before trying again."""

from __future__ import annotations

import random
import time

_FIRST_SECONDS = 0.1
_FACTOR = 1.7
_SHORT_CAP_SECONDS = 1.5
_LONG_CAP_SECONDS = 15.0
_PATIENCE_SECONDS = 60.0


class Backoff:
    """Exponential with jitter.

    In the first minute of a failure the pauses stay short, so that work resumes soon after
    a server's restart; later they grow, so that many clients do not hold a server down.
    """

    def __init__(self) -> None:
        self._next = _FIRST_SECONDS
        self._since = 0.0

    def reset(self) -> None:
        """It worked."""
        self._next = _FIRST_SECONDS
        self._since = 0.0

    def pause(self) -> float:
        """Seconds to wait after one more failure."""
        now = time.monotonic()
        self._since = self._since or now
        cap = _SHORT_CAP_SECONDS if now - self._since < _PATIENCE_SECONDS else _LONG_CAP_SECONDS
        wait = min(self._next, cap)
        self._next = min(self._next * _FACTOR, _LONG_CAP_SECONDS)
        return random.uniform(wait / 2, wait)  # noqa: S311 - spreads load
