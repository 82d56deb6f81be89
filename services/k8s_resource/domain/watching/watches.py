"""The Watch use case: from a request to its stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from services.common.errors import InvalidArgumentError, NotFoundError
from services.common.paging import decode_token, fingerprint
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.kind_cache import Position
from services.k8s_resource.domain.kinds import Kind, kind_of
from services.k8s_resource.domain.ports import Connection, Connections, ResourceCatalog
from services.k8s_resource.domain.resources import Resource
from services.k8s_resource.domain.selection import Selection, parse_selection
from services.k8s_resource.domain.watching.events import (
    EventBatch,
    EventEncoder,
    WatchOptions,
    WatchTarget,
)
from services.k8s_resource.domain.watching.kind_names import resolve
from services.k8s_resource.domain.watching.session import WatchSession

_PATIENCE_SECONDS = 15.0
"""A kind that was watched before is there: a restarted API server serves its custom resources
only after a while."""
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TargetQuery:
    """One kind to watch, as written; `field` is its path in the request, for errors."""

    field: str
    kind: str
    namespace: str
    label_selector: str
    field_selector: str


class Watches:
    """Opens watch streams."""

    def __init__(
        self,
        connections: Connections,
        caches: ClusterCaches,
        catalog: ResourceCatalog,
        draining: asyncio.Event,
    ) -> None:
        self._connections = connections
        self._caches = caches
        self._catalog = catalog
        self._draining = draining

    async def watch(
        self,
        cluster: str,
        queries: Sequence[TargetQuery],
        encoder: EventEncoder,
        resume_token: str,
        options: WatchOptions,
    ) -> AsyncGenerator[EventBatch, None]:
        """The stream of a request; bad selectors, kinds and tokens raise before its first event."""
        connection = self._connections.get(cluster)
        chosen: list[tuple[Kind, Selection]] = []
        for query in queries:
            patience = _PATIENCE_SECONDS if resume_token else 0.0
            kind = kind_of(await self._resolved(connection, query.kind, patience))
            chosen.append((kind, _selection(kind, query)))
        identity = fingerprint(
            "watch",
            connection.name,
            connection.server,
            [
                (kind.resource.full_name, kind.resource.version, *selection.identity())
                for kind, selection in chosen
            ],
        )
        positions = None
        if resume_token:
            positions = decode_token(resume_token, identity, list[Position], field="resume_token")
            if len(positions) != len(chosen):
                raise InvalidArgumentError.field("resume_token", "has other targets")
        for kind, _ in chosen:
            self._caches.watched(connection, kind)
        with ExitStack() as held:
            targets = []
            for index, (kind, selection) in enumerate(chosen):
                watched = await self._caches.ready(connection, kind, selection.namespace)
                if encoder.view.needs_whole_objects:
                    held.enter_context(watched.raw_wanted())
                    await watched.source.keep_raw()
                targets.append(WatchTarget(index, connection.api, watched, selection))
            session = WatchSession(targets, encoder, self._draining, identity, positions, options)
            async with aclosing(session.batches()) as batches:
                async for batch in batches:
                    yield batch

    async def _resolved(self, connection: Connection, kind: str, patience: float) -> Resource:
        """The kind of that name, which may come up within `patience` seconds; NotFoundError."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return await resolve(self._catalog, connection, kind)
            except NotFoundError:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)


def _selection(kind: Kind, query: TargetQuery) -> Selection:
    return parse_selection(
        kind,
        query.namespace,
        query.label_selector,
        query.field_selector,
        prefix=query.field,
    )
