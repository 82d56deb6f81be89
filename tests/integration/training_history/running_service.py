"""The service as __main__ puts it together, in this process, with a client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from services.common.server import Draining, GrpcServer, Registration
from services.training_history.adapters.authorization import Authorization, StaticAuthorization
from services.training_history.adapters.http_client import TrackingHttpClient
from services.training_history.adapters.mlflow_tracking_server import MlflowTrackingServer
from services.training_history.adapters.sqlite_run_store import SqliteRunStore
from services.training_history.application import assemble
from services.training_history.domain.columns import ColumnConfig
from services.training_history.domain.compaction import Compactor
from services.training_history.servicer import TrainingHistoryServicer

SERVICE = "podyard.training_history.v1.TrainingHistoryService"
T = TypeVar("T")


class RunningService:
    """Use as a context. Syncs five times a second; full syncs only once unless told otherwise."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        full_sync_seconds: float = 3600,
        request_seconds: float = 20,
        authorization: Authorization | None = None,
        columns: ColumnConfig | None = None,
    ) -> None:
        self.store = SqliteRunStore(folder, url)
        self._client = TrackingHttpClient(
            url, authorization or StaticAuthorization(), request_seconds=request_seconds
        )
        self._compactor = Compactor()
        self.application = assemble(
            MlflowTrackingServer(url, self._client, self._compactor),
            self.store,
            columns or ColumnConfig(),
            sync_seconds=0.2,
            full_sync_seconds=full_sync_seconds,
        )

    async def __aenter__(self) -> RunningService:
        self._stack = contextlib.AsyncExitStack()
        self._stack.callback(self.store.close)
        self._stack.push_async_callback(self._client.close)
        await self.application.persistence.load(self._compactor)
        sync = asyncio.create_task(self.application.synchroniser.run())
        self._stack.push_async_callback(_end, sync)
        server = GrpcServer(
            "127.0.0.1:0",
            [
                Registration(
                    SERVICE,
                    pb_grpc.add_TrainingHistoryServiceServicer_to_server,
                    TrainingHistoryServicer(self.application),
                )
            ],
            Draining(),
            drain_seconds=1,
        )
        port = await server.start()
        self._stack.push_async_callback(server.stop)
        channel = await self._stack.enter_async_context(
            grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        )
        self.stub: Any = pb_grpc.TrainingHistoryServiceStub(channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def status(self) -> pb.GetSyncStatusResponse:
        answer: pb.GetSyncStatusResponse = await self.stub.GetSyncStatus(pb.GetSyncStatusRequest())
        return answer

    async def fresh(self) -> pb.GetSyncStatusResponse:
        """Wait until the cache is up to date and nothing is unread."""

        async def look() -> pb.GetSyncStatusResponse | None:
            status = await self.status()
            return None if status.freshness.stale else status

        return await until(look)

    async def stale(self, reason: str) -> pb.GetSyncStatusResponse:
        """Wait until the cache is stale for a reason that contains this."""

        async def look() -> pb.GetSyncStatusResponse | None:
            status = await self.status()
            return status if reason in status.freshness.stale_reason else None

        return await until(look)

    async def next_sync(self) -> None:
        """Wait until a sync that began after now has succeeded."""
        begun = self.application.now_ms()

        async def look() -> bool:
            confirmed = (await self.status()).freshness.confirmed_time
            return confirmed.ToMilliseconds() >= begun

        await until(look)

    async def rows(self, experiment_id: str, **fields: Any) -> dict[str, pb.Run]:
        """All runs of an experiment by id."""
        answer = await self.stub.ListRuns(
            pb.ListRunsRequest(experiment_ids=[experiment_id], page_size=1000, **fields)
        )
        return {run.run_id: run for run in answer.runs}

    async def until_row(
        self, experiment_id: str, run_id: str, accept: Callable[[pb.Run], bool] = lambda _: True
    ) -> pb.Run:
        """Wait until a run is listed and accepted."""

        async def look() -> pb.Run | None:
            run = (await self.rows(experiment_id)).get(run_id)
            return run if run is not None and accept(run) else None

        return await until(look)

    async def until_gone(self, experiment_id: str, run_id: str) -> None:
        """Wait until a run is no longer listed."""

        async def look() -> bool:
            return run_id not in await self.rows(experiment_id)

        await until(look)


async def until(look: Callable[[], Awaitable[T | None]], timeout: float = 30.0) -> T:
    """Ask until the answer is true; TimeoutError after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not (answer := await look()):  # noqa: ASYNC110 - the service's answers tell, no event
            await asyncio.sleep(0.02)
        return answer


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
