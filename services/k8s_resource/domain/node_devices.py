"""The devices of a node: what it has, what pods may use, what they do use."""

from __future__ import annotations

from dataclasses import dataclass

from services.k8s_resource.domain.node_usage import NodeLoad
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.objects.pods import GPU, is_extended
from services.k8s_resource.domain.quantity import whole_devices


@dataclass(frozen=True, slots=True)
class Devices:
    """Amounts of one extended resource on one node; all 0 when there is an `error`."""

    name: str
    capacity: int = 0
    allocatable: int = 0
    used: int = 0
    error: str = ""

    @property
    def available(self) -> int:
        """max(0, allocatable - used)."""
        return max(0, self.allocatable - self.used)


def node_devices(node: Node, load: NodeLoad, problem: str = "") -> tuple[Devices, list[Devices]]:
    """The node's GPUs, and all of its extended resources by name.

    `problem` is why a part of the node could not be read; with the amounts in it, none is known.
    """
    if problem and (node.status.capacity is None or node.status.allocatable is None):
        unknown = Devices(GPU, error=f"the node cannot be read: {problem}")
        return unknown, [unknown]
    capacity = node.status.capacity or {}
    allocatable = node.status.allocatable or {}
    names = sorted(
        {name for name in (*capacity, *allocatable) if is_extended(name)} | load.used.keys()
    )
    devices = [_devices(name, node, load) for name in names]
    gpus = next((d for d in devices if d.name == GPU), None) or _devices(GPU, node, load)
    return gpus, devices


def _devices(name: str, node: Node, load: NodeLoad) -> Devices:
    try:
        capacity = whole_devices((node.status.capacity or {}).get(name, 0))
        allocatable = whole_devices((node.status.allocatable or {}).get(name, 0))
    except ValueError as error:
        return Devices(name, error=f"the node's {name} cannot be read: {error}")
    if load.unreadable:
        (namespace, pod), why = min(load.unreadable.items())
        return Devices(name, error=f"the requests of pod {namespace}/{pod} cannot be read: {why}")
    return Devices(name, capacity, allocatable, load.used.get(name, 0))
