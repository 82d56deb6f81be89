"""How far Kueue has come with a job: its Workload, read as one state with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.objects.kueue import Workload
from services.k8s_resource.domain.objects.metadata import Condition
from services.k8s_resource.domain.objects.training_jobs import TrainingJob


class AdmissionState(Enum):
    """Names are those of the API; UNSPECIFIED where there is no workload."""

    UNSPECIFIED = 0
    PENDING = 1
    QUOTA_RESERVED = 2
    ADMITTED = 3
    FINISHED = 4
    INACTIVE = 5


@dataclass(frozen=True, slots=True)
class Admission:
    """A job in its queue. Times are RFC 3339. `flavors`: set of pods, resource, flavor."""

    queue: str
    priority_class: str = ""
    state: AdmissionState = AdmissionState.UNSPECIFIED
    cluster_queue: str = ""
    workload: str = ""
    priority: int | None = None
    reason: str = ""
    message: str = ""
    since: str = ""
    requeue_count: int = 0
    requeue_at: str = ""
    flavors: tuple[tuple[str, str, str], ...] = ()
    position: int | None = None

    @property
    def waits(self) -> bool:
        """Whether Kueue is yet to admit the job."""
        return self.state in (AdmissionState.PENDING, AdmissionState.QUOTA_RESERVED)


def workload_of(job: TrainingJob, workloads: Store) -> Item | None:
    """The workload that Kueue made of a job, or of what owns the job (a RayJob's cluster).

    Of several the unfinished one that was made last: an elastic job gets a new one as it grows.
    """
    owned = workloads.remembered("owned", lambda: _by_owner(workloads.items()))
    owner = job.owner()
    for uid in (job.metadata.uid, owner.uid if owner else ""):
        found = owned.get(uid) if uid else None
        if found:
            return max(
                found,
                key=lambda item: (
                    not item.decoded.is_true("Finished"),
                    item.decoded.metadata.creation_timestamp or "",
                    item.key,
                ),
            )
    return None


def admission_of(job: TrainingJob, workload: Item | None, queues: Store | None) -> Admission | None:
    """None for a job that has nothing to do with Kueue. `queues` are the LocalQueues."""
    if workload is None:
        queue = job.queue()
        if not queue:
            return None
        admission = Admission(queue, job.priority_class())
        if job.suspended() and job.ending() is None:
            admission = replace(
                admission,
                state=AdmissionState.PENDING,
                reason="NoWorkload",
                message="Kueue has made no workload of it yet; does the queue exist?",
                since=job.metadata.creation_timestamp or "",
            )
    else:
        admission = _of_workload(workload.decoded)
    if not admission.cluster_queue and queues is not None:
        local = queues.get((job.metadata.namespace, admission.queue))
        if local is not None:
            admission = replace(admission, cluster_queue=local.decoded.spec.cluster_queue)
    return admission


def _of_workload(workload: Workload) -> Admission:
    spec, status = workload.spec, workload.status
    state, why = _state(workload)
    granted = status.admission
    requeue = status.requeue
    return Admission(
        queue=spec.queue,
        priority_class=(spec.priority_class.name if spec.priority_class else "")
        or spec.priority_class_name,
        state=state,
        cluster_queue=granted.cluster_queue if granted else "",
        workload=workload.metadata.name,
        priority=spec.priority,
        reason=(why.reason or "") if why else "",
        message=(why.message or "") if why else "",
        since=(why.last_transition_time if why else None)
        or workload.metadata.creation_timestamp
        or "",
        requeue_count=(requeue.count or 0) if requeue else 0,
        requeue_at=(requeue.at or "") if requeue else "",
        flavors=tuple(
            (assignment.name, resource, flavor)
            for assignment in (granted.assignments if granted else None) or ()
            for resource, flavor in sorted((assignment.flavors or {}).items())
        ),
    )


def _state(workload: Workload) -> tuple[AdmissionState, Condition | None]:
    """The state, and the condition that explains it."""
    if workload.is_true("Finished"):
        return AdmissionState.FINISHED, workload.condition("Finished")
    if workload.spec.active is False:
        why = workload.condition("Evicted") or workload.condition("DeactivationTarget")
        return AdmissionState.INACTIVE, why
    if workload.is_true("Admitted"):
        return AdmissionState.ADMITTED, workload.condition("Admitted")
    if workload.is_true("QuotaReserved"):
        return AdmissionState.QUOTA_RESERVED, workload.condition("QuotaReserved")
    quota = workload.condition("QuotaReserved")
    evicted = workload.condition("Evicted")
    if (
        evicted is not None
        and evicted.status == "True"
        and (
            quota is None
            or (evicted.last_transition_time or "") >= (quota.last_transition_time or "")
        )
    ):
        return AdmissionState.PENDING, evicted
    return AdmissionState.PENDING, quota


def _by_owner(workloads: Iterable[Item]) -> dict[str, list[Item]]:
    owned: dict[str, list[Item]] = {}
    for item in workloads:
        for owner in item.decoded.metadata.owner_references or ():
            if owner.uid:
                owned.setdefault(owner.uid, []).append(item)
    return owned
