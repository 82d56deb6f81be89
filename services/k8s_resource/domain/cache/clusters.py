"""The caches of all clusters: started when first asked for, let go when unused."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from services.common.errors import PermissionDeniedError, PodyardError, UnavailableError
from services.k8s_resource.domain.cache.definition import WatchedDefinition
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.list_watch import ListWatch
from services.k8s_resource.domain.cache.partial_cache import PartialCache
from services.k8s_resource.domain.cache.partial_source import PartialSource
from services.k8s_resource.domain.cache.source import Source
from services.k8s_resource.domain.kinds import DEFINITION, NAMESPACE, POD, Kind
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE
from services.k8s_resource.domain.node_usage import NodeUsage
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.resources import Resource

_LOOK_SECONDS = 1.0
_WHOLE = ""
_READABLE = "*"
"""In place of a namespace: all of them, and all that may be read where not all may be."""

_Key = tuple[Resource, str]


@dataclass(frozen=True)
class CacheLimits:
    """For each kind: `history` counts changes, `history_bytes` their objects as JSON.

    The others are in seconds.
    """

    history: int = 4096
    history_bytes: int = 32 * 1024 * 1024
    idle: float = 900.0
    inactivity: float = 90.0

    def new_history(self) -> History:
        """An empty history of one kind."""
        return History(self.history, self.history_bytes)


@dataclass
class WatchedKind:
    """A cache and what feeds it. `usage` belongs to pods of all namespaces only."""

    cache: KindCache
    source: Source
    task: asyncio.Task[None]
    usage: NodeUsage | None
    raw_users: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the cache lacks, for lack of permission."""
        return self.source.notes

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

    def __init__(
        self, connections: Connections, limits: CacheLimits, namespaces: Sequence[str] = ()
    ) -> None:
        """`namespaces` are looked in where they cannot be listed."""
        self._connections = connections
        self._limits = limits
        self._namespaces = tuple(namespaces)
        self._clusters: dict[str, tuple[Connection, dict[_Key, WatchedKind]]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = False
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
                self._stopping = True
                for cluster in list(self._clusters):
                    self._end(cluster, _stopping())

    async def ready(self, connection: Connection, kind: Kind, namespace: str = "") -> WatchedKind:
        """The cache of a kind, complete; UnavailableError and the like if it cannot be.

        It may hold more than the namespace. Where the kind may not be listed in the whole
        cluster it is that of the namespace, or, for an empty one, of all namespaces that may
        be read; PermissionDeniedError if none may be.
        """
        whole = self.watched(connection, kind)
        where = namespace or _READABLE
        if not whole.cache.loaded and self._is_loaded(connection, kind, where):
            return self.watched(connection, kind, where)
        if not _is_denied(whole) or not kind.resource.namespaced:
            try:
                await whole.source.ready()
                return whole
            except PermissionDeniedError:
                if not kind.resource.namespaced:
                    raise
        part = self.watched(connection, kind, where)
        await part.source.ready()
        return part

    def watched(self, connection: Connection, kind: Kind, namespace: str = "") -> WatchedKind:
        """The cache of a kind as it is, started if it was not; of all namespaces for an empty one."""
        kinds = self._kinds_of(connection)
        key = (kind.resource, namespace)
        watched = kinds.get(key)
        if watched is None or watched.task.done():
            watched = kinds[key] = self._start(connection, kind, namespace)
        watched.cache.touch()
        return watched

    def present(self, connection: Connection) -> list[tuple[str, WatchedKind]]:
        """The kinds that are watched now, each after its namespace: empty for the whole cluster,
        "*" for all namespaces that may be read."""
        return [(where, watched) for (_, where), watched in self._kinds_of(connection).items()]

    def _kinds_of(self, connection: Connection) -> dict[_Key, WatchedKind]:
        known = self._clusters.get(connection.name)
        if known is not None and known[0].api is not connection.api:
            if not self._is_current(connection):
                # A call that began before the change must not end what is of the new cluster.
                raise _changed(connection.name)
            self._end(connection.name, _changed(connection.name))
            known = None
        if known is None:
            known = self._clusters[connection.name] = (connection, {})
        return known[1]

    def _is_loaded(self, connection: Connection, kind: Kind, namespace: str) -> bool:
        found = self._kinds_of(connection).get((kind.resource, namespace))
        return found is not None and found.cache.loaded

    def _is_current(self, connection: Connection) -> bool:
        try:
            return self._connections.get(connection.name).api is connection.api
        except PodyardError:
            return False

    def _start(self, connection: Connection, kind: Kind, namespace: str) -> WatchedKind:
        if self._tasks is None:
            raise RuntimeError("the caches are not running")
        if self._stopping:
            # What one that is ended wakes may ask for another, which nobody would end.
            raise _stopping()
        cache, source = self._made(connection, kind, namespace)
        usage = None
        if kind is POD and namespace in (_WHOLE, _READABLE):
            usage = NodeUsage(cache.store.items)
            cache.observe(usage)
        # In a context of its own: the call that happens to ask first must not sign its logs.
        task = self._tasks.create_task(source.run(), context=self._context.copy())
        return WatchedKind(cache, source, task, usage)

    def _made(self, connection: Connection, kind: Kind, namespace: str) -> tuple[KindCache, Source]:
        if namespace == _READABLE:
            partial = PartialCache(kind, self._limits.new_history())
            namespaces = ClusterNamespaces(self, connection, self._namespaces)
            return partial, PartialSource(
                connection.api,
                partial,
                namespaces,
                lambda name: self.watched(connection, kind, name),
            )
        cache = KindCache(kind, self._limits.new_history())
        definition = None
        if kind is not DEFINITION:
            definition = WatchedDefinition(
                kind.resource, lambda: self.watched(connection, DEFINITION)
            )
        return cache, ListWatch(
            connection.api,
            cache,
            namespace=namespace,
            inactivity=self._limits.inactivity,
            definition=definition,
        )

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
            present = {connection.name: connection for connection in self._connections.list()}
        except PodyardError:
            present = {}
        for name, (connection, kinds) in list(self._clusters.items()):
            now = present.get(name)
            if now is None or now.api is not connection.api:
                self._end(name, _changed(name))
                continue
            if now.renewals != connection.renewals:
                # What failed for lack of them need not wait until its next attempt.
                self._clusters[name] = (now, kinds)
                for watched in kinds.values():
                    watched.source.kick()
            for key, watched in list(kinds.items()):
                cache = watched.cache
                if not cache.in_use and cache.last_used <= unused_since:
                    watched.task.cancel()
                    cache.end(UnavailableError("this cache was let go; ask again"))
                    del kinds[key]


class ClusterNamespaces:
    """`partial_source.Namespaces`: those of the cluster where they may be listed, else those of
    the settings and of the kubeconfig."""

    def __init__(
        self, caches: ClusterCaches, connection: Connection, configured: Sequence[str]
    ) -> None:
        self._caches = caches
        self._connection = connection
        self._configured = {*configured, connection.namespace or DEFAULT_NAMESPACE}

    async def known(self) -> tuple[Sequence[str], bool]:
        """Their names, and whether those are all that the cluster has."""
        watched = self._watched()
        with suppress(PermissionDeniedError):
            await watched.source.ready()
        if not watched.cache.loaded:
            return sorted(self._configured), False
        return [name for _, name in watched.cache.store.keys()], True  # noqa: SIM118 - no mapping

    async def changed(self) -> None:
        """Return when a namespace came or went, or the right to list them."""
        await self._watched().cache.pulse()

    def _watched(self) -> WatchedKind:
        return self._caches.watched(self._connection, NAMESPACE)


def _is_denied(watched: WatchedKind) -> bool:
    """Whether it was refused at the last attempt, a few seconds ago."""
    cache = watched.cache
    return not cache.loaded and isinstance(cache.problem, PermissionDeniedError)


def _stopping() -> UnavailableError:
    return UnavailableError("the server is stopping")


def _changed(cluster: str) -> UnavailableError:
    return UnavailableError(
        f'cluster "{cluster}" was changed or removed in the kubeconfig; connect again',
        reason="CLUSTER_CHANGED",
    )
