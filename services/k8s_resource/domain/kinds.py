"""What is read of each kind, and by which fields its objects are chosen and ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from services.k8s_resource.domain import list_fields, resources
from services.k8s_resource.domain.list_fields import CountReader, FilterReader, SortReader
from services.k8s_resource.domain.objects.events import Event
from services.k8s_resource.domain.objects.kueue import Queue, Workload
from services.k8s_resource.domain.objects.metadata import MetadataOnly
from services.k8s_resource.domain.objects.namespaces import Namespace
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.objects.pods import Pod
from services.k8s_resource.domain.objects.training_jobs import TrainingJob
from services.k8s_resource.domain.objects.workloads import Deployment, PersistentVolume, Service
from services.k8s_resource.domain.resources import Resource
from services.k8s_resource.domain.selectors.fields import FieldReader


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind as it is cached. `object_type` is the Struct that its objects are decoded to.

    `fields` are those of the API server's own field selectors. `choices` are the only values
    that a filter can have.
    """

    resource: Resource
    object_type: type[msgspec.Struct]
    fields: Mapping[str, FieldReader] = field(default_factory=dict)
    orders: Mapping[str, SortReader] = field(default_factory=dict)
    counts: Mapping[str, CountReader] = field(default_factory=dict)
    filters: Mapping[str, FilterReader] = field(default_factory=dict)
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    metadata_only: bool = False


_NAME_FIELDS: dict[str, FieldReader] = {"metadata.name": lambda o: str(o.metadata.name)}
_NAMESPACED_FIELDS: dict[str, FieldReader] = {
    **_NAME_FIELDS,
    "metadata.namespace": lambda o: str(o.metadata.namespace),
}
POD = Kind(
    resources.POD,
    Pod,
    {
        **_NAMESPACED_FIELDS,
        "spec.nodeName": lambda o: str(o.spec.node_name),
        # What the oldest clients of v1 call it.
        "spec.host": lambda o: str(o.spec.node_name),
        "spec.restartPolicy": lambda o: str(o.spec.restart_policy),
        "spec.schedulerName": lambda o: str(o.spec.scheduler_name),
        "spec.serviceAccountName": lambda o: str(o.spec.service_account_name),
        "spec.hostNetwork": lambda o: "true" if o.spec.host_network else "false",
        "status.phase": lambda o: str(o.status.phase),
        "status.podIP": lambda o: str(o.status.pod_ip),
        # The API server takes it and finds it empty in every pod.
        "status.podIPs": lambda _: "",
        "status.nominatedNodeName": lambda o: str(o.status.nominated_node_name),
    },
    list_fields.POD_ORDERS,
    list_fields.POD_COUNTS,
    list_fields.POD_FILTERS,
    {"phases": list_fields.POD_PHASES},
)
NODE = Kind(
    resources.NODE,
    Node,
    {
        **_NAME_FIELDS,
        "spec.unschedulable": lambda o: "true" if o.spec.unschedulable else "false",
    },
    list_fields.NODE_ORDERS,
    list_fields.NODE_COUNTS,
    list_fields.NODE_FILTERS,
)
SERVICE = Kind(
    resources.SERVICE,
    Service,
    {
        **_NAMESPACED_FIELDS,
        "spec.type": lambda o: str(o.spec.type),
        "spec.clusterIP": lambda o: str(o.spec.cluster_ip),
    },
    list_fields.SERVICE_ORDERS,
    list_fields.SERVICE_COUNTS,
)
DEPLOYMENT = Kind(
    resources.DEPLOYMENT,
    Deployment,
    _NAMESPACED_FIELDS,
    list_fields.DEPLOYMENT_ORDERS,
    list_fields.DEPLOYMENT_COUNTS,
)
PERSISTENT_VOLUME = Kind(
    resources.PERSISTENT_VOLUME,
    PersistentVolume,
    # The API server takes the namespace of volumes, which is empty.
    _NAMESPACED_FIELDS,
    list_fields.VOLUME_ORDERS,
    list_fields.VOLUME_COUNTS,
    list_fields.PHASE_FILTERS,
    {"phases": list_fields.VOLUME_PHASES},
)
NAMESPACE = Kind(
    resources.NAMESPACE,
    Namespace,
    {**_NAME_FIELDS, "status.phase": lambda o: str(o.status.phase)},
    list_fields.NAMESPACE_ORDERS,
    list_fields.NAMESPACE_COUNTS,
    list_fields.PHASE_FILTERS,
    {"phases": list_fields.NAMESPACE_PHASES},
)
EVENT = Kind(
    resources.EVENT,
    Event,
    {
        **_NAMESPACED_FIELDS,
        "involvedObject.kind": lambda o: str(o.involved_object.kind),
        "involvedObject.namespace": lambda o: str(o.involved_object.namespace),
        "involvedObject.name": lambda o: str(o.involved_object.name),
        "involvedObject.uid": lambda o: str(o.involved_object.uid),
        "involvedObject.apiVersion": lambda o: str(o.involved_object.api_version),
        "involvedObject.resourceVersion": lambda o: str(o.involved_object.resource_version),
        "involvedObject.fieldPath": lambda o: str(o.involved_object.field_path),
        "reason": lambda o: str(o.reason),
        "reportingComponent": lambda o: str(o.reporting_component),
        "source": lambda o: str(o.reporter),
        "type": lambda o: str(o.type),
    },
    list_fields.EVENT_ORDERS,
    list_fields.EVENT_COUNTS,
    list_fields.EVENT_FILTERS,
)
TRAINING_JOBS = tuple(
    Kind(
        resource,
        TrainingJob,
        _NAMESPACED_FIELDS,
        list_fields.JOB_ORDERS,
        list_fields.JOB_COUNTS,
        list_fields.JOB_FILTERS,
    )
    for resource in resources.TRAINING_JOBS
)

CLUSTER_QUEUES, LOCAL_QUEUES, WORKLOADS = (
    {
        version: Kind(
            resource,
            object_type,
            _NAMESPACED_FIELDS if resource.namespaced else _NAME_FIELDS,
            list_fields.QUEUE_ORDERS if object_type is Queue else list_fields.NAMESPACED_ORDERS,
        )
        for version, resource in versions.items()
    }
    for versions, object_type in (
        (resources.CLUSTER_QUEUES, Queue),
        (resources.LOCAL_QUEUES, Queue),
        (resources.WORKLOADS, Workload),
    )
)

_TYPED = {
    kind.resource: kind
    for kind in (
        POD,
        NODE,
        SERVICE,
        DEPLOYMENT,
        PERSISTENT_VOLUME,
        NAMESPACE,
        EVENT,
        *TRAINING_JOBS,
        *(*CLUSTER_QUEUES.values(), *LOCAL_QUEUES.values(), *WORKLOADS.values()),
    )
}


def kind_of(resource: Resource) -> Kind:
    """The typed kind of a resource; for others one of which only metadata is read."""
    typed = _TYPED.get(resource)
    if typed is not None:
        return typed
    fields = _NAMESPACED_FIELDS if resource.namespaced else _NAME_FIELDS
    orders = list_fields.NAMESPACED_ORDERS if resource.namespaced else list_fields.ORDERS
    return Kind(resource, MetadataOnly, fields, orders, metadata_only=True)


DEFINITION = kind_of(resources.DEFINITION)
