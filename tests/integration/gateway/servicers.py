"""Servicers that answer each way a service can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as lifecycle_pb
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as lifecycle_grpc
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import operation_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as k8s_grpc
from podyard.k8s_resource.v1 import log_reads_pb2, logs_pb2, objects_pb2, watch_pb2
from podyard.training_history.v1 import training_history_service_pb2 as history_pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as history_grpc

from services.common.calls import current_call
from services.common.errors import (
    AlreadyExistsError,
    ConflictError,
    FailedPreconditionError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    UnavailableError,
    UnsupportedError,
)


class Watching:
    """One open stream of a test: feed it, see it end."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.feed: asyncio.Queue[Any] = asyncio.Queue()
        self.cancelled = asyncio.Event()

    async def messages(self) -> AsyncIterator[Any]:
        try:
            while (message := await self.feed.get()) is not None:
                if isinstance(message, Exception):
                    raise message
                yield message
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        except GeneratorExit:
            self.cancelled.set()
            raise


class Kubernetes(k8s_grpc.K8sResourceServiceServicer):
    """Pods from a list, streams by hand."""

    def __init__(self) -> None:
        self.pods = [objects_pb2.Pod(name=f"pod-{index}", gpu_request=index) for index in range(3)]
        self.opened: asyncio.Queue[Watching] = asyncio.Queue()
        self.requests: list[Any] = []

    async def ListPods(self, request: k8s_pb.ListPodsRequest, context: Any) -> Any:
        self.requests.append(request)
        return k8s_pb.ListPodsResponse(pods=self.pods, total_size=len(self.pods))

    async def GetObject(self, request: k8s_pb.GetObjectRequest, context: Any) -> Any:
        found = objects_pb2.KubernetesObject(json='{"kind": "X", "spec": {"n": 1}}')
        found.ref.kind, found.ref.name = request.kind, request.name
        return k8s_pb.GetObjectResponse(object=found)

    async def Apply(self, request: k8s_pb.ApplyRequest, context: Any) -> Any:
        self.requests.append(request)
        return k8s_pb.ApplyResponse()

    async def Watch(self, request: watch_pb2.WatchRequest, context: Any) -> AsyncIterator[Any]:
        if request.kinds[0] == "nothings":
            raise InvalidArgumentError.field("kinds", "no such kind")
        async for message in self._open(request):
            yield message

    async def TailLogs(self, request: logs_pb2.TailLogsRequest, context: Any) -> AsyncIterator[Any]:
        async for message in self._open(request):
            yield message

    async def GetLogs(self, request: log_reads_pb2.GetLogsRequest, context: Any) -> Any:
        self.requests.append(request)
        oldest = request.edge == log_reads_pb2.LOG_PAGE_EDGE_OLDEST
        lines = logs_pb2.LogLines(text=["x"], time_unix_nano=[(1 if oldest else 2) * 10**9])
        return log_reads_pb2.GetLogsResponse(lines=[lines])

    async def DownloadLogs(
        self, request: log_reads_pb2.DownloadLogsRequest, context: Any
    ) -> AsyncIterator[Any]:
        async for message in self._open(request):
            yield message

    async def _open(self, request: Any) -> AsyncIterator[Any]:
        watching = Watching(request)
        self.opened.put_nowait(watching)
        messages = watching.messages()
        try:
            async for message in messages:
                yield message
        finally:
            await messages.aclose()  # type: ignore[attr-defined]


class Runs(history_grpc.TrainingHistoryServiceServicer):
    """Runs from a list."""

    def __init__(self) -> None:
        self.runs: list[history_pb.Run] = []
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.request_ids: list[str] = []
        self.time_left: float | None = None

    async def GetRun(self, request: history_pb.GetRunRequest, context: Any) -> Any:
        self.request_ids.append(current_call().request_id)
        self.time_left = context.time_remaining()
        match request.run_id:
            case "missing":
                raise NotFoundError("run", "missing")
            case "down":
                raise UnavailableError("MLflow is down", retry_after=2.5)
            case "bug":
                raise RuntimeError("secret detail")
            case "slow":
                await self._wait()
        return history_pb.GetRunResponse(run=history_pb.Run(run_id=request.run_id))

    async def _wait(self) -> None:
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def ListRuns(self, request: history_pb.ListRunsRequest, context: Any) -> Any:
        start = int(request.page_token or 0)
        end = start + min(request.page_size or 100, 1000)
        token = str(end) if end < len(self.runs) else ""
        return history_pb.ListRunsResponse(runs=self.runs[start:end], next_page_token=token)

    async def GetSyncStatus(self, request: history_pb.GetSyncStatusRequest, context: Any) -> Any:
        raise UnsupportedError("this server has no cache")

    async def DeleteRuns(self, request: history_pb.DeleteRunsRequest, context: Any) -> Any:
        answer = history_pb.DeleteRunsResponse()
        for run_id in request.run_ids:
            result = answer.results.add(run_id=run_id)
            before = len(self.runs)
            self.runs = [run for run in self.runs if run.run_id != run_id]
            result.deleted = len(self.runs) < before
            if not result.deleted:
                result.error.code = 5
                result.error.message = f'run "{run_id}" does not exist'
        return answer


