"""Reading caches for an answer: filled, caught up with if asked for, several side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from services.common.errors import PermissionDeniedError
from services.k8s_resource.domain.cache.clusters import ClusterCaches, WatchedKind
from services.k8s_resource.domain.cache.consistency import ConsistentReads
from services.k8s_resource.domain.cache.kind_cache import Freshness, KindCache
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.selection import Selection

Wanted = tuple[Kind, Selection]


@dataclass(frozen=True, slots=True)
class Read:
    """A cache that is ready to be read, caught up to `version` if a consistent read asked."""

    watched: WatchedKind
    version: int = 0

    @property
    def cache(self) -> KindCache:
        """The cache itself."""
        return self.watched.cache

    @property
    def notes(self) -> tuple[str, ...]:
        """What it lacks."""
        if self.cache.absent:
            return (f"the cluster does not have {self.cache.kind.resource.full_name}",)
        return self.watched.notes

    def freshness(self) -> Freshness:
        """How recent it is."""
        freshness = self.cache.freshness()
        if not self.version:
            return freshness
        return replace(freshness, version=max(freshness.version, self.version))


class CacheReads:
    """Reads of all clusters."""

    def __init__(self, caches: ClusterCaches) -> None:
        self._caches = caches
        self._consistent = ConsistentReads()

    async def read(
        self, connection: Connection, kind: Kind, selection: Selection, *, consistent: bool
    ) -> Read:
        """The cache of a kind; PermissionDeniedError, UnavailableError and the like."""
        watched = await self._caches.ready(connection, kind, selection.namespace)
        if not consistent:
            return Read(watched)
        version = await self._consistent.catch_up(connection.api, watched, selection)
        return Read(watched, version)

    async def read_all(
        self, connection: Connection, *wanted: Wanted, consistent: bool
    ) -> list[Read]:
        """The caches of several kinds."""
        found = await self.read_some(connection, *wanted, consistent=consistent)
        reads = []
        for each in found:
            if isinstance(each, PermissionDeniedError):
                raise each
            reads.append(each)
        return reads

    async def read_some(
        self, connection: Connection, *wanted: Wanted, consistent: bool
    ) -> list[Read | PermissionDeniedError]:
        """As `read_all`, with the refusals of those that may not be read in their place."""
        # Caches are filled side by side, before they are waited for one by one.
        for kind, _ in wanted:
            self._caches.watched(connection, kind)
        if not consistent:
            return [await self._attempt(connection, *each, consistent) for each in wanted]
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = [
                    tasks.create_task(self._attempt(connection, *each, consistent))
                    for each in wanted
                ]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in reading]

    async def _attempt(
        self, connection: Connection, kind: Kind, selection: Selection, consistent: bool
    ) -> Read | PermissionDeniedError:
        try:
            return await self.read(connection, kind, selection, consistent=consistent)
        except PermissionDeniedError as error:
            return error
