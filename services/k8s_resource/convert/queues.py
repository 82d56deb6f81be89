"""Kueue's queues, and jobs in them."""

from __future__ import annotations

from podyard.k8s_resource.v1 import queues_pb2 as pb

from services.k8s_resource.convert.lists import freshness_to_pb
from services.k8s_resource.convert.summaries import time_to_pb
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.kueue.admission import Admission
from services.k8s_resource.domain.kueue.queues import QueuePage, QueueQuery, QueueType
from services.k8s_resource.domain.kueue.quotas import FlavorQuota, quotas_of, weight_of
from services.k8s_resource.domain.objects.kueue import Queue
from services.k8s_resource.domain.objects.training_jobs import whole

_TYPES = {
    pb.QUEUE_TYPE_UNSPECIFIED: None,
    pb.QUEUE_TYPE_CLUSTER_QUEUE: QueueType.CLUSTER_QUEUE,
    pb.QUEUE_TYPE_LOCAL_QUEUE: QueueType.LOCAL_QUEUE,
}
_ACTIVE = "Active"


def queue_query_from_pb(request: pb.ListQueuesRequest) -> QueueQuery:
    """A ListQueues request."""
    return QueueQuery(
        cluster=request.cluster,
        namespace=request.namespace,
        label_selector=request.label_selector,
        type=_TYPES[request.type],
        order_by=request.order_by,
        page_size=request.page_size,
        page_token=request.page_token,
        consistent=request.consistent,
    )


def queue_page_to_pb(found: QueuePage) -> pb.ListQueuesResponse:
    """A page of queues."""
    return pb.ListQueuesResponse(
        queues=[_queue_to_pb(type_, item, found.cohorts) for type_, item in found.page.entries],
        next_page_token=found.page.next_token,
        total_size=found.page.total,
        freshness=freshness_to_pb(found.freshness),
        notes=found.notes,
    )


def admission_to_pb(admission: Admission) -> pb.JobAdmission:
    """A job in its queue."""
    return pb.JobAdmission(
        queue=admission.queue,
        cluster_queue=admission.cluster_queue,
        workload=admission.workload,
        priority_class=admission.priority_class,
        priority=None if admission.priority is None else whole(admission.priority),
        state=f"ADMISSION_STATE_{admission.state.name}",
        reason=admission.reason,
        message=admission.message,
        since=time_to_pb(admission.since),
        requeue_count=whole(admission.requeue_count),
        requeue_time=time_to_pb(admission.requeue_at),
        flavors=[
            pb.FlavorAssignment(pod_set=pod_set, resource=resource, flavor=flavor)
            for pod_set, resource, flavor in admission.flavors
        ],
        position=None if admission.position is None else whole(admission.position),
    )


def _queue_to_pb(type_: QueueType, item: Item, cohorts: dict[str, str]) -> pb.Queue:
    queue: Queue = item.decoded
    metadata, spec, status = queue.metadata, queue.spec, queue.status
    behind = spec.cluster_queue if type_ is QueueType.LOCAL_QUEUE else metadata.name
    condition = queue.condition(_ACTIVE)
    active = condition is not None and condition.status == "True"
    share = status.fair_sharing.weighted_share if status.fair_sharing else None
    made = pb.Queue(
        type=f"QUEUE_TYPE_{type_.name}",
        name=metadata.name,
        namespace=metadata.namespace,
        cluster_queue=spec.cluster_queue,
        cohort=cohorts.get(behind, ""),
        active=active,
        reason="" if active or condition is None else condition.reason or "",
        message="" if active or condition is None else condition.message or "",
        stop_policy=spec.stop_policy or "None",
        queueing_strategy=spec.queueing_strategy,
        resources=map(_quota_to_pb, quotas_of(queue)),
        pending_workloads=whole(status.pending),
        reserving_workloads=whole(status.reserving),
        admitted_workloads=whole(status.admitted),
        weighted_share=None if share is None else max(-(2**63), min(share, 2**63 - 1)),
        labels=metadata.labels or {},
        create_time=time_to_pb(metadata.creation_timestamp),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        problem=item.problem,
    )
    weight = weight_of(queue)
    if weight is not None:
        made.fair_sharing_weight = weight
    return made


def _quota_to_pb(quota: FlavorQuota) -> pb.QueueResource:
    return pb.QueueResource(
        flavor=quota.flavor,
        resource=quota.resource,
        nominal_quota=quota.nominal,
        borrowing_limit=quota.borrowing_limit,
        lending_limit=quota.lending_limit,
        reserved=quota.reserved,
        used=quota.used,
        borrowed=quota.borrowed,
        error=quota.error,
    )
