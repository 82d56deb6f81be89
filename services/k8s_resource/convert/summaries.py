"""Typed summaries of objects, encoded once per version of an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.k8s_resource.v1 import events_pb2, namespaces_pb2
from podyard.k8s_resource.v1 import objects_pb2 as pb

from services.k8s_resource.domain import resources
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.list_fields import requested_gpus, restarts
from services.k8s_resource.domain.node_devices import Devices, node_devices
from services.k8s_resource.domain.node_usage import NodeLoad
from services.k8s_resource.domain.objects.events import Event, ObjectReference
from services.k8s_resource.domain.objects.metadata import (
    Condition,
    MetadataOnly,
    ObjectMeta,
    OwnerReference,
    parse_time,
)
from services.k8s_resource.domain.objects.namespaces import Namespace
from services.k8s_resource.domain.objects.nodes import (
    DEEP_HEALTH_LABEL,
    HEALTH_LABEL,
    INSTANCE_TYPE_LABEL,
    ZONE_LABEL,
    Node,
)
from services.k8s_resource.domain.objects.pod_display import display_status, state_word
from services.k8s_resource.domain.objects.pods import Container, ContainerStatus, Pod
from services.k8s_resource.domain.objects.training_jobs import TrainingJob, whole
from services.k8s_resource.domain.objects.workloads import Deployment, PersistentVolume, Service
from services.k8s_resource.domain.resources import Resource


def encoded_summary(kind: Kind, item: Item) -> bytes:
    """The summary of an object without figures that depend on other objects."""
    if item.encoded is None:
        make: Callable[[Any, Resource], Message] = _SUMMARIES.get(kind.resource, object_to_pb)
        item.encoded = make(item.decoded, kind.resource).SerializeToString()
    return item.encoded


def encoded_node(kind: Kind, item: Item, load: NodeLoad) -> bytes:
    """A node with the devices in use on it. What is appended to a message is merged into it."""
    if item.combined is None or item.combined[0] != load.revision:
        devices = node_devices_to_pb(item, load).SerializeToString()
        item.combined = load.revision, encoded_summary(kind, item) + devices
    return item.combined[1]


def pod_to_pb(pod: Pod, _resource: Resource) -> pb.Pod:
    """A pod."""
    metadata, spec, status = pod.metadata, pod.spec, pod.status
    owner = metadata.controller()
    init = {s.name: s for s in status.init_container_statuses or ()}
    main = {s.name: s for s in status.container_statuses or ()}
    containers = [_container_to_pb(c, init.get(c.name), True) for c in spec.init_containers or ()]
    containers += [_container_to_pb(c, main.get(c.name), False) for c in spec.containers]
    return pb.Pod(
        **_identity(metadata),
        phase=status.phase,
        display_status=display_status(pod),
        ready=pod.is_true("Ready"),
        node_name=spec.node_name,
        pod_ip=status.pod_ip,
        restart_count=restarts(pod),
        containers=containers,
        gpu_request=requested_gpus(pod),
        owner=owner_to_pb(owner, metadata.namespace) if owner else None,
    )


def node_to_pb(node: Node, _resource: Resource) -> pb.Node:
    """A node without devices and pods."""
    labels = node.metadata.labels or {}
    info = node.status.node_info
    return pb.Node(
        name=node.metadata.name,
        labels=labels,
        create_time=time_to_pb(node.metadata.creation_timestamp),
        ready=node.ready,
        schedulable=not node.spec.unschedulable,
        instance_type=labels.get(INSTANCE_TYPE_LABEL, ""),
        zone=labels.get(ZONE_LABEL, ""),
        kubelet_version=info.kubelet_version if info else "",
        health_status=labels.get(HEALTH_LABEL, ""),
        deep_health_check_status=labels.get(DEEP_HEALTH_LABEL, ""),
        conditions=[_condition_to_pb(c) for c in node.status.conditions or ()],
        resource_version=node.metadata.resource_version,
    )


def service_to_pb(service: Service, _resource: Resource) -> pb.Service:
    """A service."""
    spec = service.spec
    return pb.Service(
        **_identity(service.metadata),
        type=spec.type,
        cluster_ip=spec.cluster_ip,
        external_addresses=service.external_addresses(),
        ports=[
            pb.ServicePort(
                name=port.name,
                port=port.port,
                target_port="" if port.target_port is None else str(port.target_port),
                protocol=port.protocol,
                node_port=port.node_port,
            )
            for port in spec.ports or ()
        ],
        selector=spec.selector or {},
    )


def deployment_to_pb(deployment: Deployment, _resource: Resource) -> pb.Deployment:
    """A deployment."""
    status = deployment.status
    return pb.Deployment(
        **_identity(deployment.metadata),
        replicas=deployment.replicas,
        ready_replicas=status.ready_replicas,
        updated_replicas=status.updated_replicas,
        available_replicas=status.available_replicas,
        images=[c.image for c in deployment.spec.template.spec.containers],
        conditions=[_condition_to_pb(c) for c in status.conditions or ()],
    )


def persistent_volume_to_pb(volume: PersistentVolume, _resource: Resource) -> pb.PersistentVolume:
    """A persistent volume."""
    metadata, spec = volume.metadata, volume.spec
    claim = spec.claim_ref
    return pb.PersistentVolume(
        name=metadata.name,
        uid=metadata.uid,
        labels=metadata.labels or {},
        create_time=time_to_pb(metadata.creation_timestamp),
        capacity=str((spec.capacity or {}).get("storage", "")),
        access_modes=spec.access_modes or [],
        reclaim_policy=spec.reclaim_policy,
        phase=volume.status.phase,
        claim=pb.ObjectRef(
            api_version="v1",
            kind="PersistentVolumeClaim",
            namespace=claim.namespace,
            name=claim.name,
            uid=claim.uid,
        )
        if claim
        else None,
        storage_class=spec.storage_class,
        csi_driver=spec.csi.driver if spec.csi else "",
        volume_handle=spec.csi.volume_handle if spec.csi else "",
        bucket=volume.bucket(),
        region=volume.region(),
        mount_options=spec.mount_options or [],
        resource_version=metadata.resource_version,
    )


def training_job_to_pb(job: TrainingJob, resource: Resource) -> pb.TrainingJob:
    """A training job without what depends on its pods, its queue and the time."""
    status = job.status
    owner = job.owner()
    return pb.TrainingJob(
        **_identity(job.metadata),
        kind=resource.kind,
        api_version=resource.api_version,
        state=job.state(),
        message=job.message(),
        replicas=job.replicas(),
        processes_per_node=job.processes_per_node(),
        start_time=time_to_pb(job.started()),
        completion_time=time_to_pb(status.completion_time),
        restart_count=whole(status.restart_count),
        queue=job.queue(),
        conditions=[_condition_to_pb(c) for c in status.conditions or ()],
        end_time=time_to_pb(job.ended()),
        owner=owner_to_pb(owner, job.metadata.namespace) if owner else None,
        created_by=job.created_by(),
        faulty_instances=job.faulty(),
    )


def namespace_to_pb(namespace: Namespace, _resource: Resource) -> namespaces_pb2.Namespace:
    """A namespace."""
    metadata = namespace.metadata
    return namespaces_pb2.Namespace(
        name=metadata.name,
        uid=metadata.uid,
        labels=metadata.labels or {},
        create_time=time_to_pb(metadata.creation_timestamp),
        phase=namespace.status.phase,
        delete_time=time_to_pb(metadata.deletion_timestamp),
        resource_version=metadata.resource_version,
    )


def event_to_pb(event: Event, _resource: Resource) -> events_pb2.Event:
    """An event, of either API."""
    return events_pb2.Event(
        **_identity(event.metadata),
        type=event.type,
        reason=event.reason,
        message=event.message,
        involved_object=_reference_to_pb(event.involved_object),
        field_path=event.involved_object.field_path,
        count=event.count,
        first_seen_time=time_to_pb(event.first_seen),
        last_seen_time=time_to_pb(event.last_seen),
        source=event.reporter,
        source_instance=event.source.host or event.reporting_instance,
        action=event.action,
        related=_reference_to_pb(event.related) if event.related else None,
    )


def _reference_to_pb(reference: ObjectReference) -> pb.ObjectRef:
    return pb.ObjectRef(
        api_version=reference.api_version,
        kind=reference.kind,
        namespace=reference.namespace,
        name=reference.name,
        uid=reference.uid,
        resource_version=reference.resource_version,
    )


def object_to_pb(decoded: Any, resource: Resource) -> pb.KubernetesObject:
    """An object of any kind: identity, labels, creation time."""
    metadata: ObjectMeta = decoded.metadata
    return pb.KubernetesObject(
        ref=ref_to_pb(decoded, resource),
        labels=metadata.labels or {},
        create_time=time_to_pb(metadata.creation_timestamp),
    )


def ref_to_pb(decoded: MetadataOnly | Any, resource: Resource) -> pb.ObjectRef:
    """What names an object."""
    metadata: ObjectMeta = decoded.metadata
    return pb.ObjectRef(
        api_version=resource.api_version,
        kind=resource.kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


def owner_to_pb(owner: OwnerReference, namespace: str) -> pb.ObjectRef:
    """What owns an object; owners are in the same namespace or in none."""
    return pb.ObjectRef(
        api_version=owner.api_version,
        kind=owner.kind,
        namespace=namespace,
        name=owner.name,
        uid=owner.uid,
    )


def time_to_pb(text: str | None) -> Timestamp | None:
    """A time of an object."""
    moment = parse_time(text)
    if moment is None:
        return None
    return Timestamp(seconds=int(moment.timestamp()), nanos=moment.microsecond * 1000)


def _identity(metadata: ObjectMeta) -> dict[str, Any]:
    """The fields that most summaries begin with."""
    return {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
        "labels": metadata.labels or {},
        "create_time": time_to_pb(metadata.creation_timestamp),
        "resource_version": metadata.resource_version,
    }


def _container_to_pb(
    container: Container, status: ContainerStatus | None, init: bool
) -> pb.ContainerSummary:
    summary = pb.ContainerSummary(name=container.name, image=container.image, init=init)
    if status is not None:
        summary.ready = status.ready
        summary.restart_count = status.restart_count
        summary.state = state_word(status)
        state = status.state
        if state is not None and state.terminated is not None:
            summary.reason = state.terminated.reason
            summary.exit_code = state.terminated.exit_code
        elif state is not None and state.waiting is not None:
            summary.reason = state.waiting.reason
    return summary


def _condition_to_pb(condition: Condition) -> pb.Condition:
    return pb.Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason or "",
        message=condition.message or "",
        last_transition_time=time_to_pb(condition.last_transition_time),
    )


def node_devices_to_pb(item: Item, load: NodeLoad) -> pb.Node:
    """The part of a node that depends on its pods."""
    gpu, devices = node_devices(item.decoded, load, item.problem)
    return pb.Node(
        gpu=_devices_to_pb(gpu),
        extended_resources=[_devices_to_pb(each) for each in devices],
        pod_count=load.pods,
    )


def _devices_to_pb(devices: Devices) -> pb.ResourceQuantities:
    return pb.ResourceQuantities(
        name=devices.name,
        capacity=devices.capacity,
        allocatable=devices.allocatable,
        used=devices.used,
        available=devices.available,
        error=devices.error,
    )


_SUMMARIES: dict[Resource, Callable[[Any, Resource], Message]] = {
    resources.POD: pod_to_pb,
    resources.NODE: node_to_pb,
    resources.SERVICE: service_to_pb,
    resources.DEPLOYMENT: deployment_to_pb,
    resources.PERSISTENT_VOLUME: persistent_volume_to_pb,
    resources.NAMESPACE: namespace_to_pb,
    resources.EVENT: event_to_pb,
    **dict.fromkeys(resources.TRAINING_JOBS, training_job_to_pb),
}