class Clusters(lifecycle_grpc.ClusterLifecycleServiceServicer):
    """A registry in memory, with one launch log of bytes."""

    def __init__(self) -> None:
        self.clusters: dict[str, cluster_pb2.Cluster] = {}
        self.log = b""
        self.log_id = "2026-01-31_08-30-00_launch"
        self.complete = False
        self.clock = 0
        self.launched: list[str] = []
        self.reads = 0
        self.operation_state = operation_pb2.OPERATION_STATE_RUNNING

    def _stamp(self, cluster: cluster_pb2.Cluster) -> None:
        self.clock += 1
        cluster.update_time.seconds = self.clock
        cluster.etag = str(self.clock)

    async def CreateCluster(self, request: lifecycle_pb.CreateClusterRequest, context: Any) -> Any:
        cluster = request.cluster
        if ";" in cluster.config.gpu_instance_type:
            violation = FieldViolation("cluster.config.gpu_instance_type", "must be a type")
            raise InvalidArgumentError.fields([violation])
        if cluster.tag in self.clusters:
            raise AlreadyExistsError("cluster", cluster.tag)
        self._stamp(cluster)
        self.clusters[cluster.tag] = cluster
        return lifecycle_pb.CreateClusterResponse(cluster=cluster)

    async def UpdateCluster(self, request: lifecycle_pb.UpdateClusterRequest, context: Any) -> Any:
        present = self.clusters[request.cluster.tag]
        if request.cluster.etag != present.etag:
            raise ConflictError("changed since")
        backup = ""
        if present.config != request.cluster.config:
            present.config.CopyFrom(request.cluster.config)
            self._stamp(present)
            backup = "init_envs.backup.1"
        return lifecycle_pb.UpdateClusterResponse(cluster=present, backup=backup)

    async def ListClusters(self, request: lifecycle_pb.ListClustersRequest, context: Any) -> Any:
        return lifecycle_pb.ListClustersResponse(clusters=list(self.clusters.values()))

    async def Launch(self, request: lifecycle_pb.LaunchRequest, context: Any) -> Any:
        self.launched.append(request.tag)
        return lifecycle_pb.LaunchResponse(operation=self._operation(request.tag))

    async def Configure(self, request: lifecycle_pb.ConfigureRequest, context: Any) -> Any:
        raise FailedPreconditionError("configure needs a launched cluster")

    async def GetStatus(self, request: lifecycle_pb.GetStatusRequest, context: Any) -> Any:
        answer = lifecycle_pb.GetStatusResponse()
        answer.launch.state = cluster_pb2.STEP_STATE_NOT_STARTED
        answer.launch.stack_name = f"full-stack-{request.tag}"
        if request.tag in self.launched:
            answer.launch.operation.CopyFrom(self._operation(request.tag))
            if request.consistent:
                answer.launch.state = cluster_pb2.STEP_STATE_COMPLETED
        answer.configure.state = cluster_pb2.STEP_STATE_NOT_STARTED
        return answer

    def _operation(self, tag: str) -> operation_pb2.Operation:
        return operation_pb2.Operation(
            id=f"{tag}.1", target=tag, state=self.operation_state, log_id=self.log_id
        )

    async def GetOperation(self, request: lifecycle_pb.GetOperationRequest, context: Any) -> Any:
        return lifecycle_pb.GetOperationResponse(
            operation=self._operation(request.id.partition(".")[0])
        )

    async def ListOperations(
        self, request: lifecycle_pb.ListOperationsRequest, context: Any
    ) -> Any:
        return lifecycle_pb.ListOperationsResponse(operations=[self._operation(request.tag)])

    def _log(self, tag: str) -> cluster_pb2.LogFile:
        return cluster_pb2.LogFile(
            id=self.log_id,
            step="launch",
            size=len(self.log),
            complete=self.complete,
            operation_id=f"{tag}.1",
        )

    async def ListLogs(self, request: lifecycle_pb.ListLogsRequest, context: Any) -> Any:
        answer = lifecycle_pb.ListLogsResponse()
        if self.log and request.step in ("", "launch"):
            answer.logs.append(self._log(request.tag))
        return answer

    async def ReadLog(self, request: lifecycle_pb.ReadLogRequest, context: Any) -> Any:
        self.reads += 1
        if request.offset > len(self.log):
            raise OutOfRangeError("past the end")
        # Cut at a character, as the service promises: what is cut off comes with the next piece.
        piece = self.log[request.offset : request.offset + (request.max_bytes or 65536)]
        content = piece.decode(errors="ignore")
        return lifecycle_pb.ReadLogResponse(
            content=content,
            next_offset=request.offset + len(content.encode()),
            size=len(self.log),
            complete=self.complete,
            log=self._log(request.tag),
        )
