"""The caches of all clusters: started when first asked for, let go when unused."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from services.common.errors import PodyardError, UnavailableError
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.list_watch import ListWatch
from services.k8s_resource.domain.kinds import POD, Kind
from services.k8s_resource.domain.node_usage import NodeUsage
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.resources import Resource

_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class CacheLimits:
    """`history` counts changes, the others are in seconds."""

    history: int = 4096
    idle: float = 900.0
    inactivity: float = 90.0


@dataclass
class WatchedKind:
    """A cache and what feeds it. `usage` belongs to pods only."""

    cache: KindCache
    source: ListWatch
    task: asyncio.Task[None]
    usage: NodeUsage | None
    raw_users: int = 0

    @contextmanager
    def raw_wanted(self) -> Iterator[None]:
        """Whole objects are kept for as long as this is held, and until the next look after."""
        self.raw_users += 1
        try:
            yield
        finally:
            self.raw_users -= 1


class ClusterCaches:
    """Caches by cluster and kind. Use within `running()`."""

    def __init__(self, connections: Connections, limits: CacheLimits) -> None:
        self._connections = connections
        self._limits = limits
        self._clusters: dict[str, tuple[Connection, dict[Resource, WatchedKind]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._context = contextvars.copy_context()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The caches live within; all their tasks end with it."""
        self._context = contextvars.copy_context()
        async with asyncio.TaskGroup() as self._tasks:
            janitor = self._tasks.create_task(self._let_go_of_unused())
            try:
                yield
            finally:
                janitor.cancel()
                for cluster in list(self._clusters):
                    self._end(cluster, UnavailableError("the server is stopping"))

    async def ready(self, connection: Connection, kind: Kind) -> WatchedKind:
        """The cache of a kind, complete; UnavailableError and the like if it cannot be."""
        watched = self.watched(connection, kind)
        await watched.source.ready()
        return watched

    def watched(self, connection: Connection, kind: Kind) -> WatchedKind:
        """The cache of a kind as it is, started if it was not."""
        kinds = self._kinds_of(connection)
        watched = kinds.get(kind.resource)
        if watched is None or watched.task.done():
            watched = kinds[kind.resource] = self._start(connection, kind)
        watched.cache.touch()
        return watched

    def present(self, connection: Connection) -> list[WatchedKind]:
        """The kinds that are watched now."""
        return list(self._kinds_of(connection).values())

    def _kinds_of(self, connection: Connection) -> dict[Resource, WatchedKind]:
        known = self._clusters.get(connection.name)
        if known is not None and known[0].api is not connection.api:
            self._end(connection.name, _changed(connection.name))
            known = None
        if known is None:
            known = self._clusters[connection.name] = (connection, {})
        return known[1]

    def _start(self, connection: Connection, kind: Kind) -> WatchedKind:
        if self._tasks is None:
            raise RuntimeError("the caches are not running")
        cache = KindCache(kind, self._limits.history)
        usage = None
        if kind is POD:
            usage = NodeUsage(cache.store.items)
            cache.observe(usage)
        source = ListWatch(connection.api, cache, inactivity=self._limits.inactivity)
        # In a context of its own: the call that happens to ask first must not sign its logs.
        task = self._tasks.create_task(source.run(), context=self._context.copy())
        return WatchedKind(cache, source, task, usage)

    def _end(self, cluster: str, error: PodyardError) -> None:
        _, kinds = self._clusters.pop(cluster)
        for watched in kinds.values():
            watched.task.cancel()
            watched.cache.end(error)

    async def _let_go_of_unused(self) -> None:
        while True:
            await asyncio.sleep(min(self._limits.idle / 4, _LOOK_SECONDS))
            self.let_go(time.monotonic() - self._limits.idle)
            for _, kinds in self._clusters.values():
                for watched in kinds.values():
                    if watched.cache.has_raw and not watched.raw_users:
                        watched.source.drop_raw()

    def let_go(self, unused_since: float) -> None:
        """Stop watching what nobody has used since a moment of the monotonic clock.

        And what is not the cluster of its name any more.
        """
        try:
            present = {connection.name: connection.api for connection in self._connections.list()}
        except PodyardError:
            present = {}
        for name, (connection, kinds) in list(self._clusters.items()):
            if present.get(name) is not connection.api:
                self._end(name, _changed(name))
                continue
            for resource, watched in list(kinds.items()):
                cache = watched.cache
                if not cache.in_use and cache.last_used <= unused_since:
                    watched.task.cancel()
                    cache.end(UnavailableError("this cache was let go; ask again"))
                    del kinds[resource]


def _changed(cluster: str) -> UnavailableError:
    return UnavailableError(
        f'cluster "{cluster}" was changed or removed in the kubeconfig; connect again',
        reason="CLUSTER_CHANGED",
    )
