"""Whether a cluster defines a kind, so that one that comes or goes is noticed at once.

A kind whose path the API server does not know may not be installed, or not yet or no
more served by an API server that restarts. Its CustomResourceDefinition tells. They are
watched as metadata only: their schemas can be megabytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.source import Source
from services.k8s_resource.domain.resources import Resource

_READY_SECONDS = 5.0


class Definition(Protocol):
    """The definition of one kind on one cluster."""

    async def exists(self) -> bool | None:
        """Whether it is there; None if that cannot be found out."""

    async def changed(self) -> None:
        """Return when it is another than `exists` saw, or cannot be followed any more."""


class Watched(Protocol):
    """A cache and what feeds it (`clusters.WatchedKind`)."""

    cache: KindCache
    source: Source


class UnknownDefinition:
    """For kinds that are looked at again and again instead."""

    async def exists(self) -> bool | None:
        return None

    async def changed(self) -> None:
        await asyncio.Event().wait()


class WatchedDefinition:
    """Read from the cache of the cluster's definitions, which is started by the first question."""

    def __init__(self, resource: Resource, definitions: Callable[[], Watched]) -> None:
        self._key = ("", resource.full_name)
        self._definitions = definitions
        self._cache: KindCache | None = None
        self._seen: object = None

    async def exists(self) -> bool | None:
        try:
            watched = self._definitions()
            async with asyncio.timeout(_READY_SECONDS):
                await watched.source.ready()
        except (PodyardError, TimeoutError):
            return None
        self._cache = watched.cache
        self._seen = watched.cache.store.get(self._key)
        if watched.cache.problem is not None:
            return None
        return self._seen is not None

    async def changed(self) -> None:
        # The cache that `exists` saw, to its end: asking for it again would start another one,
        # also while the server is stopping.
        cache = self._cache
        if cache is None:
            await asyncio.Event().wait()
            return
        while cache.problem is None and cache.store.get(self._key) is self._seen:
            cache.touch()
            await cache.pulse()
