"""Kubernetes as the k8s-resource service gives it, over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.common.v1 import freshness_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from services.cluster_lifecycle.domain.ports import PodSummary
from services.common.errors import (
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
    PodyardError,
    UnavailableError,
)

_TIMEOUT = 5.0
"""Seconds for one answer; the lists come from a cache."""
_PAGE_SIZE = 1000

T = TypeVar("T")


class K8sResourceReader:
    """A KubernetesReader on a channel to the k8s-resource service."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._stub = pb_grpc.K8sResourceServiceStub(channel)
        self._address = address

    async def check(self) -> None:
        """Prove that the service answers; UnavailableError."""
        try:
            await self._stub.ListClusterConnections(
                pb.ListClusterConnectionsRequest(), timeout=_TIMEOUT
            )
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error

    async def persistent_volume_phase(self, connection: str, name: str) -> str | None:
        """status.phase, None where there is no such volume."""
        request = pb.ListPersistentVolumesRequest(
            cluster=connection, field_selector=f"metadata.name={name}"
        )
        try:
            answer = await self._stub.ListPersistentVolumes(request, timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error
        _check_fresh(answer.freshness)
        return answer.persistent_volumes[0].phase if answer.persistent_volumes else None

    async def pods(
        self, connection: str, *, namespace: str = "", label_selector: str = ""
    ) -> Sequence[PodSummary]:
        """All pods that match, over all pages."""
        found: list[PodSummary] = []
        request = pb.ListPodsRequest(
            cluster=connection,
            namespace=namespace,
            label_selector=label_selector,
            page_size=_PAGE_SIZE,
        )
        while True:
            try:
                answer = await self._stub.ListPods(request, timeout=_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                raise self._error(error) from error
            _check_fresh(answer.freshness)
            found += [
                PodSummary(pod.namespace, pod.name, pod.ready, pod.display_status)
                for pod in answer.pods
            ]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def _error(self, error: grpc.aio.AioRpcError) -> PodyardError:
        return k8s_resource_error(
            error.code(), error.details() or "", _resource_name(error), self._address
        )


def k8s_resource_error(
    code: grpc.StatusCode, details: str, resource_name: str, address: str
) -> PodyardError:
    """What an error of the k8s-resource service means here."""
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return NotFoundError("cluster connection", resource_name, details)
        case grpc.StatusCode.PERMISSION_DENIED:
            return PermissionDeniedError(f"k8s-resource: {details}")
        case grpc.StatusCode.FAILED_PRECONDITION | grpc.StatusCode.INVALID_ARGUMENT:
            return FailedPreconditionError(f"k8s-resource: {details}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return UnavailableError("k8s-resource did not answer in time", retry_after=5)
        case _:
            return UnavailableError(
                f"k8s-resource at {address} cannot answer: {details}", retry_after=5
            )


def _check_fresh(freshness: freshness_pb2.Freshness) -> None:
    if freshness.stale:
        raise UnavailableError(
            f"what is known of the cluster is outdated: {freshness.stale_reason}", retry_after=5
        )


def _resource_name(error: grpc.aio.AioRpcError) -> str:
    # It reads an error just as it reads a call.
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ResourceInfo()
        if detail.Unpack(info):
            return str(info.resource_name)
    return ""
