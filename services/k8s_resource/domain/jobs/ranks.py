"""Which part each pod of a training job plays, by the marks of the job's operator."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.k8s_resource.domain.objects.pods import Pod
from services.k8s_resource.domain.objects.training_jobs import ReplicaSpec, TrainingJob, whole
from services.k8s_resource.domain.resources import (
    HYPERPOD_PYTORCH_JOB,
    JOB,
    PYTORCH_JOB,
    RAY_CLUSTER,
    Resource,
)

_COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
_KUBEFLOW = "training.kubeflow.org/"
_LAST_NUMBER = re.compile(r"-([0-9]{1,6})\Z")


@dataclass(frozen=True, slots=True)
class Group:
    """Equal replicas of a job. None for limits that are not stated."""

    name: str
    replicas: int
    min_replicas: int | None = None
    max_replicas: int | None = None
    spares: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """`rank` counts the pods of the job from 0; None where the job gives none."""

    rank: int | None = None
    role: str = ""
    group: str = ""


def groups_of(resource: Resource, job: TrainingJob) -> list[Group]:
    """The job's groups of replicas in its order; a batch Job is one without a name."""
    spec = job.spec
    elastic = spec.elastic_policy
    least = _limit(elastic.min_replicas if elastic else None)
    most = _limit(elastic.max_replicas if elastic else None)
    if resource is JOB:
        return [Group("", job.replicas())]
    if resource is RAY_CLUSTER:
        workers = [_group(s.group_name, s, None, None) for s in spec.worker_groups or ()]
        return [Group("head", 1), *workers]
    if resource is PYTORCH_JOB:
        named = (spec.pytorch_replica_specs or {}).items()
        ordered = sorted(named, key=lambda entry: (entry[0].lower() != "master", entry[0]))
        return [
            _group(name, s, *((least, most) if name.lower() == "worker" else (None, None)))
            for name, s in ordered
        ]
    return [_group(s.name, s, least, most) for s in spec.replica_specs or ()]


def part_of(resource: Resource, job: TrainingJob, groups: Sequence[Group], pod: Pod) -> Part:
    """The part of one pod."""
    labels = pod.metadata.labels or {}
    if resource is JOB:
        annotations = pod.metadata.annotations
        index = labels.get(_COMPLETION_INDEX) or (
            annotations.completion_index if annotations else None
        )
        return Part(_number(index))
    if resource is RAY_CLUSTER:
        role = labels.get("ray.io/node-type", "")
        return Part(None, role, "head" if role == "head" else labels.get("ray.io/group", ""))
    if resource is PYTORCH_JOB:
        return _of_kubeflow(labels, groups)
    if resource is HYPERPOD_PYTORCH_JOB:
        return _of_hyperpod(job, labels, groups, pod.metadata.name)
    return Part()


def _of_kubeflow(labels: Mapping[str, str], groups: Sequence[Group]) -> Part:
    """The operator sets RANK so: the master's is 0, the workers' follow."""
    role = (labels.get(f"{_KUBEFLOW}replica-type") or labels.get("replica-type", "")).lower()
    index = _number(labels.get(f"{_KUBEFLOW}replica-index") or labels.get("replica-index"))
    group = next((g.name for g in groups if g.name.lower() == role), "")
    masters = sum(g.replicas for g in groups if g.name.lower() == "master")
    if index is not None and role == "worker":
        index += masters
    return Part(index, role, group)


def _of_hyperpod(
    job: TrainingJob, labels: Mapping[str, str], groups: Sequence[Group], name: str
) -> Part:
    """Pods are `<job>-<group>-<index>`; ranks go on from one group to the next."""
    rest = name.removeprefix(f"{job.metadata.name}-")
    group = labels.get("ReplicaSpec", "")
    if not group:
        group = next((g.name for g in groups if rest.startswith(f"{g.name}-")), "")
    found = _LAST_NUMBER.search(name)
    index = _number(labels.get("ReplicaIndex") or (found[1] if found else None))
    before = 0
    for each in groups:
        if each.name == group:
            break
        before += each.replicas
    rank = None if index is None else before + index
    master = job.status.master_address or ""
    is_master = master.partition(".")[0] == name if master else rank == 0
    return Part(rank, "master" if is_master else "worker", group)


def _group(name: str, spec: ReplicaSpec, least: int | None, most: int | None) -> Group:
    replicas = 1 if spec.replicas is None else whole(spec.replicas)
    own_least, own_most = _limit(spec.min_replicas), _limit(spec.max_replicas)
    return Group(
        name,
        replicas,
        least if own_least is None else own_least,
        most if own_most is None else own_most,
        whole(spec.spares),
    )


def _limit(value: object) -> int | None:
    return None if value is None else whole(value)  # type: ignore[arg-type]


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdecimal()):
        return None
    return min(int(text), 2**31 - 1)
