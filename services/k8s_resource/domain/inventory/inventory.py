"""The GetGpuInventory use case."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.common.paging import fingerprint
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.kind_cache import Freshness, KindCache
from services.k8s_resource.domain.cache_reads import CacheReads
from services.k8s_resource.domain.freshness import oldest
from services.k8s_resource.domain.inventory.pending import PendingOwner, pending_owners
from services.k8s_resource.domain.inventory.rows import NodeRow
from services.k8s_resource.domain.inventory.totals import (
    DeviceTotals,
    InstanceTypeTotals,
    totals_of,
)
from services.k8s_resource.domain.lists import usage_notes
from services.k8s_resource.domain.node_usage import Holding, NodeUsage
from services.k8s_resource.domain.objects.pods import GPU
from services.k8s_resource.domain.paging import Order, Page, Pager
from services.k8s_resource.domain.pod_owner import Owner
from services.k8s_resource.domain.ports import Connections
from services.k8s_resource.domain.selection import EVERYTHING, Selection, parse_selection

T = TypeVar("T")

MOST_OWNERS = 1000
"""Holders, and waiting ones, told in one answer."""
_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class InventoryQuery:
    """What is asked for, as written. A resource name may end in "*"."""

    cluster: str = ""
    instance_types: frozenset[str] = frozenset()
    resource_names: tuple[str, ...] = ()
    label_selector: str = ""
    only_problem_nodes: bool = False
    nodes: bool = True
    holders: bool = True
    pending: bool = True
    page_size: int = 0
    page_token: str = ""
    consistent: bool = False

    def wants(self, resource: str) -> bool:
        """Whether a resource is to be counted."""
        return not self.resource_names or any(
            resource.startswith(name[:-1]) if name.endswith("*") else resource == name
            for name in self.resource_names
        )


@dataclass(frozen=True, slots=True)
class HolderRow:
    """An owner and what it holds; the part of it that was asked for."""

    owner: Owner
    holding: Holding


@dataclass(frozen=True, slots=True)
class Inventory:
    """An answer. All but the page of nodes is empty on later pages."""

    query: InventoryQuery
    page: Page[NodeRow]
    freshness: Freshness
    totals: list[DeviceTotals] = field(default_factory=list)
    instance_types: list[InstanceTypeTotals] = field(default_factory=list)
    holders: list[HolderRow] = field(default_factory=list)
    pending: list[PendingOwner] = field(default_factory=list)
    notes: tuple[str, ...] = ()


class _State:
    """What was made of one state of nodes and pods; rows live on while theirs does."""

    def __init__(self) -> None:
        self._mark: Hashable = None
        self._memory: dict[Hashable, Any] = {}
        self._rows: dict[str, NodeRow] = {}
        self._ordered: list[NodeRow] = []

    def rows(self, nodes: KindCache, usage: NodeUsage) -> list[NodeRow]:
        """All nodes in order of name."""
        position = nodes.position
        mark = (position.instance, position.number, usage.revision)
        if mark != self._mark:
            self._mark = mark
            self._memory.clear()
            rows = {}
            for item in nodes.store.items():
                name = item.key[1]
                load = usage.of(name)
                row = self._rows.get(name)
                if row is None or row.item is not item or row.revision != load.revision:
                    row = NodeRow(item, load)
                rows[name] = row
            self._rows = rows
            self._ordered = list(rows.values())
        return self._ordered

    def remembered(self, what: Hashable, compute: Callable[[], T]) -> T:
        """Computed once for the state that `rows` saw last."""
        if what not in self._memory:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            self._memory[what] = compute()
        found: T = self._memory[what]
        return found


class GpuInventory:
    """Counts devices from the caches of nodes and pods."""

    def __init__(self, connections: Connections, caches: ClusterCaches) -> None:
        self._connections = connections
        self._reads = CacheReads(caches)
        self._states: weakref.WeakKeyDictionary[NodeUsage, _State] = weakref.WeakKeyDictionary()

    async def get(self, query: InventoryQuery) -> Inventory:
        """The inventory, or a further page of its nodes."""
        connection = self._connections.get(query.cluster)
        selection = parse_selection(kinds.NODE, "", query.label_selector, "")
        pods, nodes = await self._reads.read_all(
            connection,
            (kinds.POD, EVERYTHING),
            (kinds.NODE, EVERYTHING),
            consistent=query.consistent,
        )
        usage = pods.watched.usage
        if usage is None:
            raise TypeError("only the cache of pods knows what they hold")
        pager: Pager[NodeRow] = Pager(
            fingerprint(
                "inventory", connection.name, connection.server, selection.identity(),
                sorted(query.instance_types), query.resource_names, query.only_problem_nodes,
            ),
            Order(),
            lambda row: row.item.decoded,
            lambda row: row.item.key,
        )  # fmt: skip
        state = self._states.setdefault(usage, _State())
        every = state.rows(nodes.cache, usage)
        rows = state.remembered(_key(query, selection), lambda: _chosen(every, query, selection))
        shown = [row for row in rows if row.problems] if query.only_problem_nodes else rows
        page: Page[NodeRow] = Page([], "", len(shown))
        if query.nodes:
            page = pager.page(shown, query.page_size, query.page_token)
        freshness = oldest(nodes.freshness(), pods.freshness())
        if query.page_token:
            return Inventory(query, page, freshness)
        totals, types = state.remembered(
            ("totals", _key(query, selection)), lambda: totals_of(rows, query.wants)
        )
        holders: list[HolderRow] = []
        if query.holders:
            everywhere = not query.instance_types and selection.everything
            holders = state.remembered(
                ("holders", _key(query, selection)),
                lambda: _holders(usage, None if everywhere else rows, query),
            )
        pending: list[PendingOwner] = []
        if query.pending:
            pending = state.remembered(
                ("pending", query.resource_names),
                lambda: pending_owners(usage.waiting, every, query.wants),
            )
        notes = (*usage_notes(pods.watched), *_notes(usage, holders, pending))
        return Inventory(query, page, freshness, totals, types, holders, pending, notes)


def _key(query: InventoryQuery, selection: Selection) -> Hashable:
    return query.instance_types, query.resource_names, selection.identity()


def _chosen(rows: list[NodeRow], query: InventoryQuery, selection: Selection) -> list[NodeRow]:
    """Nodes that have or should have devices of the wanted resources."""
    return [
        row
        for row in rows
        if row.relevant
        and (not query.instance_types or row.instance_type in query.instance_types)
        and selection.matches(row.item)
        and (not query.resource_names or any(query.wants(f.name) for f in row.figures))
    ]


def _holders(
    usage: NodeUsage, rows: list[NodeRow] | None, query: InventoryQuery
) -> list[HolderRow]:
    """Who holds wanted devices on the chosen nodes; most GPUs first, then most devices."""
    chosen = None if rows is None else {row.item.key[1] for row in rows}
    found = []
    for owner, holding in usage.holders.items():
        part = holding
        if chosen is not None or query.resource_names:
            part = _part(holding, chosen, query)
        if part.nodes:
            gpus = sum(amounts.get(GPU, 0) for amounts in part.nodes.values())
            devices = sum(sum(amounts.values()) for amounts in part.nodes.values())
            found.append((-gpus, -devices, owner, part))
    found.sort(key=lambda entry: entry[:3])
    return [HolderRow(owner, part) for _, _, owner, part in found]


def _part(holding: Holding, chosen: set[str] | None, query: InventoryQuery) -> Holding:
    part = Holding()
    part.pods = holding.pods
    for node, amounts in holding.nodes.items():
        if chosen is None or node in chosen:
            wanted = {name: amount for name, amount in amounts.items() if query.wants(name)}
            if wanted:
                part.nodes[node] = wanted
    return part


def _notes(
    usage: NodeUsage, holders: list[HolderRow], pending: list[PendingOwner]
) -> tuple[str, ...]:
    notes = [
        f"pod {namespace}/{name} cannot be read, its devices are not counted: {why}"
        for (namespace, name), why in sorted(usage.unplaced().items())
    ]
    for what, found in (("holders", holders), ("waiting", pending)):
        if len(found) > MOST_OWNERS:
            notes.append(f"{MOST_OWNERS} of {len(found)} {what} are told")
    return tuple(notes)
