"""Which pods belong to a training job, and what they hold together."""

from __future__ import annotations

from dataclasses import dataclass

from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.objects.pods import GPU, device_requests
from services.k8s_resource.domain.pod_owner import JOB_LABELS
from services.k8s_resource.domain.resources import Resource


@dataclass(frozen=True, slots=True)
class JobFigures:
    """Running pods of a job, and GPUs that its unfinished pods request."""

    active_pods: int
    gpu_request: int


def pods_of(resource: Resource, job: Item, pods: Store) -> list[Item]:
    """The pods of a job: same namespace, and its name in the operator's label."""
    namespace, name = job.key
    for label in JOB_LABELS.get(resource, ()):
        keys = pods.labelled(label, name)
        if keys:
            found = (pods.get(key) for key in keys if key[0] == namespace)
            return [pod for pod in found if pod is not None]
    return []


def figures_of(resource: Resource, job: Item, pods: Store) -> JobFigures:
    """The job's figures. A pod whose requests cannot be read counts no GPUs here; its node's
    inventory tells the error."""
    active = gpus = 0
    for pod in pods_of(resource, job, pods):
        decoded = pod.decoded
        if decoded.finished:
            continue
        active += decoded.status.phase == "Running"
        try:
            gpus += device_requests(decoded).get(GPU, 0)
        except ValueError:
            continue
    return JobFigures(active, gpus)
