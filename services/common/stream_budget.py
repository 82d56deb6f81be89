"""How many streams may be open at the same time: in all, and of one caller.

Each stream may cost up to 1 MiB while its subscriber does not read. A limit of their own keeps
streams, and a client that opens them in a loop, from taking the memory that unary calls need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.common.errors import ResourceExhaustedError

MOST = 2000
"""So many MiB is what subscribers may cost of which none reads."""

MOST_OF_ONE = 1000
"""Half of it: no caller takes all. The gateway, which shares streams, is one caller here."""

RETRY_SECONDS = 5.0


class StreamBudget:
    """Counts open streams."""

    def __init__(
        self, most: int = MOST, most_of_one: int = MOST_OF_ONE, prefix: str = "PODYARD_…_"
    ) -> None:
        """`prefix` is that of the environment variables that set the limits, for messages."""
        self._most = most
        self._most_of_one = most_of_one
        self._prefix = prefix
        self._open: Counter[str] = Counter()

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """Hold a place for one stream; ResourceExhaustedError naming the limit if none is free."""
        if self._open[caller] >= self._most_of_one:
            raise self._exhausted(
                f"{caller} has {self._open[caller]} streams open, the most that one caller may",
                "STREAMS_PER_IDENTITY",
            )
        if self._open.total() >= self._most:
            raise self._exhausted(
                f"{self._open.total()} streams are open, the most that this service takes",
                "STREAMS",
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]

    def _exhausted(self, what: str, limit: str) -> ResourceExhaustedError:
        variable = f"{self._prefix}MAX_{limit}"
        return ResourceExhaustedError(
            f"{what} ({variable}): end one, or try again later",
            retry_after=RETRY_SECONDS,
            reason="TOO_MANY_STREAMS",
            metadata={"limit": variable},
        )
