"""What feeds a cache, and waiting for what it brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from services.k8s_resource.domain.cache.kind_cache import KindCache


class Source(Protocol):
    """The task that keeps one cache up to date."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the cache lacks, and why."""

    async def run(self) -> None:
        """Feed the cache until cancelled, or until it is ended."""

    def kick(self) -> None:
        """Try at once instead of after the present pause."""

    async def ready(self) -> None:
        """Wait until the store is complete; the failure of the next attempt if it fails."""

    async def keep_raw(self) -> None:
        """Keep whole objects from now on; returns when they are there."""

    def drop_raw(self) -> None:
        """Keep whole objects no more."""

    async def catch_up(self) -> None:
        """Return when the cache holds everything that was written before this call.

        Raises what keeps it from that: UnavailableError and the like.
        """


async def until_loaded(cache: KindCache, kick: Callable[[], None]) -> None:
    """Wait until the store is complete; raises the failure of the next attempt."""
    cache.touch()
    if not cache.loaded:
        await _until(cache, kick, lambda: cache.loaded)


async def until_raw(cache: KindCache, kick: Callable[[], None]) -> None:
    """Wait until whole objects are there; raises the failure of the next attempt."""
    await _until(cache, kick, lambda: cache.has_raw or cache.absent)


async def _until(cache: KindCache, kick: Callable[[], None], reached: Callable[[], bool]) -> None:
    attempts = cache.attempts
    kick()
    while not reached():
        if cache.problem is not None and cache.attempts > attempts:
            raise cache.problem.with_traceback(None)
        await cache.pulse()
