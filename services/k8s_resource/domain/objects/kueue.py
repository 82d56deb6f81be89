"""Kueue's objects, as every version from v1beta1 on has them.

v1beta2 renamed some fields (`cohort`, a LocalQueue's `flavorUsage`, a Workload's
`priorityClassName`); both names are read.
"""

from __future__ import annotations

import msgspec

from services.k8s_resource.domain.objects.metadata import Condition, ObjectMeta

Amount = object
"""A quantity as sent."""


class FairSharing(msgspec.Struct, gc=False):
    """spec.fairSharing, and status.fairSharing."""

    weight: Amount = None
    weighted_share: int | None = msgspec.field(default=None, name="weightedShare")


class ResourceAmounts(msgspec.Struct, gc=False):
    """A resource of a flavor: quota, or use."""

    name: str = ""
    nominal_quota: Amount = msgspec.field(default=None, name="nominalQuota")
    borrowing_limit: Amount = msgspec.field(default=None, name="borrowingLimit")
    lending_limit: Amount = msgspec.field(default=None, name="lendingLimit")
    total: Amount = None
    borrowed: Amount = None


class FlavorAmounts(msgspec.Struct, gc=False):
    """A flavor."""

    name: str = ""
    resources: list[ResourceAmounts] | None = None


class ResourceGroup(msgspec.Struct, gc=False):
    """Flavors that offer the same resources."""

    flavors: list[FlavorAmounts] | None = None


class QueueSpec(msgspec.Struct, gc=False):
    """spec of both kinds of queues."""

    # ClusterQueue
    resource_groups: list[ResourceGroup] | None = msgspec.field(default=None, name="resourceGroups")
    cohort: str = ""
    cohort_name: str = msgspec.field(default="", name="cohortName")
    queueing_strategy: str = msgspec.field(default="", name="queueingStrategy")
    # LocalQueue
    cluster_queue: str = msgspec.field(default="", name="clusterQueue")
    # both
    stop_policy: str | None = msgspec.field(default=None, name="stopPolicy")
    fair_sharing: FairSharing | None = msgspec.field(default=None, name="fairSharing")


class QueueStatus(msgspec.Struct, gc=False):
    """status of both kinds of queues."""

    conditions: list[Condition] | None = None
    pending: int = msgspec.field(default=0, name="pendingWorkloads")
    reserving: int = msgspec.field(default=0, name="reservingWorkloads")
    admitted: int = msgspec.field(default=0, name="admittedWorkloads")
    reservation: list[FlavorAmounts] | None = msgspec.field(default=None, name="flavorsReservation")
    usage: list[FlavorAmounts] | None = msgspec.field(default=None, name="flavorsUsage")
    local_usage: list[FlavorAmounts] | None = msgspec.field(default=None, name="flavorUsage")
    fair_sharing: FairSharing | None = msgspec.field(default=None, name="fairSharing")


class Queue(msgspec.Struct, gc=False):
    """A ClusterQueue or a LocalQueue."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: QueueSpec = msgspec.field(default_factory=QueueSpec)
    status: QueueStatus = msgspec.field(default_factory=QueueStatus)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type."""
        return _condition(self.status.conditions, kind)


class PriorityClassRef(msgspec.Struct, gc=False):
    """spec.priorityClassRef."""

    name: str = ""


class WorkloadSpec(msgspec.Struct, gc=False):
    """spec."""

    queue: str = msgspec.field(default="", name="queueName")
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    priority_class: PriorityClassRef | None = msgspec.field(default=None, name="priorityClassRef")
    priority: int | None = None
    active: bool | None = None


class PodSetAssignment(msgspec.Struct, gc=False):
    """An entry of status.admission.podSetAssignments."""

    name: str = ""
    flavors: dict[str, str] | None = None


class WorkloadAdmission(msgspec.Struct, gc=False):
    """status.admission."""

    cluster_queue: str = msgspec.field(default="", name="clusterQueue")
    assignments: list[PodSetAssignment] | None = msgspec.field(
        default=None, name="podSetAssignments"
    )


class RequeueState(msgspec.Struct, gc=False):
    """status.requeueState."""

    count: int | None = None
    at: str | None = msgspec.field(default=None, name="requeueAt")


class WorkloadStatus(msgspec.Struct, gc=False):
    """status."""

    conditions: list[Condition] | None = None
    admission: WorkloadAdmission | None = None
    requeue: RequeueState | None = msgspec.field(default=None, name="requeueState")


class Workload(msgspec.Struct, gc=False):
    """A job as Kueue sees it; the job is its owner."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    status: WorkloadStatus = msgspec.field(default_factory=WorkloadStatus)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type."""
        return _condition(self.status.conditions, kind)

    def is_true(self, kind: str) -> bool:
        """Whether the condition of that type is True."""
        condition = self.condition(kind)
        return condition is not None and condition.status == "True"


def _condition(conditions: list[Condition] | None, kind: str) -> Condition | None:
    return next((c for c in conditions or () if c.type == kind), None)
