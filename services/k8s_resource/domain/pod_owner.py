"""On whose behalf a pod runs: its training job, its controller, or nobody's but its own."""

from __future__ import annotations

from typing import NamedTuple

from services.k8s_resource.domain.objects.metadata import ObjectMeta, OwnerReference
from services.k8s_resource.domain.resources import (
    HYPERPOD_PYTORCH_JOB,
    JOB,
    PYTORCH_JOB,
    RAY_CLUSTER,
    Resource,
)

JOB_LABELS: dict[Resource, tuple[str, ...]] = {
    HYPERPOD_PYTORCH_JOB: ("HPJob",),
    JOB: ("batch.kubernetes.io/job-name", "job-name"),
    PYTORCH_JOB: ("training.kubeflow.org/job-name",),
    RAY_CLUSTER: ("ray.io/cluster",),
}
"""The labels by which each operator marks the pods of a job with the job's name."""

_TEMPLATE_HASH = "pod-template-hash"
_JOB_KINDS = {(job.group, job.kind) for job in JOB_LABELS}


class Owner(NamedTuple):
    """What pods are counted for."""

    api_version: str
    kind: str
    namespace: str
    name: str


def owner_of(metadata: ObjectMeta) -> Owner:
    """The owner of a pod.

    An owner that is a training job itself is taken before the labels: operators of other
    kinds use the same ones. A ReplicaSet stands for its Deployment, whose name it has with
    the hash of the pod template after it.
    """
    labels = metadata.labels or {}
    controller = metadata.controller()
    namespace = metadata.namespace
    if controller is not None and (_group(controller), controller.kind) in _JOB_KINDS:
        return Owner(controller.api_version, controller.kind, namespace, controller.name)
    for job, keys in JOB_LABELS.items():
        for key in keys:
            if name := labels.get(key, ""):
                if job is PYTORCH_JOB and controller is not None:
                    break  # TFJob, MPIJob and others use the same label
                return Owner(job.api_version, job.kind, namespace, name)
    if controller is None:
        return Owner("v1", "Pod", namespace, metadata.name)
    suffix = f"-{labels.get(_TEMPLATE_HASH, '')}"
    if controller.kind == "ReplicaSet" and len(suffix) > 1 and controller.name.endswith(suffix):
        return Owner("apps/v1", "Deployment", namespace, controller.name.removesuffix(suffix))
    return Owner(controller.api_version, controller.kind, namespace, controller.name)


def training_job_of(metadata: ObjectMeta) -> Owner | None:
    """The training job that a pod belongs to."""
    owner = owner_of(metadata)
    return owner if (owner.api_version.rpartition("/")[0], owner.kind) in _JOB_KINDS else None


def _group(owner: OwnerReference) -> str:
    return owner.api_version.rpartition("/")[0]
