"""What is read of each kind, and by which fields its objects are chosen and ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.k8s_resource.domain import resources
from services.k8s_resource.domain.objects.metadata import MetadataOnly
from services.k8s_resource.domain.objects.nodes import INSTANCE_TYPE_LABEL, Node
from services.k8s_resource.domain.objects.pods import Pod
from services.k8s_resource.domain.objects.training_jobs import TrainingJob
from services.k8s_resource.domain.objects.workloads import Deployment, PersistentVolume, Service
from services.k8s_resource.domain.resources import Resource
from services.k8s_resource.domain.selectors.fields import FieldReader

SortValue = str | int | float
SortReader = Callable[[Any], SortValue]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind as it is cached. `object_type` is the Struct that its objects are decoded to."""

    resource: Resource
    object_type: type[msgspec.Struct]
    fields: Mapping[str, FieldReader] = field(default_factory=dict)
    orders: Mapping[str, SortReader] = field(default_factory=dict)
    metadata_only: bool = False


def _label(name: str) -> SortReader:
    return lambda o: (o.metadata.labels or {}).get(name, "")


def _restarts(pod: Pod) -> int:
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    return sum(status.restart_count for status in statuses)


_NAME_FIELDS: dict[str, FieldReader] = {"metadata.name": lambda o: str(o.metadata.name)}
_NAMESPACED_FIELDS: dict[str, FieldReader] = {
    **_NAME_FIELDS,
    "metadata.namespace": lambda o: str(o.metadata.namespace),
}
_NAME_ORDERS: dict[str, SortReader] = {
    "name": lambda o: str(o.metadata.name),
    "create_time": lambda o: o.metadata.creation_timestamp or "",
}
_NAMESPACED_ORDERS: dict[str, SortReader] = {
    **_NAME_ORDERS,
    "namespace": lambda o: str(o.metadata.namespace),
}

POD = Kind(
    resources.POD,
    Pod,
    {
        **_NAMESPACED_FIELDS,
        "spec.nodeName": lambda o: str(o.spec.node_name),
        "spec.restartPolicy": lambda o: str(o.spec.restart_policy),
        "spec.schedulerName": lambda o: str(o.spec.scheduler_name),
        "spec.serviceAccountName": lambda o: str(o.spec.service_account_name),
        "status.phase": lambda o: str(o.status.phase),
        "status.podIP": lambda o: str(o.status.pod_ip),
        "status.nominatedNodeName": lambda o: str(o.status.nominated_node_name),
    },
    {
        **_NAMESPACED_ORDERS,
        "node_name": lambda o: str(o.spec.node_name),
        "phase": lambda o: str(o.status.phase),
        "restart_count": _restarts,
    },
)
NODE = Kind(
    resources.NODE,
    Node,
    {
        **_NAME_FIELDS,
        "spec.unschedulable": lambda o: "true" if o.spec.unschedulable else "false",
    },
    {
        **_NAME_ORDERS,
        "instance_type": _label(INSTANCE_TYPE_LABEL),
        "ready": lambda o: int(o.ready),
    },
)
SERVICE = Kind(
    resources.SERVICE,
    Service,
    {
        **_NAMESPACED_FIELDS,
        "spec.type": lambda o: str(o.spec.type),
        "spec.clusterIP": lambda o: str(o.spec.cluster_ip),
    },
    {**_NAMESPACED_ORDERS, "type": lambda o: str(o.spec.type)},
)
DEPLOYMENT = Kind(
    resources.DEPLOYMENT,
    Deployment,
    _NAMESPACED_FIELDS,
    {
        **_NAMESPACED_ORDERS,
        "replicas": lambda o: int(o.replicas),
        "ready_replicas": lambda o: int(o.status.ready_replicas),
    },
)
PERSISTENT_VOLUME = Kind(
    resources.PERSISTENT_VOLUME,
    PersistentVolume,
    {
        **_NAME_FIELDS,
        "spec.storageClassName": lambda o: str(o.spec.storage_class),
        "status.phase": lambda o: str(o.status.phase),
    },
    {**_NAME_ORDERS, "phase": lambda o: str(o.status.phase)},
)
TRAINING_JOBS = tuple(
    Kind(
        resource,
        TrainingJob,
        _NAMESPACED_FIELDS,
        {
            **_NAMESPACED_ORDERS,
            "state": lambda o: str(o.state()),
            "queue": lambda o: str(o.queue()),
            "start_time": lambda o: o.status.start_time or "",
            "completion_time": lambda o: o.status.completion_time or "",
        },
    )
    for resource in resources.TRAINING_JOBS
)

_TYPED = {
    kind.resource: kind
    for kind in (POD, NODE, SERVICE, DEPLOYMENT, PERSISTENT_VOLUME, *TRAINING_JOBS)
}


def kind_of(resource: Resource) -> Kind:
    """The typed kind of a resource; for others one of which only metadata is read."""
    typed = _TYPED.get(resource)
    if typed is not None:
        return typed
    fields = _NAMESPACED_FIELDS if resource.namespaced else _NAME_FIELDS
    orders = _NAMESPACED_ORDERS if resource.namespaced else _NAME_ORDERS
    return Kind(resource, MetadataOnly, fields, orders, metadata_only=True)


NAMESPACE = kind_of(resources.NAMESPACE)
DEFINITION = kind_of(resources.DEFINITION)
