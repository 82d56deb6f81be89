"""The RPCs of TrainingHistoryService."""

from __future__ import annotations

from typing import Any, NoReturn

from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from services.common.errors import FailedPreconditionError
from services.training_history import convert
from services.training_history.application import Application
from services.training_history.domain.columns import lay_out
from services.training_history.domain.sync_status import sync_status

UNCONFIGURED = (
    "no tracking server is configured: set PODYARD_TRAINING_HISTORY_TRACKING_URI to the URL of an "
    "MLflow server or the ARN of a SageMaker one, and start the service again"
)


class TrainingHistoryServicer(pb_grpc.TrainingHistoryServiceServicer):
    """Serves from the cache of one tracking server."""

    def __init__(self, application: Application) -> None:
        self._app = application

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:
        query = convert.list_query_from_pb(request)
        page = self._app.lister.list(query)
        response = self._app.messages.page(page.runs, self._app.now_ms())
        response.next_page_token = page.token_after(len(response.runs))
        response.total_size = page.total
        freshness = self._app.state.freshness(
            query.experiment_ids & self._app.cache.experiments.keys()
            if query.experiment_ids
            else self._app.cache.experiments
        )
        response.freshness.CopyFrom(convert.freshness_to_pb(freshness))
        return response

    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunResponse:
        found = await self._app.lookup.get(request.run_id)
        return convert.found_to_pb(found, self._app.now_ms())

    async def ListColumns(
        self, request: pb.ListColumnsRequest, context: Any
    ) -> pb.ListColumnsResponse:
        return convert.layout_to_pb(lay_out(self._app.columns, self._app.cache.tag_keys()))

    async def DeleteRuns(
        self, request: pb.DeleteRunsRequest, context: Any
    ) -> pb.DeleteRunsResponse:
        deletions = await self._app.deleter.delete(
            request.run_ids, validate_only=request.validate_only
        )
        return convert.deletions_to_pb(deletions)

    async def GetSyncStatus(
        self, request: pb.GetSyncStatusRequest, context: Any
    ) -> pb.GetSyncStatusResponse:
        return convert.sync_status_to_pb(
            sync_status(self._app.server.display_uri, self._app.cache, self._app.state)
        )


class UnconfiguredServicer(pb_grpc.TrainingHistoryServiceServicer):
    """Answers every call with what is to be configured."""

    async def ListRuns(self, request: Any, context: Any) -> NoReturn:
        _refuse()

    async def GetRun(self, request: Any, context: Any) -> NoReturn:
        _refuse()

    async def ListColumns(self, request: Any, context: Any) -> NoReturn:
        _refuse()

    async def DeleteRuns(self, request: Any, context: Any) -> NoReturn:
        _refuse()

    async def GetSyncStatus(self, request: Any, context: Any) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    raise FailedPreconditionError(UNCONFIGURED, reason="TRACKING_SERVER_NOT_CONFIGURED")
