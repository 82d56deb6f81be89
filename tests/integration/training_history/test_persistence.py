"""The persisted cache over restarts, on the real process where a kill matters."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from tests.integration.training_history.conftest import StartService
from tests.integration.training_history.fault_proxy import FaultProxy
from tests.integration.training_history.mlflow_api import MlflowApi
from tests.integration.training_history.running_service import RunningService, until
from tools.stack.ports import free_ports
from tools.stack.testing import MlflowServer

CHECKOUT = Path(__file__).parents[3]


@asynccontextmanager
async def process(folder: Path, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as a process; killed at the end if it still runs."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PODYARD_", "MLFLOW_"))}
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.training_history",
        cwd=CHECKOUT,
        env=inherited
        | {"PODYARD_TRAINING_HISTORY_STATE": str(folder)}
        | {f"PODYARD_TRAINING_HISTORY_{key.upper()}": value for key, value in variables.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@asynccontextmanager
async def client(listen: str) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(listen) as channel:
        async with asyncio.timeout(60):
            await channel.channel_ready()
        yield pb_grpc.TrainingHistoryServiceStub(channel)


async def test_killed_process_serves_at_once_after_the_restart(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """kill -9, then a start while MLflow is down: all runs are there, and said to be stale."""
    mlflow_server.insert_runs(50)
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    options = {"listen": listen, "tracking_uri": mlflow_server.url, "sync_seconds": "0.1"}
    async with process(tmp_path, **options) as first, client(listen) as stub:

        async def fresh() -> pb.GetSyncStatusResponse | None:
            status = await stub.GetSyncStatus(pb.GetSyncStatusRequest())
            return None if status.freshness.stale else status

        before = await until(fresh)

        async def next_one() -> bool:
            after = await fresh()
            return after is not None and after.freshness != before.freshness

        # The sync after the one seen has ended: what that one found is saved.
        await until(next_one)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    mlflow_server.stop()
    try:
        async with process(tmp_path, **options) as second, client(listen) as stub:
            answer = await stub.ListRuns(pb.ListRunsRequest(page_size=1))
            assert answer.total_size == before.runs >= 50
            assert answer.freshness.stale
            confirmed = answer.freshness.confirmed_time.ToMilliseconds()
            assert confirmed >= before.freshness.confirmed_time.ToMilliseconds()
            second.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await second.wait() == 0
    finally:
        mlflow_server.start()


async def test_changes_made_while_the_service_was_down_are_seen(
    mlflow_server: MlflowServer, start_service: StartService, mlflow: MlflowApi, tmp_path: Path
) -> None:
    experiment = await mlflow.experiment()
    deleted, finished = await mlflow.run(experiment), await mlflow.run(experiment)
    async with RunningService(mlflow_server.url, tmp_path / "state") as first:
        await first.fresh()
        await first.until_row(experiment, finished)
    await mlflow.delete(deleted)
    await mlflow.finish(finished)
    new = await mlflow.run(experiment)
    second: RunningService = await start_service(mlflow_server.url)
    await second.fresh()
    rows = await second.rows(experiment)
    assert {run: row.status for run, row in rows.items()} == {
        finished: pb.RUN_STATUS_FINISHED,
        new: pb.RUN_STATUS_RUNNING,
    }


async def test_deletion_through_the_service_is_saved_before_it_is_answered(
    proxy: FaultProxy, mlflow: MlflowApi, tmp_path: Path
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    async with RunningService(proxy.url, tmp_path / "state") as service:
        await service.fresh()
        await service.until_row(experiment, run)
        await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=[run]))
        connection = service.store._connection
        assert connection is not None
        stored = connection.execute("SELECT count(*) FROM runs WHERE run_id = ?", (run,))
        assert stored.fetchone() == (0,)


@pytest.mark.parametrize("damage", ["garbage", "torn", "version", "foreign", "content"])
async def test_unreadable_file_is_set_aside_and_rebuilt(
    mlflow_server: MlflowServer, start_service: StartService, tmp_path: Path, damage: str
) -> None:
    mlflow_server.insert_runs(30)
    folder = tmp_path / "state"
    async with RunningService(mlflow_server.url, folder) as first:
        file = first.store.path
        before = await first.fresh()
        await first.next_sync()
    _damage(file, damage)
    damaged = file.read_bytes()
    second: RunningService = await start_service(mlflow_server.url, folder=folder)
    assert (await second.fresh()).runs == before.runs
    (aside,) = folder.glob("*.unreadable-*.db")
    assert aside.read_bytes()[:4096] == damaged[:4096]


def _damage(file: Path, damage: str) -> None:
    if damage == "garbage":
        file.write_bytes(b"not a database, whatever its name says" * 200)
        return
    if damage == "torn":
        content = bytearray(file.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        file.write_bytes(content)
        return
    statements = {
        "version": "PRAGMA user_version = 999",
        "foreign": "PRAGMA application_id = 1",
        "content": "UPDATE runs SET content = x'c1'",
    }
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statements[damage])


async def test_second_process_on_the_same_state_is_refused(
    mlflow_server: MlflowServer, service: RunningService
) -> None:
    folder = service.store.path.parent
    port = free_ports(1)[0]
    async with process(
        folder, listen=f"127.0.0.1:{port}", tracking_uri=mlflow_server.url
    ) as second:
        _, output = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 1
    assert "is in use by another process" in output.decode()
    assert "Traceback" not in output.decode()


async def test_without_a_tracking_server_every_call_says_what_to_set(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    async with process(tmp_path, listen=listen), client(listen) as stub:
        for call, request in [
            (stub.ListRuns, pb.ListRunsRequest()),
            (stub.GetRun, pb.GetRunRequest(run_id="x")),
            (stub.ListColumns, pb.ListColumnsRequest()),
            (stub.DeleteRuns, pb.DeleteRunsRequest(run_ids=["x"])),
            (stub.GetSyncStatus, pb.GetSyncStatusRequest()),
        ]:
            with pytest.raises(grpc.aio.AioRpcError, match="TRACKING_URI") as caught:
                await call(request)
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"tracking_uri": "ftp://u:secret@host"}, "TRACKING_URI: must be http://HOST"),
        ({"tracking_uri": "http://u:secret@host:x1"}, "TRACKING_URI: is not a valid URL"),
        ({"tracking_uri": "arn:aws:sagemaker:nowhere"}, "is not the ARN of a tracking server"),
        ({"sync_seconds": "0"}, "PODYARD_TRAINING_HISTORY_SYNC_SECONDS"),
        ({"listen": "0.0.0.0:1"}, "not a loopback address"),
        ({"columns": "/nonexistent.yaml"}, "PODYARD_TRAINING_HISTORY_COLUMNS: /nonexistent.yaml"),
    ],
)
async def test_bad_settings_stop_the_start_with_one_line(
    tmp_path: Path, variables: dict[str, str], text: str
) -> None:
    async with process(tmp_path, **variables) as started:
        _, output = await asyncio.wait_for(started.communicate(), 60)
    (line,) = output.decode().splitlines()
    assert started.returncode == 2
    assert line.startswith("bad settings: ")
    assert text in line
    assert "secret" not in line
