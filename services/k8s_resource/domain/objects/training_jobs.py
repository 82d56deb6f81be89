"""Training jobs of four kinds, read as one: HyperPodPyTorchJob, Job, PyTorchJob, RayCluster.

Custom resources have looser schemas than built-in kinds, so numbers that teams are
known to write as text are read either way.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.k8s_resource.domain.objects.metadata import Condition, ObjectMeta

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
Number = int | str | float | None


class ReplicaSpec(msgspec.Struct, gc=False):
    """An entry of spec.replicaSpecs, pytorchReplicaSpecs or workerGroupSpecs."""

    name: str = ""
    replicas: Number = None


class TrainingJobSpec(msgspec.Struct, gc=False):
    """spec, of any of the kinds."""

    # HyperPodPyTorchJob
    nproc_per_node: Number = msgspec.field(default=None, name="nprocPerNode")
    replica_specs: list[ReplicaSpec] | None = msgspec.field(default=None, name="replicaSpecs")
    # PyTorchJob, whose nprocPerNode is the same
    pytorch_replica_specs: dict[str, ReplicaSpec] | None = msgspec.field(
        default=None, name="pytorchReplicaSpecs"
    )
    # Job
    parallelism: int | None = None
    suspend: bool | None = None
    # RayCluster: the head and the workers
    worker_groups: list[ReplicaSpec] | None = msgspec.field(default=None, name="workerGroupSpecs")


class TrainingJobStatus(msgspec.Struct, gc=False):
    """status, of any of the kinds."""

    conditions: list[Condition] | None = None
    start_time: str | None = msgspec.field(default=None, name="startTime")
    completion_time: str | None = msgspec.field(default=None, name="completionTime")
    restart_count: Number = msgspec.field(default=None, name="restartCount")
    # Job
    active: int | None = None
    # RayCluster
    state: str | None = None
    reason: str | None = None


class TrainingJob(msgspec.Struct, gc=False):
    """A training job. `kind` and `api_version` are empty in lists: the resource knows them."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: TrainingJobSpec = msgspec.field(default_factory=TrainingJobSpec)
    status: TrainingJobStatus = msgspec.field(default_factory=TrainingJobStatus)

    def newest_true_condition(self) -> Condition | None:
        """The condition that is True since the latest moment; of equals the last listed."""
        newest: Condition | None = None
        for condition in self.status.conditions or ():
            if condition.status == "True" and (
                newest is None
                or (condition.last_transition_time or "") >= (newest.last_transition_time or "")
            ):
                newest = condition
        return newest

    def state(self) -> str:
        """Type of the newest true condition; where there is none: what the kind says instead."""
        newest = self.newest_true_condition()
        if newest is not None:
            return newest.type
        if self.status.state:
            return self.status.state.capitalize()
        if self.spec.suspend:
            return "Suspended"
        return "Running" if self.status.active else "Pending"

    def message(self) -> str:
        """Why, from the same source as `state`."""
        newest = self.newest_true_condition()
        if newest is None:
            return self.status.reason or ""
        return newest.message or newest.reason or ""

    def replicas(self) -> int:
        """Pods asked for."""
        spec = self.spec
        if spec.replica_specs is not None:
            return _total(spec.replica_specs)
        if spec.pytorch_replica_specs is not None:
            return _total(spec.pytorch_replica_specs.values())
        if spec.worker_groups is not None:
            return 1 + _total(spec.worker_groups)
        return 1 if spec.parallelism is None else spec.parallelism

    def processes_per_node(self) -> str:
        """As written in the job; empty where absent."""
        value = self.spec.nproc_per_node
        return "" if value is None else str(value)

    def queue(self) -> str:
        """Its Kueue queue."""
        return (self.metadata.labels or {}).get(QUEUE_LABEL, "")


def whole(value: Number) -> int:
    """A number that may be written as text; 0 for what is not one."""
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _total(specs: Iterable[ReplicaSpec]) -> int:
    return sum(1 if spec.replicas is None else whole(spec.replicas) for spec in specs)
