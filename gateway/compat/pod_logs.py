"""A training pod's log as the panel fetches it: plain text, a file, or what is known about it.

The panel knows a pod by its job's name and its own and means its training container. It fetches
the text from a page of another origin: one that PODYARD_GATEWAY_ALLOWED_ORIGINS names.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as rpc
from podyard.k8s_resource.v1 import log_reads_pb2

from gateway.compat.calls import CallsOfRequest
from services.common.errors import NotFoundError

SERVICE = "K8sResourceService"
DOWNLOAD = f"{SERVICE}/DownloadLogs"
DEFAULT_NAMESPACE = "default"
_TRAINING_CONTAINER = "pytorch"


async def log_request(
    calls: CallsOfRequest, job: str, pod: str, namespace: str
) -> log_reads_pb2.DownloadLogsRequest:
    """What to download: the training container's log, or all of the pod's as one text.

    NotFoundError if the pod is not one of the job.
    """
    if not _is_of(job, pod):
        raise NotFoundError("pod", pod, f'job "{job}" has no pod "{pod}"')
    found = await calls(
        f"{SERVICE}/ListPods",
        rpc.ListPodsRequest(namespace=namespace, field_selector=f"metadata.name={pod}"),
        rpc.ListPodsResponse,
    )
    request = log_reads_pb2.DownloadLogsRequest(namespace=namespace, pod=pod)
    names = _containers(found.pods)
    if _TRAINING_CONTAINER in names:
        request.containers.append(_TRAINING_CONTAINER)
    elif len(names) > 1:
        request.format = log_reads_pb2.LOG_DOWNLOAD_FORMAT_MERGED
    return request


async def log_info(
    calls: CallsOfRequest, request: log_reads_pb2.DownloadLogsRequest
) -> dict[str, Any]:
    """The size of the text in bytes, and when its first and its last line were written."""
    size = 0
    async for body in calls.stream(DOWNLOAD, request):
        size += len(body.data)
    first = await _edge(calls, request, log_reads_pb2.LOG_PAGE_EDGE_OLDEST)
    last = await _edge(calls, request, log_reads_pb2.LOG_PAGE_EDGE_NEWEST)
    container = f"/{request.containers[0]}" if request.containers else ""
    return {
        "size": size,
        "created": _time(first),
        "modified": _time(last),
        "path": f"{request.namespace}/{request.pod}{container}",
    }


async def _edge(
    calls: CallsOfRequest,
    request: log_reads_pb2.DownloadLogsRequest,
    edge: log_reads_pb2.LogPageEdge,
) -> int | None:
    """The time of the first or the last line, in nanoseconds; None without any."""
    page = await calls(
        f"{SERVICE}/GetLogs",
        log_reads_pb2.GetLogsRequest(
            namespace=request.namespace,
            pod=request.pod,
            containers=request.containers,
            edge=edge,
            page_size=1,
        ),
        log_reads_pb2.GetLogsResponse,
    )
    return page.lines[0].time_unix_nano[0] if page.lines else None


def _is_of(job: str, pod: str) -> bool:
    """Every operator names the pods of a job after it."""
    return bool(job) and pod.startswith(f"{job}-")


def _containers(pods: Any) -> list[str]:
    return [container.name for pod in pods for container in pod.containers if not container.init]


def _time(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    text: str = Timestamp(seconds=nanoseconds // 10**9).ToJsonString()
    return text
