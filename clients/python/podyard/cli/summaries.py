"""An object of a watch event in a word and a few more."""

from __future__ import annotations

from typing import Any


def summary_of(event: Any) -> tuple[str, str]:
    """State and details of the object that a WatchEvent is about; both may be empty."""
    field = event.WhichOneof("summary")
    if field not in _SUMMARIES:
        return "", ""
    state, details = _SUMMARIES[field](getattr(event, field))
    return state, "  ".join(text for text in details if text)


def _pod(pod: Any) -> tuple[str, list[str]]:
    containers = [c for c in pod.containers if not c.init]
    ready = f"{sum(1 for c in containers if c.ready)}/{len(containers)} ready"
    restarts = f"{pod.restart_count} restarts" if pod.restart_count else ""
    gpus = f"{pod.gpu_request} GPUs" if pod.gpu_request else ""
    return pod.display_status or pod.phase, [ready, restarts, gpus, pod.node_name]


def _node(node: Any) -> tuple[str, list[str]]:
    state = "Ready" if node.ready else "NotReady"
    cordoned = "" if node.schedulable else "cordoned"
    gpus = f"{node.gpu.capacity} GPUs" if node.HasField("gpu") and node.gpu.capacity else ""
    return state, [cordoned, node.instance_type, gpus, node.health_status]


def _service(service: Any) -> tuple[str, list[str]]:
    ports = ",".join(f"{p.port}/{p.protocol}" for p in service.ports)
    return service.type, [service.cluster_ip, ports, ",".join(service.external_addresses)]


def _deployment(deployment: Any) -> tuple[str, list[str]]:
    ready = deployment.ready_replicas >= deployment.replicas
    counts = f"{deployment.ready_replicas}/{deployment.replicas} ready"
    updated = f"{deployment.updated_replicas} updated"
    return "Ready" if ready else "Pending", [counts, updated]


def _persistent_volume(volume: Any) -> tuple[str, list[str]]:
    claim = f"{volume.claim.namespace}/{volume.claim.name}" if volume.HasField("claim") else ""
    return volume.phase, [volume.capacity, claim, volume.bucket]


def _training_job(job: Any) -> tuple[str, list[str]]:
    return job.state, [f"{job.replicas} pods", job.message]


def _event(event: Any) -> tuple[str, list[str]]:
    about = f"{event.involved_object.kind.lower()}/{event.involved_object.name}"
    count = f"{event.count} times" if event.count > 1 else ""
    return event.reason, [about, count, event.message]


def _namespace(namespace: Any) -> tuple[str, list[str]]:
    return namespace.phase, []


def _object(found: Any) -> tuple[str, list[str]]:
    return "", [",".join(f"{key}={found.labels[key]}" for key in sorted(found.labels))]


_SUMMARIES = {
    "pod": _pod,
    "node": _node,
    "service": _service,
    "deployment": _deployment,
    "persistent_volume": _persistent_volume,
    "training_job": _training_job,
    "event": _event,
    "namespace": _namespace,
    "object": _object,
}
