"""Who waits for devices, and how many are missing.

Which pods wait, since when and why is the scheduler's word. How many devices are
missing is found by giving what is free to the waiting pods, longest waiting first, on
nodes that they may use.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.k8s_resource.domain.cache.item import ItemKey
from services.k8s_resource.domain.inventory.rows import NodeRow, taints_of
from services.k8s_resource.domain.objects.placement import Placement
from services.k8s_resource.domain.pod_owner import Owner
from services.k8s_resource.domain.waiting_pods import Waiting


@dataclass(slots=True)
class Wanted:
    """Devices of one resource that waiting pods request, and how many of them are missing."""

    requested: int = 0
    missing: int = 0


@dataclass(slots=True)
class PendingOwner:
    """The waiting pods of one owner. `since` and `message` are of the one that waits longest."""

    owner: Owner
    since: str
    message: str
    eligible_nodes: int
    pods: list[str] = field(default_factory=list)
    devices: dict[str, Wanted] = field(default_factory=dict)


class Eligibility:
    """Which nodes a pod may use, by what it asks of them. Holds for one state of the nodes."""

    def __init__(self, rows: Iterable[NodeRow]) -> None:
        self._rows = [row for row in rows if not row.blocked and row.figures]
        self._allowed: dict[int, tuple[Placement, list[NodeRow]]] = {}

    def of(self, placement: Placement) -> list[NodeRow]:
        """The nodes that take new pods and that such a pod may use."""
        known = self._allowed.get(id(placement))
        if known is None:
            allowed = [row for row in self._rows if _allows(placement, row)]
            # The placement is held so that no other can have its id.
            known = self._allowed[id(placement)] = placement, allowed
        return known[1]


def pending_owners(
    waiting: Mapping[ItemKey, Waiting],
    rows: Sequence[NodeRow],
    wanted: Callable[[str], bool] = lambda _: True,
) -> list[PendingOwner]:
    """Owners of pods that wait for lack of wanted resources, longest waiting first."""
    eligibility = Eligibility(rows)
    room = _Room(eligibility)
    found: dict[Owner, PendingOwner] = {}
    for (_, pod), each in sorted(waiting.items(), key=lambda entry: (entry[1].since, entry[0])):
        missing, eligible = room.take(each)
        short = {
            name
            for name in each.requested
            if wanted(name) and (missing.get(name) or f"Insufficient {name}" in each.message)
        }
        if not short:
            continue
        owner = found.get(each.owner)
        if owner is None:
            owner = PendingOwner(each.owner, each.since, each.message, eligible)
            found[each.owner] = owner
        owner.pods.append(pod)
        owner.eligible_nodes = max(owner.eligible_nodes, eligible)
        for name, amount in each.requested.items():
            if wanted(name):
                devices = owner.devices.setdefault(name, Wanted())
                devices.requested += amount
                devices.missing += missing.get(name, 0)
    return list(found.values())


class _Room:
    """Free devices, given away pod by pod.

    For each kind of pod a heap of nodes by how much is short on them. What others take
    makes that only more, so an entry is a lower bound, put right when it comes up.
    """

    def __init__(self, eligibility: Eligibility) -> None:
        self._eligibility = eligibility
        self._free: dict[str, dict[str, int]] = {}
        self._queues: dict[tuple[int, tuple[tuple[str, int], ...]], _Queue] = {}

    def take(self, pod: Waiting) -> tuple[dict[str, int], int]:
        """What is missing for a pod where least is, which it is then given; and how many nodes
        could hold it at all."""
        kind = (id(pod.placement), tuple(sorted(pod.requested.items())))
        queue = self._queues.get(kind)
        if queue is None:
            queue = self._queues[kind] = self._queue(pod)
        while queue.heap:
            short, index = queue.heap[0]
            free = self._free_of(queue.nodes[index])
            present = _short(free, pod.requested)
            if present == queue.whole:
                heapq.heappop(queue.heap)
            elif present > short:
                heapq.heapreplace(queue.heap, (present, index))
            else:
                return _taken(free, pod.requested), len(queue.nodes)
        return dict(pod.requested), len(queue.nodes)

    def _queue(self, pod: Waiting) -> _Queue:
        nodes = [
            row for row in self._eligibility.of(pod.placement) if row.could_hold(pod.requested)
        ]
        heap = [
            (_short(self._free_of(row), pod.requested), index) for index, row in enumerate(nodes)
        ]
        heapq.heapify(heap)
        return _Queue(nodes, heap, sum(pod.requested.values()))

    def _free_of(self, row: NodeRow) -> dict[str, int]:
        name = row.item.key[1]
        free = self._free.get(name)
        if free is None:
            free = self._free[name] = dict(row.free)
        return free


@dataclass(slots=True)
class _Queue:
    nodes: list[NodeRow]
    heap: list[tuple[int, int]]
    whole: int


def _allows(placement: Placement, row: NodeRow) -> bool:
    node = row.item.decoded
    return placement.allows(node.metadata.name, node.metadata.labels, taints_of(node))


def _short(free: dict[str, int], requested: dict[str, int]) -> int:
    return sum(max(0, amount - free.get(name, 0)) for name, amount in requested.items())


def _taken(free: dict[str, int], requested: dict[str, int]) -> dict[str, int]:
    missing = {}
    for name, amount in requested.items():
        present = free.get(name, 0)
        if present < amount:
            missing[name] = amount - present
        free[name] = max(0, present - amount)
    return missing
