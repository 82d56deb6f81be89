"""Which pods belong to a training job, and what they hold together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.list_fields import restarts
from services.k8s_resource.domain.objects.pods import GPU, Pod, device_requests
from services.k8s_resource.domain.pod_owner import JOB_LABELS
from services.k8s_resource.domain.resources import Resource


@dataclass(slots=True)
class JobFigures:
    """Pods of a job by phase, GPUs that its unfinished ones request, restarts of containers."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    gpu_request: int = 0
    restarts: int = 0


def pods_of(resource: Resource, job: Item, pods: Store) -> list[Item]:
    """The pods of a job: same namespace, and its name in the operator's label."""
    namespace, name = job.key
    for label in JOB_LABELS.get(resource, ()):
        keys = pods.labelled(label, name)
        if keys:
            found = (pods.get(key) for key in keys if key[0] == namespace)
            return [pod for pod in found if pod is not None]
    return []


def figures_of(pods: Iterable[Item]) -> JobFigures:
    """The figures of a job's pods. A pod whose requests cannot be read counts no GPUs here; its
    node's inventory tells the error."""
    figures = JobFigures()
    for item in pods:
        pod: Pod = item.decoded
        figures.restarts += restarts(pod)
        match pod.status.phase:
            case "Succeeded":
                figures.succeeded += 1
                continue
            case "Failed":
                figures.failed += 1
                continue
            case "Running":
                figures.running += 1
            case _:
                figures.pending += 1
        try:
            figures.gpu_request += device_requests(pod).get(GPU, 0)
        except ValueError:
            continue
    return figures
