"""The Watch use case: from a request to its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

from services.common.errors import InvalidArgumentError
from services.common.paging import decode_token, fingerprint
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.kind_cache import Position
from services.k8s_resource.domain.kinds import Kind, kind_of
from services.k8s_resource.domain.ports import Connections, ResourceCatalog
from services.k8s_resource.domain.selection import Selection, parse_selection
from services.k8s_resource.domain.watching.events import (
    EventBatch,
    EventEncoder,
    WatchOptions,
    WatchTarget,
)
from services.k8s_resource.domain.watching.kind_names import resolve
from services.k8s_resource.domain.watching.session import WatchSession


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
            kind = kind_of(await resolve(self._catalog, connection, query.kind))
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


def _selection(kind: Kind, query: TargetQuery) -> Selection:
    return parse_selection(
        kind,
        query.namespace,
        query.label_selector,
        query.field_selector,
        prefix=query.field,
    )
