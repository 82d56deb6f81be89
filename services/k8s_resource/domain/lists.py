"""Typed lists, answered from the caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.common.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError
from services.common.paging import fingerprint
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches, WatchedKind
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.cache_reads import CacheReads, Read
from services.k8s_resource.domain.counting import FieldCounts, counts_of, parse_counts
from services.k8s_resource.domain.freshness import oldest
from services.k8s_resource.domain.job_pods import JobFigures, figures_of, pods_of
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.list_fields import CountReader, SortReader
from services.k8s_resource.domain.loaded_nodes import LOAD_ORDERS, LoadedNode
from services.k8s_resource.domain.paging import Page, Pager, parse_order
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.selection import EVERYTHING, Selection, parse_selection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list request asks for, as written in it. `filters` are values by filter."""

    cluster: str = ""
    namespace: str = ""
    namespaces: Sequence[str] = ()
    label_selector: str = ""
    field_selector: str = ""
    order_by: str = ""
    page_size: int = 0
    page_token: str = ""
    consistent: bool = False
    count_by: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """An answer. `notes` tell what could not be included."""

    page: Page[T]
    freshness: Freshness
    notes: tuple[str, ...] = ()
    counts: tuple[FieldCounts, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A training job, of which kind, and its pods' figures."""

    kind: Kind
    item: Item
    figures: JobFigures


_Entry = tuple[Kind, Item]


class Lists:
    """Use cases of the list RPCs."""

    def __init__(self, connections: Connections, caches: ClusterCaches) -> None:
        self._connections = connections
        self._reads = CacheReads(caches)

    async def objects(
        self, kind: Kind, query: ListQuery, *, keep: Callable[[Item], bool] | None = None
    ) -> Listed[Item]:
        """Objects of one typed kind; of these only what `keep` says, which may change with time."""
        connection = self._connections.get(query.cluster)
        selection = _selection(kind, query)
        pager: Pager[Item] = Pager(
            _fingerprint(connection, kind.resource.full_name, selection, query),
            parse_order(query.order_by, kind.orders),
            lambda item: item.decoded,
            lambda item: item.key,
        )
        readers = parse_counts(query.count_by, kind.counts)
        read = await self._reads.read(connection, kind, selection, consistent=query.consistent)
        store = read.cache.store
        identity = selection.identity()
        ordered = store.remembered(
            ("order", identity, str(pager.order)), lambda: pager.sort(selection.of(store))
        )
        if keep is not None:
            ordered = [item for item in ordered if keep(item)]
        page = pager.page(ordered, query.page_size, query.page_token)
        counts = []
        for name, value in readers.items():

            def count(name: str = name, value: CountReader = value) -> FieldCounts:
                return counts_of(name, (value(item.decoded) for item in ordered))

            counts.append(count() if keep else store.remembered(("counts", identity, name), count))
        return Listed(page, read.freshness(), read.notes, tuple(counts))

    async def nodes(self, query: ListQuery) -> Listed[LoadedNode]:
        """Nodes with what their pods hold."""
        connection = self._connections.get(query.cluster)
        kind = kinds.NODE
        selection = _selection(kind, query)
        pager: Pager[LoadedNode] = Pager(
            _fingerprint(connection, kind.resource.full_name, selection, query),
            parse_order(query.order_by, _NODE_ORDERS),
            lambda node: node,
            lambda node: node.item.key,
        )
        readers = parse_counts(query.count_by, kind.counts)
        nodes, pods = await self._reads.read_all(
            connection, (kind, selection), (kinds.POD, EVERYTHING), consistent=query.consistent
        )
        found = [_loaded(item, pods) for item in selection.of(nodes.cache.store)]
        page = pager.page(pager.sort(found), query.page_size, query.page_token)
        counts = tuple(
            counts_of(name, (value(node.item.decoded) for node in found))
            for name, value in readers.items()
        )
        notes = (*nodes.notes, *usage_notes(pods.watched))
        return Listed(page, oldest(nodes.freshness(), pods.freshness()), notes, counts)

    async def node(self, cluster: str, name: str) -> tuple[LoadedNode, Freshness]:
        """One node; NotFoundError."""
        connection = self._connections.get(cluster)
        nodes, pods = await self._reads.read_all(
            connection, (kinds.NODE, EVERYTHING), (kinds.POD, EVERYTHING), consistent=False
        )
        item = nodes.cache.store.get(("", name))
        if item is None:
            raise NotFoundError(
                "node", name, f'node "{name}" does not exist in cluster "{connection.name}"'
            )
        return _loaded(item, pods), oldest(nodes.freshness(), pods.freshness())

    async def training_jobs(self, query: ListQuery) -> Listed[Job]:
        """Training jobs of all kinds that the cluster has."""
        connection = self._connections.get(query.cluster)
        any_kind = kinds.TRAINING_JOBS[0]
        selection = _selection(any_kind, query)
        chosen = _training_kinds(query.filters.get("kinds", ()))
        pager: Pager[_Entry] = Pager(
            _fingerprint(connection, "training jobs", selection, query),
            parse_order(query.order_by, _JOB_ORDERS),
            lambda entry: entry,
            lambda entry: (*entry[1].key, entry[0].resource.full_name),
        )
        readers = parse_counts(query.count_by, _JOB_COUNTS)
        wanted = [(kind, selection) for kind in chosen]
        pods, *found = await self._reads.read_some(
            connection,
            (kinds.POD, Selection(selection.namespaces)),
            *wanted,
            consistent=query.consistent,
        )
        if isinstance(pods, PermissionDeniedError):
            raise pods
        jobs, notes = _readable(chosen, found)
        entries = [
            (each.cache.kind, item) for each in jobs for item in selection.of(each.cache.store)
        ]
        entries.sort(key=lambda entry: tuple(pager.identity(entry)))
        page = pager.page(pager.sort(entries), query.page_size, query.page_token)
        shown = [
            Job(kind, item, figures_of(pods_of(kind.resource, item, pods.cache.store)))
            for kind, item in page.entries
        ]
        notes += [note for each in (*jobs, pods) for note in each.notes]
        freshness = oldest(*(each.freshness() for each in (*jobs, pods) if not each.cache.absent))
        counts = tuple(counts_of(name, map(value, entries)) for name, value in readers.items())
        return Listed(Page(shown, page.next_token, page.total), freshness, tuple(notes), counts)


def _selection(kind: Kind, query: ListQuery) -> Selection:
    return parse_selection(
        kind,
        query.namespace,
        query.label_selector,
        query.field_selector,
        namespaces=query.namespaces,
        filters={name: values for name, values in query.filters.items() if name in kind.filters},
    )


def _fingerprint(
    connection: Connection, what: str, selection: Selection, query: ListQuery
) -> bytes:
    order = " ".join(query.order_by.replace(",", " , ").split())
    rest = sorted((name, *values) for name, values in query.filters.items() if values)
    return fingerprint(
        "list", connection.name, connection.server, what, *selection.identity(), order, rest
    )


def _training_kinds(names: Sequence[str]) -> tuple[Kind, ...]:
    """The kinds of these names, all without any."""
    known = {kind.resource.kind.casefold(): kind for kind in kinds.TRAINING_JOBS}
    for index, name in enumerate(names):
        if name.casefold() not in known:
            choices = ", ".join(kind.resource.kind for kind in kinds.TRAINING_JOBS)
            raise InvalidArgumentError.field(f"kinds[{index}]", f'"{name}" is not one of {choices}')
    wanted = {name.casefold() for name in names} or known.keys()
    return tuple(kind for name, kind in known.items() if name in wanted)


def _of_node(read: SortReader) -> SortReader:
    return lambda node: read(node.item.decoded)


def _of_entry(read: Callable[[Any], T]) -> Callable[[Any], T]:
    return lambda entry: read(entry[1].decoded)


def _kind_word(entry: _Entry) -> str:
    return entry[0].resource.kind


_NODE_ORDERS: Mapping[str, SortReader] = {
    **{name: _of_node(read) for name, read in kinds.NODE.orders.items()},
    **LOAD_ORDERS,
}
_JOB_ORDERS: Mapping[str, SortReader] = {
    **{name: _of_entry(read) for name, read in kinds.TRAINING_JOBS[0].orders.items()},
    "kind": _kind_word,
}
_JOB_COUNTS: Mapping[str, CountReader] = {
    **{name: _of_entry(read) for name, read in kinds.TRAINING_JOBS[0].counts.items()},
    "kind": _kind_word,
}


def _loaded(item: Item, pods: Read) -> LoadedNode:
    if pods.watched.usage is None:
        raise TypeError("only the cache of pods knows what they hold")
    return LoadedNode(item, pods.watched.usage.of(item.key[1]))


def usage_notes(pods: WatchedKind) -> tuple[str, ...]:
    """What is to be said of figures that pods make, where not all pods may be read."""
    uncounted = "what pods use of nodes is counted only where pods may be read"
    return (*pods.notes, uncounted) if pods.notes else ()


def _readable(
    several: Sequence[Kind], found: Sequence[Read | PermissionDeniedError]
) -> tuple[list[Read], list[str]]:
    """Those of several kinds that may be read, and what is to be said of the others.

    PermissionDeniedError if none may be.
    """
    reads: list[Read] = []
    notes: list[str] = []
    for kind, each in zip(several, found, strict=True):
        if isinstance(each, PermissionDeniedError):
            denied = each
            notes.append(f"{kind.resource.full_name} not included: {each.message}")
        else:
            reads.append(each)
    if not reads:
        raise denied
    return reads, notes
