"""The history of training runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from podyard.client.channel import ServiceChannel
from podyard.client.listing import Listing
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

PAGE_SIZE = 1000


class RunListOptions(TypedDict, total=False):
    """Which runs in which order; the fields of ListRunsRequest."""

    experiment_ids: Iterable[str]
    statuses: Iterable[pb.RunStatus]
    order_by: str
    page_size: int


class TrainingHistory:
    """The calls of TrainingHistoryService."""

    def __init__(self, channel: ServiceChannel) -> None:
        self._channel = channel
        self._stub: Any = pb_grpc.TrainingHistoryServiceStub(channel.grpc)

    def list_runs(self, **options: Unpack[RunListOptions]) -> Listing[pb.Run, pb.ListRunsResponse]:
        """Runs, newest first unless ordered otherwise."""
        fields: dict[str, Any] = {"page_size": PAGE_SIZE, **options}
        request = pb.ListRunsRequest(**fields)
        return self._channel.listing(self._stub.ListRuns, request, "runs")

    def get_run(self, run_id: str) -> pb.GetRunResponse:
        """One run with all its metrics, parameters and tags."""
        answer: pb.GetRunResponse = self._channel.unary(
            self._stub.GetRun, pb.GetRunRequest(run_id=run_id)
        )
        return answer

    def list_columns(self) -> pb.ListColumnsResponse:
        """The columns of a table of runs, from left to right."""
        answer: pb.ListColumnsResponse = self._channel.unary(
            self._stub.ListColumns, pb.ListColumnsRequest()
        )
        return answer

    def delete_runs(
        self, run_ids: Iterable[str], *, validate_only: bool = False
    ) -> pb.DeleteRunsResponse:
        """Delete runs in MLflow; one result for each, in the same order."""
        request = pb.DeleteRunsRequest(run_ids=run_ids, validate_only=validate_only)
        answer: pb.DeleteRunsResponse = self._channel.unary(self._stub.DeleteRuns, request)
        return answer

    def get_sync_status(self, *, timeout: float | None = None) -> pb.GetSyncStatusResponse:
        """How far the service has followed the tracking server."""
        answer: pb.GetSyncStatusResponse = self._channel.unary(
            self._stub.GetSyncStatus, pb.GetSyncStatusRequest(), timeout
        )
        return answer
