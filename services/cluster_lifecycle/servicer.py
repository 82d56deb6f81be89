"""The RPCs of ClusterLifecycleService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as pb_grpc

from services.cluster_lifecycle import convert
from services.cluster_lifecycle.domain.config_rules import check_tag
from services.cluster_lifecycle.domain.logs import Logs
from services.cluster_lifecycle.domain.registry import Registry
from services.cluster_lifecycle.domain.status import Status
from services.cluster_lifecycle.domain.step_requests import StepRequests
from services.common.calls import current_call
from services.common.operations.convert import operation_to_pb
from services.common.operations.ports import OperationEngine
from services.common.server import Draining

FULL_NAME = pb.DESCRIPTOR.services_by_name["ClusterLifecycleService"].full_name


class ClusterLifecycleServicer(pb_grpc.ClusterLifecycleServiceServicer):
    """Each RPC: convert, call the use case, convert back. Errors are the pipeline's."""

    def __init__(
        self,
        registry: Registry,
        steps: StepRequests,
        status: Status,
        logs: Logs,
        engine: OperationEngine,
        draining: Draining,
    ) -> None:
        self._registry = registry
        self._steps = steps
        self._status = status
        self._logs = logs
        self._engine = engine
        self._draining = draining.event

    async def CreateCluster(
        self, request: pb.CreateClusterRequest, context: Any
    ) -> pb.CreateClusterResponse:
        cluster = await self._registry.create(
            request.cluster.tag,
            convert.config_from_pb(request.cluster.config),
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.CreateClusterResponse(cluster=convert.cluster_to_pb(cluster))

    async def GetCluster(
        self, request: pb.GetClusterRequest, context: Any
    ) -> pb.GetClusterResponse:
        cluster = await self._registry.get(request.tag)
        return pb.GetClusterResponse(cluster=convert.cluster_to_pb(cluster))

    async def ListClusters(
        self, request: pb.ListClustersRequest, context: Any
    ) -> pb.ListClustersResponse:
        page = await self._registry.list(request.page_size, request.page_token)
        return pb.ListClustersResponse(
            clusters=[convert.cluster_to_pb(cluster) for cluster in page.clusters],
            next_page_token=page.next_page_token,
            total_size=page.total_size,
        )

    async def UpdateCluster(
        self, request: pb.UpdateClusterRequest, context: Any
    ) -> pb.UpdateClusterResponse:
        cluster, backup = await self._registry.update(
            request.cluster.tag,
            convert.config_from_pb(request.cluster.config),
            etag=request.cluster.etag,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.UpdateClusterResponse(cluster=convert.cluster_to_pb(cluster), backup=backup)

    async def DeleteCluster(
        self, request: pb.DeleteClusterRequest, context: Any
    ) -> pb.DeleteClusterResponse:
        archive = await self._registry.delete(
            request.tag,
            etag=request.etag,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.DeleteClusterResponse(archive=archive)

    async def Launch(self, request: pb.LaunchRequest, context: Any) -> pb.LaunchResponse:
        operation = await self._steps.launch(
            request.tag,
            actor=current_call().principal.name,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.LaunchResponse(operation=operation_to_pb(operation) if operation else None)

    async def Configure(self, request: pb.ConfigureRequest, context: Any) -> pb.ConfigureResponse:
        operation = await self._steps.configure(
            request.tag,
            actor=current_call().principal.name,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.ConfigureResponse(operation=operation_to_pb(operation) if operation else None)

    async def GetOperation(
        self, request: pb.GetOperationRequest, context: Any
    ) -> pb.GetOperationResponse:
        operation = await self._engine.get(request.id)
        return pb.GetOperationResponse(operation=operation_to_pb(operation))

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Any
    ) -> pb.ListOperationsResponse:
        if request.tag:
            check_tag(request.tag)
        states = convert.operation_states_from_pb(request.states)
        page = await self._engine.list(
            target=request.tag,
            states=states,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListOperationsResponse(
            operations=[operation_to_pb(operation) for operation in page.operations],
            next_page_token=page.next_page_token,
        )

    async def CancelOperation(
        self, request: pb.CancelOperationRequest, context: Any
    ) -> pb.CancelOperationResponse:
        operation = await self._engine.cancel(request.id)
        return pb.CancelOperationResponse(operation=operation_to_pb(operation))

    async def WatchOperations(
        self, request: pb.WatchOperationsRequest, context: Any
    ) -> AsyncIterator[pb.WatchOperationsResponse]:
        if request.tag:
            check_tag(request.tag)
        batches = self._engine.subscribe(
            self._draining, target=request.tag, operation_id=request.id
        )
        async with aclosing(batches) as open_:
            async for batch in open_:
                yield convert.operation_batch_to_pb(batch)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
        status = await self._status.get(request.tag, consistent=request.consistent)
        return pb.GetStatusResponse(
            launch=convert.launch_status_to_pb(status.launch),
            configure=convert.configure_status_to_pb(status.configure),
        )

    async def ListLogs(self, request: pb.ListLogsRequest, context: Any) -> pb.ListLogsResponse:
        logs = await self._logs.list(request.tag, request.step)
        return pb.ListLogsResponse(logs=[convert.log_file_to_pb(log) for log in logs])

    async def ReadLog(self, request: pb.ReadLogRequest, context: Any) -> pb.ReadLogResponse:
        chunk = await self._logs.read(
            request.tag, request.log_id, request.offset, request.max_bytes
        )
        return convert.log_chunk_to_pb(chunk)

    async def TailLog(
        self, request: pb.TailLogRequest, context: Any
    ) -> AsyncIterator[pb.TailLogResponse]:
        pieces = self._logs.tail(
            request.tag, request.log_id, request.offset, request.resume_token, self._draining
        )
        first = True
        async with aclosing(pieces) as open_:
            async for piece in open_:
                yield convert.tail_piece_to_pb(piece, first=first)
                first = False
