"""Devices in use on each node, kept up to date pod by pod.

Used is what the unfinished pods bound to a node request, in all namespaces. A pod
whose request cannot be read makes its node's figure an error, never a smaller number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.common.errors import PodyardError
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item, ItemKey
from services.k8s_resource.domain.cache.kind_cache import MarkType
from services.k8s_resource.domain.objects.pods import Pod, device_requests


class NodeLoad:
    """What the pods of one node hold. `revision` grows with every change of it."""

    __slots__ = ("pods", "revision", "unreadable", "used")

    def __init__(self) -> None:
        self.used: dict[str, int] = {}
        self.pods = 0
        self.unreadable: dict[ItemKey, str] = {}
        self.revision = 0


IDLE = NodeLoad()
_Share = tuple[str, dict[str, int] | str]
"""A pod's node, and what it holds there; a text if that cannot be read."""


class NodeUsage:
    """A subscriber of the cache of pods."""

    def __init__(self, pods: Callable[[], Iterable[Item]]) -> None:
        """`pods` gives all present pods."""
        self._pods = pods
        self._shares: dict[ItemKey, _Share] = {}
        self._loads: dict[str, NodeLoad] = {}
        self._revisions = 0

    def of(self, node: str) -> NodeLoad:
        """What the pods bound to a node hold."""
        return self._loads.get(node, IDLE)

    def changed(self, change: Change) -> None:
        share = None if change.type is ChangeType.DELETED else _share(change.item.decoded)
        self._set(change.item.key, share)

    def marked(self, mark: MarkType, message: str) -> None:
        """The figures stay as they were."""

    def reloaded(self) -> None:
        self._shares.clear()
        self._loads.clear()
        for item in self._pods():
            self._set(item.key, _share(item.decoded))

    def ended(self, error: PodyardError) -> None:
        """Nothing to do: the cache is not read any more."""

    def _set(self, key: ItemKey, share: _Share | None) -> None:
        before = self._shares.get(key)
        if before == share:
            return
        if before is not None:
            self._count(key, before, -1)
        if share is None:
            self._shares.pop(key, None)
        else:
            self._shares[key] = share
            self._count(key, share, 1)

    def _count(self, key: ItemKey, share: _Share, sign: int) -> None:
        node, held = share
        load = self._loads.get(node)
        if load is None:
            load = self._loads[node] = NodeLoad()
        load.pods += sign
        if isinstance(held, str):
            if sign > 0:
                load.unreadable[key] = held
            else:
                load.unreadable.pop(key, None)
        else:
            for name, amount in held.items():
                left = load.used.get(name, 0) + sign * amount
                if left:
                    load.used[name] = left
                else:
                    load.used.pop(name, None)
        self._revisions += 1
        load.revision = self._revisions
        if not load.pods:
            del self._loads[node]


def _share(pod: Pod) -> _Share | None:
    """None for pods that hold nothing anywhere: not bound, or finished."""
    if not pod.spec.node_name or pod.finished:
        return None
    try:
        return pod.spec.node_name, device_requests(pod)
    except ValueError as error:
        return pod.spec.node_name, str(error)
