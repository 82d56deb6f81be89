"""HyperPod clusters: registry, configuration, operations, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from podyard.client.channel import ServiceChannel, new_request_id
from podyard.client.listing import Listing
from podyard.client.streams import Batch, Interruption, ResumingStream
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as pb_grpc
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import operation_pb2

PAGE_SIZE = 1000


class ClusterLifecycle:
    """The calls of ClusterLifecycleService.

    Calls that start or change something carry an idempotency key, made here unless given.
    """

    def __init__(self, channel: ServiceChannel) -> None:
        self._channel = channel
        self._stub: Any = pb_grpc.ClusterLifecycleServiceStub(channel.grpc)

    def create_cluster(
        self,
        tag: str,
        config: cluster_pb2.ClusterConfig,
        *,
        validate_only: bool = False,
        request_id: str = "",
    ) -> cluster_pb2.Cluster:
        """Register a cluster and write its configuration."""
        request = pb.CreateClusterRequest(
            cluster=cluster_pb2.Cluster(tag=tag, config=config),
            validate_only=validate_only,
            request_id=request_id or new_request_id(),
        )
        answer: pb.CreateClusterResponse = self._channel.unary(self._stub.CreateCluster, request)
        return answer.cluster

    def get_cluster(self, tag: str) -> cluster_pb2.Cluster:
        """One cluster of the registry."""
        answer: pb.GetClusterResponse = self._channel.unary(
            self._stub.GetCluster, pb.GetClusterRequest(tag=tag)
        )
        return answer.cluster

    def list_clusters(self) -> Listing[cluster_pb2.Cluster, pb.ListClustersResponse]:
        """The clusters of the registry, in order of tag."""
        request = pb.ListClustersRequest(page_size=PAGE_SIZE)
        return self._channel.listing(self._stub.ListClusters, request, "clusters")

    def update_cluster(
        self, cluster: cluster_pb2.Cluster, *, validate_only: bool = False, request_id: str = ""
    ) -> pb.UpdateClusterResponse:
        """Replace a cluster's configuration. With the etag that was read, another's change in
        between is a ConflictError instead of being overwritten."""
        request = pb.UpdateClusterRequest(
            cluster=cluster,
            validate_only=validate_only,
            request_id=request_id or new_request_id(),
        )
        answer: pb.UpdateClusterResponse = self._channel.unary(self._stub.UpdateCluster, request)
        return answer

    def delete_cluster(
        self, tag: str, *, etag: str = "", validate_only: bool = False, request_id: str = ""
    ) -> pb.DeleteClusterResponse:
        """Take a cluster out of the registry; nothing in AWS is touched."""
        request = pb.DeleteClusterRequest(
            tag=tag,
            etag=etag,
            validate_only=validate_only,
            request_id=request_id or new_request_id(),
        )
        answer: pb.DeleteClusterResponse = self._channel.unary(self._stub.DeleteCluster, request)
        return answer

    def launch(
        self, tag: str, *, validate_only: bool = False, request_id: str = ""
    ) -> operation_pb2.Operation:
        """Start the launch step; the operation is empty on `validate_only`."""
        request = pb.LaunchRequest(
            tag=tag, validate_only=validate_only, request_id=request_id or new_request_id()
        )
        answer: pb.LaunchResponse = self._channel.unary(self._stub.Launch, request)
        return answer.operation

    def configure(
        self, tag: str, *, validate_only: bool = False, request_id: str = ""
    ) -> operation_pb2.Operation:
        """Start the configure step; the operation is empty on `validate_only`."""
        request = pb.ConfigureRequest(
            tag=tag, validate_only=validate_only, request_id=request_id or new_request_id()
        )
        answer: pb.ConfigureResponse = self._channel.unary(self._stub.Configure, request)
        return answer.operation

    def get_operation(self, operation_id: str) -> operation_pb2.Operation:
        """One operation."""
        answer: pb.GetOperationResponse = self._channel.unary(
            self._stub.GetOperation, pb.GetOperationRequest(id=operation_id)
        )
        return answer.operation

    def list_operations(
        self,
        tag: str = "",
        *,
        states: Iterable[int] = (),
        page_size: int = PAGE_SIZE,
    ) -> Listing[operation_pb2.Operation, pb.ListOperationsResponse]:
        """Operations, newest first; `states` are values of OperationState."""
        request = pb.ListOperationsRequest(
            tag=tag,
            states=cast(Any, states),
            page_size=page_size,
        )
        return self._channel.listing(self._stub.ListOperations, request, "operations")

    def cancel_operation(self, operation_id: str) -> operation_pb2.Operation:
        """Ask an operation to stop; a finished one is left as it is."""
        request = pb.CancelOperationRequest(id=operation_id, request_id=new_request_id())
        answer: pb.CancelOperationResponse = self._channel.unary(
            self._stub.CancelOperation, request
        )
        return answer.operation

    def watch_operations(
        self,
        tag: str = "",
        *,
        operation_id: str = "",
        on_interruption: Callable[[Interruption], None] | None = None,
    ) -> ResumingStream[operation_pb2.Operation]:
        """The present state of operations, then each change; of one operation, until its end.

        A new connection is sent present states anew: those that were seen are left out.
        """
        request = pb.WatchOperationsRequest(tag=tag, id=operation_id)
        seen: dict[str, bytes] = {}

        def connect(_: str) -> Any:
            return self._stub.WatchOperations(request)

        def read(message: pb.WatchOperationsResponse) -> Batch[operation_pb2.Operation]:
            events: list[operation_pb2.Operation] = []
            end = None
            for event in message.events:
                if event.type == pb.OPERATION_EVENT_TYPE_END:
                    end = event.end
                elif event.type == pb.OPERATION_EVENT_TYPE_STATE:
                    state = event.operation.SerializeToString(deterministic=True)
                    if seen.get(event.operation.id) != state:
                        seen[event.operation.id] = state
                        events.append(event.operation)
            return Batch(events, "", end)

        return self._channel.stream(connect, read, on_interruption=on_interruption)

    def get_status(self, tag: str, *, consistent: bool = False) -> pb.GetStatusResponse:
        """Where both steps stand; `consistent` asks AWS and Kubernetes now."""
        request = pb.GetStatusRequest(tag=tag, consistent=consistent)
        answer: pb.GetStatusResponse = self._channel.unary(self._stub.GetStatus, request)
        return answer

    def list_logs(self, tag: str, *, step: str = "") -> pb.ListLogsResponse:
        """The logs of a cluster's steps, newest first."""
        answer: pb.ListLogsResponse = self._channel.unary(
            self._stub.ListLogs, pb.ListLogsRequest(tag=tag, step=step)
        )
        return answer

    def read_log(
        self, tag: str, log_id: str, *, offset: int = 0, max_bytes: int = 0
    ) -> pb.ReadLogResponse:
        """A piece of a log from a byte offset; `log_id` may be "launch" or "configure"."""
        request = pb.ReadLogRequest(tag=tag, log_id=log_id, offset=offset, max_bytes=max_bytes)
        answer: pb.ReadLogResponse = self._channel.unary(self._stub.ReadLog, request)
        return answer

    def tail_log(
        self,
        tag: str,
        log_id: str,
        *,
        offset: int = 0,
        on_interruption: Callable[[Interruption], None] | None = None,
    ) -> ResumingStream[pb.TailLogResponse]:
        """A log from a byte offset, until the step that writes it has ended.

        `log_id` may be "launch" or "configure" for the newest of that step; the stream stays
        with that log when a newer one begins. Each event has `content`.
        """
        request = pb.TailLogRequest(tag=tag, log_id=log_id, offset=offset)

        def connect(token: str) -> Any:
            request.resume_token = token
            return self._stub.TailLog(request)

        def read(message: pb.TailLogResponse) -> Batch[pb.TailLogResponse]:
            if message.log.id:
                request.log_id = message.log.id
            return Batch(
                [message] if message.content else [],
                message.resume_token or str(message.next_offset),
                message.end if message.HasField("end") else None,
            )

        return self._channel.stream(connect, read, on_interruption=on_interruption)
