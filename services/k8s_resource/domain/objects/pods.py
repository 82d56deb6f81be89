"""Pods: what is read of them, their status in words, and the devices they request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

import msgspec

from services.k8s_resource.domain.objects.metadata import PodMeta
from services.k8s_resource.domain.objects.placement import Affinity, Toleration
from services.k8s_resource.domain.quantity import whole_devices

GPU = "nvidia.com/gpu"
TERMINAL_PHASES = ("Succeeded", "Failed")
Quantities = dict[str, object]
"""As sent; what is no quantity is found when it is read, so that it spoils nothing else."""


class Resources(msgspec.Struct, gc=False):
    """Requests and limits of a container."""

    requests: Quantities | None = None
    limits: Quantities | None = None


class Container(msgspec.Struct, gc=False):
    """A container as specified."""

    name: str = ""
    image: str = ""
    resources: Resources | None = None
    restart_policy: str | None = msgspec.field(default=None, name="restartPolicy")

    def __post_init__(self) -> None:
        self.name = intern(self.name)
        self.image = intern(self.image)

    @property
    def restartable(self) -> bool:
        """Whether, as an init container, it is a sidecar that runs on beside the others."""
        return self.restart_policy == "Always"


class Waiting(msgspec.Struct, gc=False):
    """A container that waits."""

    reason: str = ""


class Terminated(msgspec.Struct, gc=False):
    """A container that has ended."""

    exit_code: int = msgspec.field(default=0, name="exitCode")
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = msgspec.field(default=None, name="startedAt")
    finished_at: str | None = msgspec.field(default=None, name="finishedAt")


class Running(msgspec.Struct, gc=False):
    """A container that runs."""

    started_at: str | None = msgspec.field(default=None, name="startedAt")


class ContainerState(msgspec.Struct, gc=False):
    """One of the three is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """A container as it stands."""

    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = msgspec.field(default=0, name="restartCount")
    state: ContainerState | None = None
    last_state: ContainerState | None = msgspec.field(default=None, name="lastState")


class PodSpec(msgspec.Struct, gc=False):
    """spec."""

    node_name: str = msgspec.field(default="", name="nodeName")
    containers: list[Container] = []
    init_containers: list[Container] | None = msgspec.field(default=None, name="initContainers")
    ephemeral_containers: list[Container] | None = msgspec.field(
        default=None, name="ephemeralContainers"
    )
    overhead: Quantities | None = None
    restart_policy: str = msgspec.field(default="", name="restartPolicy")
    scheduler_name: str = msgspec.field(default="", name="schedulerName")
    service_account_name: str = msgspec.field(default="", name="serviceAccountName")
    host_network: bool = msgspec.field(default=False, name="hostNetwork")
    # Where an unbound pod may go; for a bound one nobody asks.
    node_selector: dict[str, str] | None = msgspec.field(default=None, name="nodeSelector")
    tolerations: list[Toleration] | None = None
    affinity: Affinity | None = None

    def __post_init__(self) -> None:
        if self.node_name:
            self.node_selector = self.tolerations = self.affinity = None
        # Thousands of pods share these few texts; kept once they save a fifth of the memory.
        self.node_name = intern(self.node_name)
        self.restart_policy = intern(self.restart_policy)
        self.scheduler_name = intern(self.scheduler_name)
        self.service_account_name = intern(self.service_account_name)


class PodCondition(msgspec.Struct, gc=False):
    """A condition; its message and time only where a pod is not scheduled."""

    type: str = ""
    status: str = ""
    reason: str | None = ""
    message: str | None = ""
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")

    def __post_init__(self) -> None:
        if self.type != "PodScheduled" or self.status != "False":
            self.message = ""
            self.last_transition_time = None
        self.type = intern(self.type)
        self.status = intern(self.status)
        self.reason = intern(self.reason or "")


class PodStatus(msgspec.Struct, gc=False):
    """status."""

    phase: str = ""
    reason: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    nominated_node_name: str = msgspec.field(default="", name="nominatedNodeName")
    conditions: list[PodCondition] | None = None
    container_statuses: list[ContainerStatus] | None = msgspec.field(
        default=None, name="containerStatuses"
    )
    init_container_statuses: list[ContainerStatus] | None = msgspec.field(
        default=None, name="initContainerStatuses"
    )
    ephemeral_container_statuses: list[ContainerStatus] | None = msgspec.field(
        default=None, name="ephemeralContainerStatuses"
    )


class Pod(msgspec.Struct, gc=False):
    """A pod."""

    metadata: PodMeta = msgspec.field(default_factory=PodMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def finished(self) -> bool:
        """Whether it has ended and uses nothing any more."""
        return self.status.phase in TERMINAL_PHASES

    def condition(self, kind: str) -> PodCondition | None:
        """The condition of that type."""
        for condition in self.status.conditions or ():
            if condition.type == kind:
                return condition
        return None

    def is_true(self, kind: str) -> bool:
        """Whether the condition of that type is True."""
        condition = self.condition(kind)
        return condition is not None and condition.status == "True"


def is_extended(resource: str) -> bool:
    """Whether a resource is an extended one: named by a domain that is not Kubernetes' own."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def device_requests(pod: Pod) -> dict[str, int]:
    """Devices that a pod holds while it is bound, by extended resource.

    As the scheduler counts (k8s.io/component-helpers `PodRequests`): the containers and
    sidecars together, or the largest init container with the sidecars started before it,
    whichever is more; and the pod's overhead. ValueError for an unreadable quantity.
    """
    if not _mentions_extended(pod.spec):
        return {}
    total = _sum(_requests(container) for container in pod.spec.containers)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in pod.spec.init_containers or ():
        needed = _requests(container)
        if container.restartable:
            total = _sum((total, needed))
            sidecars = needed = _sum((sidecars, needed))
        else:
            needed = _sum((needed, sidecars))
        peak = {name: max(peak.get(name, 0), needed.get(name, 0)) for name in {*peak, *needed}}
    total = {name: max(total.get(name, 0), peak.get(name, 0)) for name in {*total, *peak}}
    total = _sum((total, _extended(pod.spec.overhead or {})))
    return {name: amount for name, amount in total.items() if amount}


def _mentions_extended(spec: PodSpec) -> bool:
    """Most pods request no devices; this finds that out without making anything."""
    for containers in (spec.containers, spec.init_containers or ()):
        for container in containers:
            resources = container.resources
            if resources is None:
                continue
            for quantities in (resources.requests, resources.limits):
                if quantities and any("/" in name for name in quantities):
                    return True
    return bool(spec.overhead) and any("/" in name for name in spec.overhead or ())


def _requests(container: Container) -> dict[str, int]:
    """What a container requests; a limit alone is also a request (API defaulting)."""
    if container.resources is None:
        return {}
    return _extended({**(container.resources.limits or {}), **(container.resources.requests or {})})


def _extended(quantities: Mapping[str, object]) -> dict[str, int]:
    found = {}
    for name, quantity in quantities.items():
        if is_extended(name):
            try:
                found[name] = whole_devices(quantity)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return found


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total
