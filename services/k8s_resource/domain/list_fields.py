"""Named values of objects, by which lists are ordered, filtered and counted.

Names are those of the summaries' fields, so that whoever reads a list knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.k8s_resource.domain.objects.events import Event
from services.k8s_resource.domain.objects.nodes import (
    HEALTH_LABEL,
    INSTANCE_TYPE_LABEL,
    ZONE_LABEL,
    Node,
)
from services.k8s_resource.domain.objects.pod_display import display_status
from services.k8s_resource.domain.objects.pods import GPU, Pod, device_requests
from services.k8s_resource.domain.objects.workloads import Deployment
from services.k8s_resource.domain.quantity import whole_devices

SortValue = str | int | float
SortReader = Callable[[Any], SortValue]
CountReader = Callable[[Any], str]
FilterReader = Callable[[Any], Iterator[str]]
"""The values of an object, one of which must be wanted."""

POD_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
VOLUME_PHASES = ("Available", "Bound", "Released", "Failed", "Pending")
NAMESPACE_PHASES = ("Active", "Terminating")


def _label(name: str) -> Callable[[Any], str]:
    return lambda o: (o.metadata.labels or {}).get(name, "")


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _only(read: Callable[[Any], str]) -> FilterReader:
    """A filter by a value of which every object has one."""

    def values(decoded: Any) -> Iterator[str]:
        yield read(decoded)

    return values


def restarts(pod: Pod) -> int:
    """Restarts of all containers together."""
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    return sum(status.restart_count for status in statuses)


def requested_gpus(pod: Pod) -> int:
    """0 for a request that cannot be read; the node's inventory tells the error."""
    try:
        return device_requests(pod).get(GPU, 0)
    except ValueError:
        return 0


def pod_reasons(pod: Pod) -> Iterator[str]:
    """Every word that says why a pod is as it is."""
    yield display_status(pod)
    yield pod.status.reason
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status != "True":
        yield scheduled.reason or ""
    for statuses in (pod.status.init_container_statuses, pod.status.container_statuses):
        for status in statuses or ():
            for state in (status.state, status.last_state):
                if state is not None and state.waiting is not None:
                    yield state.waiting.reason
                if state is not None and state.terminated is not None:
                    yield state.terminated.reason


def _owner(pod: Pod) -> str:
    owner = pod.metadata.controller()
    return f"{owner.kind}/{owner.name}" if owner is not None else ""


def allocatable_gpus(node: Node) -> int:
    """0 for a figure that cannot be read; the node's inventory tells the error."""
    try:
        return whole_devices((node.status.allocatable or {}).get(GPU, 0))
    except ValueError:
        return 0


def _fully_ready(deployment: Deployment) -> bool:
    return deployment.status.ready_replicas >= deployment.replicas


def _involved_kind(event: Event) -> str:
    return event.involved_object.kind


def _involved_type(event: Event) -> str:
    """ "Deployment.apps"; the kind alone where the reporter left out the group."""
    about = event.involved_object
    if not about.api_version:
        return about.kind
    return f"{about.kind}.{about.api_version.rpartition('/')[0]}"


_phase: Callable[[Any], str] = lambda o: str(o.status.phase)  # noqa: E731
_namespace: Callable[[Any], str] = lambda o: str(o.metadata.namespace)  # noqa: E731

ORDERS: Mapping[str, SortReader] = {
    "name": lambda o: str(o.metadata.name),
    "create_time": lambda o: o.metadata.creation_timestamp or "",
}
NAMESPACED_ORDERS: Mapping[str, SortReader] = {**ORDERS, "namespace": _namespace}
NAMESPACED_COUNTS: Mapping[str, CountReader] = {"namespace": _namespace}

POD_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "node_name": lambda o: str(o.spec.node_name),
    "phase": _phase,
    "display_status": display_status,
    "ready": lambda o: int(o.is_true("Ready")),
    "restart_count": restarts,
    "gpu_request": requested_gpus,
    "owner": _owner,
}
POD_COUNTS: Mapping[str, CountReader] = {
    **NAMESPACED_COUNTS,
    "phase": _phase,
    "display_status": display_status,
    "node_name": lambda o: str(o.spec.node_name),
    "owner": _owner,
}
POD_FILTERS: Mapping[str, FilterReader] = {
    "phases": _only(_phase),
    "node_names": _only(lambda o: str(o.spec.node_name)),
    "reasons": pod_reasons,
    "gpu_only": _only(lambda o: _yes(requested_gpus(o) > 0)),
}

