"""Training jobs of four kinds, read as one: HyperPodPyTorchJob, Job, PyTorchJob, RayCluster.

Custom resources have looser schemas than built-in kinds, so numbers that teams are
known to write as text are read either way.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.k8s_resource.domain.objects.metadata import AnnotatedMeta, Condition, OwnerReference

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
SUCCEEDED = frozenset({"Complete", "Completed", "Succeeded"})
FAILED = frozenset({"Failed"})
_SUSPENDED = frozenset({"Suspended", "RayClusterSuspended", "RayClusterSuspending"})
_CREATORS = (
    "podyard.io/created-by",
    "sagemaker.amazonaws.com/created-by",
    "app.kubernetes.io/created-by",
    "created-by",
    "owner",
    "user",
    "team",
)
"""Annotations, then labels, by which teams mark whose a job is; the first one counts."""
Number = int | str | float | None


class ReplicaSpec(msgspec.Struct, gc=False):
    """An entry of spec.replicaSpecs, pytorchReplicaSpecs or workerGroupSpecs."""

    name: str = ""
    group_name: str = msgspec.field(default="", name="groupName")
    replicas: Number = None
    min_replicas: Number = msgspec.field(default=None, name="minReplicas")
    max_replicas: Number = msgspec.field(default=None, name="maxReplicas")
    spares: Number = None


class RunPolicy(msgspec.Struct, gc=False):
    """spec.runPolicy of HyperPodPyTorchJob and PyTorchJob."""

    suspend: bool | None = None


class ElasticPolicy(msgspec.Struct, gc=False):
    """spec.elasticPolicy of HyperPodPyTorchJob and PyTorchJob."""

    min_replicas: Number = msgspec.field(default=None, name="minReplicas")
    max_replicas: Number = msgspec.field(default=None, name="maxReplicas")


class TrainingJobSpec(msgspec.Struct, gc=False):
    """spec, of any of the kinds."""

    # HyperPodPyTorchJob
    nproc_per_node: Number = msgspec.field(default=None, name="nprocPerNode")
    replica_specs: list[ReplicaSpec] | None = msgspec.field(default=None, name="replicaSpecs")
    # PyTorchJob, whose nprocPerNode is the same
    pytorch_replica_specs: dict[str, ReplicaSpec] | None = msgspec.field(
        default=None, name="pytorchReplicaSpecs"
    )
    run_policy: RunPolicy | None = msgspec.field(default=None, name="runPolicy")
    elastic_policy: ElasticPolicy | None = msgspec.field(default=None, name="elasticPolicy")
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
    # HyperPodPyTorchJob
    restart_count: Number = msgspec.field(default=None, name="restartCount")
    faulty: list[object] | None = msgspec.field(default=None, name="latestFaultyPodInstanceList")
    master_address: str | None = msgspec.field(default=None, name="masterAddr")
    master_port: Number = msgspec.field(default=None, name="masterPort")
    # Job
    active: int | None = None
    # RayCluster
    state: str | None = None
    reason: str | None = None
    state_times: dict[str, str | None] | None = msgspec.field(
        default=None, name="stateTransitionTimes"
    )


class JobMeta(AnnotatedMeta, gc=False):
    """metadata of a job; of the annotations those that are read, for the whole manifest can be
    among them."""

    def __post_init__(self) -> None:
        if self.annotations is not None:
            marks = {key: self.annotations[key] for key in _CREATORS if key in self.annotations}
            self.annotations = marks or None


class TrainingJob(msgspec.Struct, gc=False):
    """A training job. `kind` and `api_version` are empty in lists: the resource knows them."""

    metadata: JobMeta = msgspec.field(default_factory=JobMeta)
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
        if self.suspended():
            return "Suspended"
        return "Running" if self.status.active else "Pending"

    def message(self) -> str:
        """Why, from the same source as `state`."""
        newest = self.newest_true_condition()
        if newest is None:
            return self.status.reason or ""
        return newest.message or newest.reason or ""

    def ending(self) -> Condition | None:
        """The condition that says that the job has ended, well or not."""
        for condition in self.status.conditions or ():
            if condition.status == "True" and condition.type in SUCCEEDED | FAILED:
                return condition
        return None

    def suspended(self) -> bool:
        """Whether it is not to run for now, as asked for; Kueue asks for it too."""
        policy = self.spec.run_policy
        return bool(self.spec.suspend or (policy is not None and policy.suspend))

    def is_suspended(self) -> bool:
        """Whether its operator says that it is suspended."""
        newest = self.newest_true_condition()
        return self.status.state == "suspended" or (
            newest is not None and newest.type in _SUSPENDED
        )

    def started(self) -> str | None:
        """When it began; RFC 3339. A RayCluster: when it was first ready."""
        return self.status.start_time or (self.status.state_times or {}).get("ready")

    def ended(self) -> str | None:
        """When it ended, well or not; RFC 3339. Kinds that tell no time of a failure have it in
        the condition."""
        ending = self.ending()
        return self.status.completion_time or (ending.last_transition_time if ending else None)

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

    def priority_class(self) -> str:
        """Its Kueue priority class."""
        return (self.metadata.labels or {}).get(PRIORITY_LABEL, "")

    def faulty(self) -> list[str]:
        """Pods and instances that its operator found faulty last."""
        return [entry for entry in self.status.faulty or () if isinstance(entry, str) and entry]

    def created_by(self) -> str:
        """Who made it, as far as it is marked."""
        for marks in (self.metadata.annotations or {}, self.metadata.labels or {}):
            for key in _CREATORS:
                if marks.get(key):
                    return marks[key]
        return ""

    def owner(self) -> OwnerReference | None:
        """What made it."""
        return self.metadata.controller()


def whole(value: Number) -> int:
    """A number that may be written as text, within 32 bits; 0 for what is not one."""
    try:
        return max(-(2**31), min(int(value or 0), 2**31 - 1))
    except (ValueError, OverflowError):
        return 0


def _total(specs: Iterable[ReplicaSpec]) -> int:
    return whole(sum(1 if spec.replicas is None else whole(spec.replicas) for spec in specs))
