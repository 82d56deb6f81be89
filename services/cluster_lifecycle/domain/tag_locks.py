"""One change of a cluster at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TagLocks:
    """A lock for each tag, kept only while someone holds it or waits."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, tag: str) -> AsyncIterator[None]:
        """Hold the tag's lock."""
        lock, users = self._locks.get(tag, (asyncio.Lock(), 0))
        self._locks[tag] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[tag]
            if users == 1:
                del self._locks[tag]
            else:
                self._locks[tag] = (lock, users - 1)