NODE_ORDERS: Mapping[str, SortReader] = {
    **ORDERS,
    "instance_type": _label(INSTANCE_TYPE_LABEL),
    "zone": _label(ZONE_LABEL),
    "health_status": _label(HEALTH_LABEL),
    "ready": lambda o: int(o.ready),
    "schedulable": lambda o: int(not o.spec.unschedulable),
    "gpu": allocatable_gpus,
}
NODE_COUNTS: Mapping[str, CountReader] = {
    "instance_type": _label(INSTANCE_TYPE_LABEL),
    "zone": _label(ZONE_LABEL),
    "health_status": _label(HEALTH_LABEL),
    "ready": lambda o: _yes(o.ready),
    "schedulable": lambda o: _yes(not o.spec.unschedulable),
}
NODE_FILTERS: Mapping[str, FilterReader] = {
    "ready": _only(NODE_COUNTS["ready"]),
    "schedulable": _only(NODE_COUNTS["schedulable"]),
    "instance_types": _only(NODE_COUNTS["instance_type"]),
    "health_statuses": _only(NODE_COUNTS["health_status"]),
}

SERVICE_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "type": lambda o: str(o.spec.type),
}
SERVICE_COUNTS: Mapping[str, CountReader] = {
    **NAMESPACED_COUNTS,
    "type": lambda o: str(o.spec.type),
}

DEPLOYMENT_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "replicas": lambda o: int(o.replicas),
    "ready_replicas": lambda o: int(o.status.ready_replicas),
    "ready": lambda o: int(_fully_ready(o)),
}
DEPLOYMENT_COUNTS: Mapping[str, CountReader] = {
    **NAMESPACED_COUNTS,
    "ready": lambda o: _yes(_fully_ready(o)),
}

VOLUME_ORDERS: Mapping[str, SortReader] = {
    **ORDERS,
    "phase": _phase,
    "storage_class": lambda o: str(o.spec.storage_class),
}
VOLUME_COUNTS: Mapping[str, CountReader] = {
    "phase": _phase,
    "storage_class": lambda o: str(o.spec.storage_class),
    "csi_driver": lambda o: str(o.spec.csi.driver) if o.spec.csi else "",
}
PHASE_FILTERS: Mapping[str, FilterReader] = {"phases": _only(_phase)}

NAMESPACE_ORDERS: Mapping[str, SortReader] = {**ORDERS, "phase": _phase}
NAMESPACE_COUNTS: Mapping[str, CountReader] = {"phase": _phase}

JOB_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "state": lambda o: str(o.state()),
    "queue": lambda o: str(o.queue()),
    "start_time": lambda o: o.status.start_time or "",
    "completion_time": lambda o: o.status.completion_time or "",
}
JOB_COUNTS: Mapping[str, CountReader] = {
    **NAMESPACED_COUNTS,
    "state": lambda o: str(o.state()),
    "queue": lambda o: str(o.queue()),
}
JOB_FILTERS: Mapping[str, FilterReader] = {
    "states": _only(JOB_COUNTS["state"]),
    "queues": _only(JOB_COUNTS["queue"]),
}

EVENT_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "last_seen_time": lambda o: str(o.last_seen),
    "first_seen_time": lambda o: str(o.first_seen),
    "count": lambda o: int(o.count),
    "type": lambda o: str(o.type),
    "reason": lambda o: str(o.reason),
    "involved_kind": _involved_kind,
    "involved_name": lambda o: str(o.involved_object.name),
    "source": lambda o: str(o.reporter),
}
EVENT_COUNTS: Mapping[str, CountReader] = {
    **NAMESPACED_COUNTS,
    "type": lambda o: str(o.type),
    "reason": lambda o: str(o.reason),
    "involved_kind": _involved_kind,
    "involved_name": lambda o: str(o.involved_object.name),
    "source": lambda o: str(o.reporter),
}
EVENT_FILTERS: Mapping[str, FilterReader] = {
    "types": _only(EVENT_COUNTS["type"]),
    "reasons": _only(EVENT_COUNTS["reason"]),
    "involved_object.kind": _only(_involved_type),
    "involved_object.namespace": _only(lambda o: str(o.involved_object.namespace)),
    "involved_object.name": _only(EVENT_COUNTS["involved_name"]),
    "involved_object.uid": _only(lambda o: str(o.involved_object.uid)),
}
QUEUE_ORDERS: Mapping[str, SortReader] = {
    **NAMESPACED_ORDERS,
    "pending_workloads": lambda o: int(o.status.pending),
    "admitted_workloads": lambda o: int(o.status.admitted),
}
