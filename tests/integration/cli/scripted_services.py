"""Podyard's services with scripted answers, behind real gRPC servers.

They stand in where a test needs what a real service cannot be made to do on demand: many
pages, every kind of error, an end of the stream at a given event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as lifecycle
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as lifecycle_grpc
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import operation_pb2, stream_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as k8s_grpc
from podyard.k8s_resource.v1 import logs_pb2, objects_pb2, watch_pb2
from podyard.training_history.v1 import training_history_service_pb2 as history
from podyard.training_history.v1 import training_history_service_pb2_grpc as history_grpc

from services.common import errors
from services.common.health import Dependency
from services.common.server import Draining, GrpcServer, Registration

STACK_TIME = Timestamp(seconds=1_700_000_000)


class Journal:
    """An append-only sequence that streams read from any position, as the real caches are.

    It outlives the servers, so a restarted one goes on where a token says.
    """

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.closed = False
        self._changed = asyncio.Condition()

    async def add(self, *items: Any) -> None:
        async with self._changed:
            self.items.extend(items)
            self._changed.notify_all()

    async def close(self) -> None:
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    async def after(self, position: int, draining: Draining) -> list[Any]:
        """The items after a position, at least one; none at the end or when draining."""
        drain = asyncio.create_task(draining.event.wait())
        change = asyncio.create_task(self._more(position))
        try:
            await asyncio.wait({drain, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drain.cancel()
            change.cancel()
        return self.items[position:]

    async def _more(self, position: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.items) > position or self.closed)


def draining_end() -> stream_pb2.StreamEnd:
    return stream_pb2.StreamEnd(
        reason=stream_pb2.STREAM_END_REASON_DRAINING, message="the service is stopping"
    )


@dataclass
class Script:
    """What the services say. Shared by the servers of one test, over their restarts."""

    pods: list[objects_pb2.Pod] = field(default_factory=list)
    nodes: list[objects_pb2.Node] = field(default_factory=list)
    objects: dict[tuple[str, str], objects_pb2.KubernetesObject] = field(default_factory=dict)
    reachable: bool = True
    stale_reason: str = ""
    cluster_info: dict[str, Any] = field(default_factory=dict)
    fail_with: Exception | None = None
    explain_ends: bool = True
    watch: Journal = field(default_factory=Journal)
    logs: Journal = field(default_factory=Journal)
    launch_log: Journal = field(default_factory=Journal)
    operations: Journal = field(default_factory=Journal)
    clusters: dict[str, cluster_pb2.Cluster] = field(default_factory=dict)
    runs: list[history.Run] = field(default_factory=list)
    columns: list[history.Column] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    connected: Journal = field(default_factory=Journal)

    async def note(self, request: Any) -> None:
        self.requests.append(request)
        await self.connected.add(request)
        if self.fail_with:
            raise self.fail_with


def page(items: list[Any], request: Any) -> tuple[list[Any], str]:
    start = int(request.page_token or 0)
    size = request.page_size or 100
    end = start + size
    return items[start:end], str(end) if end < len(items) else ""


class Kubernetes(k8s_grpc.K8sResourceServiceServicer):
    def __init__(self, script: Script, draining: Draining) -> None:
        self.script = script
        self.draining = draining

    async def ListClusterConnections(
        self, request: k8s.ListClusterConnectionsRequest, context: Any
    ) -> k8s.ListClusterConnectionsResponse:
        await self.script.note(request)
        connection = k8s.ClusterConnection(name="lab", default=True, server="https://lab")
        return k8s.ListClusterConnectionsResponse(connections=[connection])

    async def GetClusterInfo(
        self, request: k8s.GetClusterInfoRequest, context: Any
    ) -> k8s.GetClusterInfoResponse:
        await self.script.note(request)
        up = self.script.reachable
        problem = "" if up else "connection refused; start the API server"
        return k8s.GetClusterInfoResponse(
            cluster="lab",
            server="https://lab",
            reachable=up,
            version="v1.37.2",
            problem=problem,
            **self.script.cluster_info,
        )

    async def ListPods(self, request: k8s.ListPodsRequest, context: Any) -> k8s.ListPodsResponse:
        await self.script.note(request)
        found = [
            pod
            for pod in self.script.pods
            if request.namespace in ("", pod.namespace)
            and request.field_selector in ("", f"metadata.name={pod.name}")
        ]
        pods, token = page(found, request)
        answer = k8s.ListPodsResponse(pods=pods, next_page_token=token, total_size=len(found))
        answer.freshness.stale = bool(self.script.stale_reason)
        answer.freshness.stale_reason = self.script.stale_reason
        return answer

    async def ListNodes(self, request: k8s.ListNodesRequest, context: Any) -> k8s.ListNodesResponse:
        await self.script.note(request)
        return k8s.ListNodesResponse(nodes=self.script.nodes, total_size=len(self.script.nodes))

    async def ListObjects(
        self, request: k8s.ListObjectsRequest, context: Any
    ) -> k8s.ListObjectsResponse:
        await self.script.note(request)
        found = [value for (kind, _), value in self.script.objects.items() if kind == request.kind]
        objects, token = page(found, request)
        return k8s.ListObjectsResponse(objects=objects, next_page_token=token)

    async def GetObject(self, request: k8s.GetObjectRequest, context: Any) -> k8s.GetObjectResponse:
        await self.script.note(request)
        found = self.script.objects.get((request.kind, request.name))
        if found is None:
            raise errors.NotFoundError(request.kind, request.name)
        return k8s.GetObjectResponse(object=found)

    async def Apply(self, request: k8s.ApplyRequest, context: Any) -> k8s.ApplyResponse:
        await self.script.note(request)
        answer = k8s.ApplyResponse()
        for number, name in enumerate(request.manifest.split()):
            result = answer.results.add(document=number)
            result.ref.kind, result.ref.name = "ConfigMap", name
            result.action = k8s.APPLY_ACTION_CREATED
            if name == "refused":
                result.action = k8s.APPLY_ACTION_FAILED
                result.error.code, result.error.message = 9, "conflict with kubectl: use --force"
        return answer

    async def Delete(self, request: k8s.DeleteRequest, context: Any) -> k8s.DeleteResponse:
        await self.script.note(request)
        answer = k8s.DeleteResponse()
        for key in request.objects:
            result = answer.results.add(outcome=k8s.DELETE_OUTCOME_DELETED)
            result.ref.kind, result.ref.name, result.ref.namespace = (
                key.kind,
                key.name,
                key.namespace,
            )
        return answer

    async def Watch(
        self, request: watch_pb2.WatchRequest, context: Any
    ) -> AsyncIterator[watch_pb2.WatchResponse]:
        await self.script.note(request)
        async for events, position in self._follow(self.script.watch, request.resume_token):
            yield watch_pb2.WatchResponse(events=events, resume_token=position)
        if self.script.explain_ends:
            end = watch_pb2.WatchEvent(type=watch_pb2.WATCH_EVENT_TYPE_END, end=self._end())
            yield watch_pb2.WatchResponse(events=[end])

    async def TailLogs(
        self, request: logs_pb2.TailLogsRequest, context: Any
    ) -> AsyncIterator[logs_pb2.TailLogsResponse]:
        await self.script.note(request)
        async for events, position in self._follow(self.script.logs, request.resume_token):
            yield logs_pb2.TailLogsResponse(events=events, resume_token=position)
        if self.script.explain_ends:
            marker = logs_pb2.LogMarker(type=logs_pb2.LOG_MARKER_TYPE_END, end=self._end())
            yield logs_pb2.TailLogsResponse(events=[logs_pb2.LogEvent(marker=marker)])

    async def _follow(self, journal: Journal, token: str) -> AsyncIterator[tuple[list[Any], str]]:
        """Batches of at most three events, so that breaks fall between and inside of bursts."""
        position = int(token or 0)
        while not self.draining.is_set():
            events = (await journal.after(position, self.draining))[:3]
            position += len(events)
            if events:
                yield events, str(position)
            elif journal.closed:
                return
        if not self.script.explain_ends:
            await asyncio.Event().wait()  # until the server cuts the connection

    def _end(self) -> stream_pb2.StreamEnd:
        if self.draining.is_set():
            return draining_end()
        return stream_pb2.StreamEnd(reason=stream_pb2.STREAM_END_REASON_FINISHED)


class Lifecycle(lifecycle_grpc.ClusterLifecycleServiceServicer):
    def __init__(self, script: Script, draining: Draining) -> None:
        self.script = script
        self.draining = draining

    async def CreateCluster(
        self, request: lifecycle.CreateClusterRequest, context: Any
    ) -> lifecycle.CreateClusterResponse:
        await self.script.note(request)
        bad = [
            errors.FieldViolation(f"cluster.config.{name}", "has a character that is not allowed")
            for name in ("aws_region", "stack_name")
            if ";" in getattr(request.cluster.config, name)
        ]
        if bad:
            raise errors.InvalidArgumentError.fields(bad)
        if not request.validate_only:
            self.script.clusters[request.cluster.tag] = request.cluster
        return lifecycle.CreateClusterResponse(cluster=request.cluster)

    async def GetCluster(
        self, request: lifecycle.GetClusterRequest, context: Any
    ) -> lifecycle.GetClusterResponse:
        await self.script.note(request)
        if request.tag not in self.script.clusters:
            raise errors.NotFoundError("cluster", request.tag)
        return lifecycle.GetClusterResponse(cluster=self.script.clusters[request.tag])

    async def UpdateCluster(
        self, request: lifecycle.UpdateClusterRequest, context: Any
    ) -> lifecycle.UpdateClusterResponse:
        await self.script.note(request)
        self.script.clusters[request.cluster.tag] = request.cluster
        return lifecycle.UpdateClusterResponse(cluster=request.cluster, backup="init_envs.backup.1")

    async def DeleteCluster(
        self, request: lifecycle.DeleteClusterRequest, context: Any
    ) -> lifecycle.DeleteClusterResponse:
        await self.script.note(request)
        self.script.clusters.pop(request.tag)
        return lifecycle.DeleteClusterResponse(archive=f"archive/{request.tag}")

    async def Launch(
        self, request: lifecycle.LaunchRequest, context: Any
    ) -> lifecycle.LaunchResponse:
        await self.script.note(request)
        return lifecycle.LaunchResponse(operation=self._operation())

    async def GetOperation(
        self, request: lifecycle.GetOperationRequest, context: Any
    ) -> lifecycle.GetOperationResponse:
        await self.script.note(request)
        return lifecycle.GetOperationResponse(operation=self._operation())

    async def WatchOperations(
        self, request: lifecycle.WatchOperationsRequest, context: Any
    ) -> AsyncIterator[lifecycle.WatchOperationsResponse]:
        await self.script.note(request)
        journal = self.script.operations
        position = max(0, len(journal.items) - 1)  # the present state first
        while not self.draining.is_set():
            for state in await journal.after(position, self.draining):
                position += 1
                event = lifecycle.OperationEvent(
                    type=lifecycle.OPERATION_EVENT_TYPE_STATE, operation=state
                )
                yield lifecycle.WatchOperationsResponse(events=[event])
                if state.state >= operation_pb2.OPERATION_STATE_SUCCEEDED:
                    return
        end = lifecycle.OperationEvent(type=lifecycle.OPERATION_EVENT_TYPE_END, end=draining_end())
        yield lifecycle.WatchOperationsResponse(events=[end])

    async def TailLog(
        self, request: lifecycle.TailLogRequest, context: Any
    ) -> AsyncIterator[lifecycle.TailLogResponse]:
        await self.script.note(request)
        journal = self.script.launch_log
        offset = int(request.resume_token or request.offset)
        log = cluster_pb2.LogFile(id="2026-01-01_00-00-00_launch", step="launch")
        while not self.draining.is_set():
            content = "".join((await journal.after(0, self.draining)) or "")
            if len(content) > offset:
                piece, offset = content[offset:], len(content)
                yield lifecycle.TailLogResponse(
                    log=log, content=piece, next_offset=offset, resume_token=str(offset)
                )
            elif journal.closed:
                end = stream_pb2.StreamEnd(reason=stream_pb2.STREAM_END_REASON_FINISHED)
                yield lifecycle.TailLogResponse(next_offset=offset, end=end)
                return
            else:
                await journal.after(len(journal.items), self.draining)
        yield lifecycle.TailLogResponse(next_offset=offset, end=draining_end())

    def _operation(self) -> operation_pb2.Operation:
        operation: operation_pb2.Operation = self.script.operations.items[-1]
        return operation


class History(history_grpc.TrainingHistoryServiceServicer):
    def __init__(self, script: Script, draining: Draining) -> None:
        self.script = script

    async def ListRuns(
        self, request: history.ListRunsRequest, context: Any
    ) -> history.ListRunsResponse:
        await self.script.note(request)
        runs, token = page(self.script.runs, request)
        return history.ListRunsResponse(
            runs=runs, next_page_token=token, total_size=len(self.script.runs)
        )

    async def ListColumns(
        self, request: history.ListColumnsRequest, context: Any
    ) -> history.ListColumnsResponse:
        await self.script.note(request)
        return history.ListColumnsResponse(columns=self.script.columns)

    async def DeleteRuns(
        self, request: history.DeleteRunsRequest, context: Any
    ) -> history.DeleteRunsResponse:
        await self.script.note(request)
        answer = history.DeleteRunsResponse()
        for run_id in request.run_ids:
            known = any(run.run_id == run_id for run in self.script.runs)
            result = answer.results.add(run_id=run_id, deleted=known)
            if not known:
                result.error.code, result.error.message = 5, f'run "{run_id}" does not exist'
        return answer

    async def GetSyncStatus(
        self, request: history.GetSyncStatusRequest, context: Any
    ) -> history.GetSyncStatusResponse:
        await self.script.note(request)
        return history.GetSyncStatusResponse(
            tracking_uri="http://mlflow", reachable=True, runs=len(self.script.runs), experiments=1
        )


_K8S = "podyard.k8s_resource.v1.K8sResourceService"
_LIFECYCLE = "podyard.cluster_lifecycle.v1.ClusterLifecycleService"
_HISTORY = "podyard.training_history.v1.TrainingHistoryService"


class Services:
    """The three services on ports of their own, which stay the same over a restart."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.ports = {"k8s_resource": 0, "cluster_lifecycle": 0, "training_history": 0}
        self._servers: dict[str, GrpcServer] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {f"PODYARD_{name.upper()}_ADDRESS": self.address(name) for name in self.ports}

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    async def start(self, *names: str) -> None:
        for name in names or tuple(self.ports):
            draining = Draining()
            self._servers[name] = GrpcServer(
                f"127.0.0.1:{self.ports[name]}",
                [self._registration(name, draining)],
                draining,
                dependencies=[Dependency("upstream", self._probe)],
                drain_seconds=5.0 if self.script.explain_ends else 0.0,
            )
            self.ports[name] = await self._servers[name].start()

    async def stop(self, *names: str) -> None:
        for name in names or tuple(self._servers):
            await self._servers.pop(name).stop()

    async def restart(self, name: str) -> None:
        await self.stop(name)
        await self.start(name)

    async def _probe(self) -> None:
        if not self.script.reachable:
            raise ConnectionError("refused")

    def _registration(self, name: str, draining: Draining) -> Registration:
        match name:
            case "k8s_resource":
                return Registration(
                    _K8S,
                    k8s_grpc.add_K8sResourceServiceServicer_to_server,
                    Kubernetes(self.script, draining),
                )
            case "cluster_lifecycle":
                return Registration(
                    _LIFECYCLE,
                    lifecycle_grpc.add_ClusterLifecycleServiceServicer_to_server,
                    Lifecycle(self.script, draining),
                )
            case _:
                return Registration(
                    _HISTORY,
                    history_grpc.add_TrainingHistoryServiceServicer_to_server,
                    History(self.script, draining),
                )


@contextlib.asynccontextmanager
async def running(script: Script) -> AsyncIterator[Services]:
    """The three services for the time of a block."""
    services = Services(script)
    await services.start()
    try:
        yield services
    finally:
        await services.stop()
