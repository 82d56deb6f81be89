"""One node in the inventory: its devices, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.node_devices import Devices, node_devices
from services.k8s_resource.domain.node_usage import IDLE, NodeLoad
from services.k8s_resource.domain.objects.nodes import (
    DEEP_HEALTH_LABEL,
    HEALTH_LABEL,
    INSTANCE_TYPE_LABEL,
    Node,
)
from services.k8s_resource.domain.objects.placement import KEEPS_AWAY, Taint
from services.k8s_resource.domain.objects.pods import GPU
from services.k8s_resource.domain.quantity import whole_devices

_CORDON = "node.kubernetes.io/unschedulable"
_HEALTH_TAINT_DOMAINS = (
    "node.kubernetes.io",
    "node.cloudprovider.kubernetes.io",
    "sagemaker.amazonaws.com",
    "node-problem-detector",
)
"""Who taints nodes for their state. Other taints reserve a node for some pods, as
nvidia.com/gpu does for those that use GPUs, and leave it usable."""
_LEAVING_TAINTS = ("ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted")
_GPU_COUNT_LABEL = "nvidia.com/gpu.count"


class ProblemType(Enum):
    """What may be wrong with a node; the value tells whether it keeps new pods away."""

    CORDONED = "cordoned", True
    NOT_READY = "not ready", True
    UNHEALTHY = "unhealthy", True
    TAINTED = "tainted", True
    NO_POD_SLOTS = "no pod slots", True
    DEVICES_UNHEALTHY = "devices unhealthy", False
    DEVICES_MISSING = "devices missing", False
    UNREADABLE = "unreadable", False
    DEEP_HEALTH_CHECK = "deep health check", False

    @property
    def blocking(self) -> bool:
        """Whether new pods are kept from the node."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a node."""

    type: ProblemType
    message: str


@dataclass(frozen=True, slots=True)
class Figures:
    """`Devices` of a node, the free ones told apart by whether pods can get them."""

    devices: Devices
    free: int
    unschedulable: int

    @property
    def name(self) -> str:
        """The resource."""
        return self.devices.name


class NodeRow:
    """A node with figures for one version of it and one revision of its load.

    `encoded` is what a front end made of the whole of it.
    """

    __slots__ = ("blocked", "encoded", "figures", "free", "instance_type", "item", "pods",
                 "problems", "revision")  # fmt: skip

    def __init__(self, item: Item, load: NodeLoad | None) -> None:
        """Without a load, where pods may not be read, nothing is said of what it holds."""
        node: Node = item.decoded
        load = load or IDLE
        _, devices = node_devices(node, load, item.problem)
        self.item = item
        self.revision = load.revision
        self.pods = load.pods
        self.instance_type = (node.metadata.labels or {}).get(INSTANCE_TYPE_LABEL, "")
        self.problems = tuple(_problems(node, load, devices))
        self.blocked = any(problem.type.blocking for problem in self.problems)
        self.figures = tuple(
            Figures(d, 0 if self.blocked else d.available, d.available if self.blocked else 0)
            for d in devices
        )
        self.free = {f.name: f.free for f in self.figures if f.free}
        self.encoded: bytes | None = None

    @property
    def relevant(self) -> bool:
        """Whether the node has or should have devices."""
        return bool(self.figures) or any(
            problem.type in (ProblemType.DEVICES_MISSING, ProblemType.UNREADABLE)
            for problem in self.problems
        )

    def could_hold(self, requested: dict[str, int]) -> bool:
        """Whether so much would fit, were nothing of it held."""
        allocatable = {f.name: f.devices.allocatable for f in self.figures}
        return all(allocatable.get(name, 0) >= amount for name, amount in requested.items())


def taints_of(node: Node) -> list[Taint]:
    """The taints that keep pods away."""
    return [taint for taint in node.spec.taints or () if taint.effect in KEEPS_AWAY]


def _problems(node: Node, load: NodeLoad, devices: list[Devices]) -> Iterator[Problem]:
    labels = node.metadata.labels or {}
    if node.spec.unschedulable:
        yield Problem(ProblemType.CORDONED, "it is cordoned (spec.unschedulable)")
    if not node.ready:
        yield Problem(ProblemType.NOT_READY, _why_not_ready(node))
    health = labels.get(HEALTH_LABEL, "")
    if health not in ("", "Schedulable"):
        yield Problem(ProblemType.UNHEALTHY, f"HyperPod says {health}")
    for taint in taints_of(node):
        if taint.key != _CORDON and _is_about_health(taint):
            yield Problem(ProblemType.TAINTED, f"taint {taint}")
    slots = _pod_slots(node)
    if slots is not None and load.pods >= slots:
        yield Problem(ProblemType.NO_POD_SLOTS, f"{load.pods} of {slots} pods run on it")
    for each in devices:
        if each.error:
            yield Problem(ProblemType.UNREADABLE, each.error)
        elif each.allocatable < each.capacity:
            broken = each.capacity - each.allocatable
            yield Problem(
                ProblemType.DEVICES_UNHEALTHY,
                f"{broken} of {each.capacity} {each.name} may not be used",
            )
    yield from _missing_devices(labels, devices)
    deep = labels.get(DEEP_HEALTH_LABEL, "")
    if deep not in ("", "Passed"):
        yield Problem(ProblemType.DEEP_HEALTH_CHECK, f"deep health check: {deep}")


def _missing_devices(labels: dict[str, str], devices: list[Devices]) -> Iterator[Problem]:
    """GPUs divided by MIG or time-slicing count otherwise, so only fewer than labelled is wrong,
    and only where there are no partitions."""
    count = labels.get(_GPU_COUNT_LABEL, "")
    if not (count.isascii() and count.isdecimal()):
        return
    present = [d for d in devices if d.name.startswith("nvidia.com/")]
    if any(d.error or (d.name != GPU and d.capacity) for d in present):
        return
    found = sum(d.capacity for d in present)
    if found < int(count):
        yield Problem(
            ProblemType.DEVICES_MISSING,
            f"its label {_GPU_COUNT_LABEL} says {count} GPUs, it offers {found}: "
            "look after its device plugin",
        )


def _is_about_health(taint: Taint) -> bool:
    return taint.key.partition("/")[0] in _HEALTH_TAINT_DOMAINS or taint.key in _LEAVING_TAINTS


def _why_not_ready(node: Node) -> str:
    for condition in node.status.conditions or ():
        if condition.type == "Ready":
            return condition.message or condition.reason or f"Ready is {condition.status}"
    return "its kubelet has not reported yet"


def _pod_slots(node: Node) -> int | None:
    try:
        return whole_devices((node.status.allocatable or {})["pods"])
    except (KeyError, ValueError):
        return None
