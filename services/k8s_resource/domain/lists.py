"""Typed lists, answered from the caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.errors import NotFoundError, PermissionDeniedError
from services.common.paging import fingerprint
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches, WatchedKind
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.freshness import oldest
from services.k8s_resource.domain.job_pods import JobFigures, figures_of
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.node_usage import NodeLoad
from services.k8s_resource.domain.paging import Page, Pager, parse_order
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.selection import parse_selection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list request asks for, as written in it."""

    cluster: str = ""
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    order_by: str = ""
    page_size: int = 0
    page_token: str = ""
    consistent: bool = False


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """An answer. `notes` tell what could not be included."""

    page: Page[T]
    freshness: Freshness
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedNode:
    """A node and what its pods hold."""

    item: Item
    load: NodeLoad


@dataclass(frozen=True, slots=True)
class Job:
    """A training job, of which kind, and its pods' figures."""

    kind: Kind
    item: Item
    figures: JobFigures


class Lists:
    """Use cases of the list RPCs."""

    def __init__(self, connections: Connections, caches: ClusterCaches) -> None:
        self._connections = connections
        self._caches = caches

    async def objects(self, kind: Kind, query: ListQuery) -> Listed[Item]:
        """Objects of one typed kind."""
        connection = self._connections.get(query.cluster)
        selection = parse_selection(
            kind, query.namespace, query.label_selector, query.field_selector
        )
        pager: Pager[Item] = Pager(
            _fingerprint(connection, kind.resource.full_name, selection.identity(), query),
            parse_order(query.order_by, kind.orders),
            lambda item: item.decoded,
            lambda item: item.key,
        )
        watched = await self._ready(connection, kind, query)
        store = watched.cache.store
        ordered = store.remembered(
            ("order", selection.identity(), str(pager.order)),
            lambda: pager.sort(selection.of(store)),
        )
        page = pager.page(ordered, query.page_size, query.page_token)
        notes = (_absent(kind),) if watched.cache.absent else watched.notes
        return Listed(page, watched.cache.freshness(), notes)

    async def nodes(self, query: ListQuery) -> Listed[LoadedNode]:
        """Nodes with what their pods hold."""
        connection = self._connections.get(query.cluster)
        self._start(connection, kinds.POD, kinds.NODE)
        pods = await self._ready(connection, kinds.POD, query)
        listed = await self.objects(kinds.NODE, query)
        return Listed(
            Page(
                [_loaded(item, pods) for item in listed.page.entries],
                listed.page.next_token,
                listed.page.total,
            ),
            oldest(listed.freshness, pods.cache.freshness()),
            (*listed.notes, *usage_notes(pods)),
        )

    async def node(self, cluster: str, name: str) -> tuple[LoadedNode, Freshness]:
        """One node; NotFoundError."""
        connection = self._connections.get(cluster)
        self._start(connection, kinds.POD, kinds.NODE)
        nodes = await self._caches.ready(connection, kinds.NODE)
        pods = await self._caches.ready(connection, kinds.POD)
        item = nodes.cache.store.get(("", name))
        if item is None:
            raise NotFoundError(
                "node", name, f'node "{name}" does not exist in cluster "{connection.name}"'
            )
        freshness = oldest(nodes.cache.freshness(), pods.cache.freshness())
        return _loaded(item, pods), freshness

    async def training_jobs(self, query: ListQuery) -> Listed[Job]:
        """Training jobs of all kinds that the cluster has."""
        connection = self._connections.get(query.cluster)
        any_kind = kinds.TRAINING_JOBS[0]
        selection = parse_selection(
            any_kind, query.namespace, query.label_selector, query.field_selector
        )
        pager: Pager[tuple[Kind, Item]] = Pager(
            _fingerprint(connection, "training jobs", selection.identity(), query),
            parse_order(query.order_by, any_kind.orders),
            lambda entry: entry[1].decoded,
            lambda entry: (*entry[1].key, entry[0].resource.full_name),
        )
        self._start(connection, kinds.POD, *kinds.TRAINING_JOBS)
        pods = await self._ready(connection, kinds.POD, query)
        watched, notes = await self._readable(connection, kinds.TRAINING_JOBS, query)
        entries = [
            (kind, item)
            for each in watched
            for kind in [each.cache.kind]
            for item in selection.of(each.cache.store)
        ]
        if not pager.order.terms:
            entries.sort(key=lambda entry: tuple(pager.identity(entry)))
        page = pager.page(pager.sort(entries), query.page_size, query.page_token)
        jobs = [
            Job(kind, item, figures_of(kind.resource, item, pods.cache.store))
            for kind, item in page.entries
        ]
        notes += [_absent(w.cache.kind) for w in watched if w.cache.absent]
        notes += [note for w in (*watched, pods) for note in w.notes]
        freshness = oldest(*(w.cache.freshness() for w in (*watched, pods) if not w.cache.absent))
        return Listed(Page(jobs, page.next_token, page.total), freshness, tuple(notes))

    def _start(self, connection: Connection, *needed: Kind) -> None:
        """Have the caches filled side by side, before they are waited for one by one."""
        for kind in needed:
            self._caches.watched(connection, kind)

    async def _readable(
        self, connection: Connection, several: Sequence[Kind], query: ListQuery
    ) -> tuple[list[WatchedKind], list[str]]:
        """Those of several kinds that may be read, and what is to be said of the others.

        PermissionDeniedError if none may be.
        """
        found: list[WatchedKind] = []
        notes: list[str] = []
        for kind in several:
            try:
                found.append(await self._ready(connection, kind, query))
            except PermissionDeniedError as error:
                denied = error
                notes.append(f"{kind.resource.full_name} not included: {error.message}")
        if not found:
            raise denied
        return found, notes

    async def _ready(self, connection: Connection, kind: Kind, query: ListQuery) -> WatchedKind:
        watched = await self._caches.ready(connection, kind, query.namespace)
        if query.consistent:
            await watched.source.catch_up()
        return watched


def _fingerprint(
    connection: Connection, what: str, selection: Sequence[str], query: ListQuery
) -> bytes:
    order = " ".join(query.order_by.replace(",", " , ").split())
    return fingerprint("list", connection.name, connection.server, what, *selection, order)


def _loaded(item: Item, pods: WatchedKind) -> LoadedNode:
    if pods.usage is None:
        raise TypeError("only the cache of pods knows what they hold")
    return LoadedNode(item, pods.usage.of(item.key[1]))


def usage_notes(pods: WatchedKind) -> tuple[str, ...]:
    """What is to be said of figures that pods make, where not all pods may be read."""
    uncounted = "what pods use of nodes is counted only where pods may be read"
    return (*pods.notes, uncounted) if pods.notes else ()


def _absent(kind: Kind) -> str:
    return f"the cluster does not have {kind.resource.full_name}"
