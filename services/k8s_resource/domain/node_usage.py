"""Devices in use on each node and who holds them, kept up to date pod by pod.

Used is what the unfinished pods bound to a node request, in all namespaces. A pod
whose request cannot be read makes its node's figure an error, never a smaller number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item, ItemKey
from services.k8s_resource.domain.cache.kind_cache import MarkType
from services.k8s_resource.domain.objects.pods import Pod, device_requests
from services.k8s_resource.domain.pod_owner import Owner, owner_of
from services.k8s_resource.domain.waiting_pods import Waiting, waiting_of


class NodeLoad:
    """What the pods of one node hold. `revision` grows with every change of it."""

    __slots__ = ("pods", "revision", "unreadable", "used")

    def __init__(self) -> None:
        self.used: dict[str, int] = {}
        self.pods = 0
        self.unreadable: dict[ItemKey, str] = {}
        self.revision = 0


IDLE = NodeLoad()


class Holding:
    """What one owner's pods hold, by node and resource. `encoded` is a front end's."""

    __slots__ = ("encoded", "nodes", "pods")

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, int]] = {}
        self.pods = 0
        self.encoded: bytes | None = None


class _Share(NamedTuple):
    """What a pod holds on its node; a text in place of amounts that cannot be read."""

    node: str
    held: dict[str, int] | str
    owner: Owner | None


class NodeUsage:
    """A subscriber of the cache of pods. `revision` grows with every change of any figure."""

    def __init__(self, pods: Callable[[], Iterable[Item]]) -> None:
        """`pods` gives all present pods."""
        self.revision = 0
        self.holders: dict[Owner, Holding] = {}
        self.waiting: dict[ItemKey, Waiting] = {}
        self._pods = pods
        self._shares: dict[ItemKey, _Share] = {}
        self._loads: dict[str, NodeLoad] = {}

    def of(self, node: str) -> NodeLoad:
        """What the pods bound to a node hold."""
        return self._loads.get(node, IDLE)

    def unplaced(self) -> dict[ItemKey, str]:
        """Pods of which not even the node can be read, and why."""
        return self.of("").unreadable

    def changed(self, change: Change) -> None:
        self._take(change.item, gone=change.type is ChangeType.DELETED)

    def marked(self, mark: MarkType, message: str) -> None:
        """The figures stay as they were."""

    def reloaded(self) -> None:
        self._shares.clear()
        self._loads.clear()
        self.holders.clear()
        self.waiting.clear()
        self.revision += 1
        for item in self._pods():
            self._take(item, gone=False)

    def ended(self, error: PodyardError) -> None:
        """Nothing to do: the cache is not read any more."""

    def _take(self, item: Item, *, gone: bool) -> None:
        key = item.key
        share = None if gone else _share(item)
        before = self._shares.get(key)
        if before != share:
            if before is not None:
                self._count(key, before, -1)
            if share is None:
                self._shares.pop(key, None)
            else:
                self._shares[key] = share
                self._count(key, share, 1)
        waiting = None if gone else waiting_of(item.decoded)
        if waiting != self.waiting.get(key):
            self.revision += 1
            if waiting is None:
                del self.waiting[key]
            else:
                self.waiting[key] = waiting

    def _count(self, key: ItemKey, share: _Share, sign: int) -> None:
        self.revision += 1
        load = self._loads.get(share.node)
        if load is None:
            load = self._loads[share.node] = NodeLoad()
        load.pods += sign
        load.revision = self.revision
        if isinstance(share.held, str):
            if sign > 0:
                load.unreadable[key] = share.held
            else:
                load.unreadable.pop(key, None)
        elif share.held:
            _add(load.used, share.held, sign)
            if share.owner is not None:
                self._hold(share.owner, share.node, share.held, sign)
        if not load.pods:
            del self._loads[share.node]

    def _hold(self, owner: Owner, node: str, held: dict[str, int], sign: int) -> None:
        holding = self.holders.get(owner)
        if holding is None:
            holding = self.holders[owner] = Holding()
        holding.encoded = None
        holding.pods += sign
        amounts = holding.nodes.setdefault(node, {})
        _add(amounts, held, sign)
        if not amounts:
            del holding.nodes[node]
        if not holding.pods:
            del self.holders[owner]


def _add(amounts: dict[str, int], more: dict[str, int], sign: int) -> None:
    for name, amount in more.items():
        left = amounts.get(name, 0) + sign * amount
        if left:
            amounts[name] = left
        else:
            amounts.pop(name, None)


def _share(item: Item) -> _Share | None:
    """None for pods that hold nothing anywhere: not bound, or finished."""
    pod: Pod = item.decoded
    node = pod.spec.node_name
    if pod.finished:
        return None
    if item.problem and not pod.spec.containers:
        return _Share(node, item.problem, None)
    if not node:
        return None
    try:
        held = device_requests(pod)
    except ValueError as error:
        return _Share(node, str(error), None)
    return _Share(node, held, owner_of(pod.metadata) if held else None)
