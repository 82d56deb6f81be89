"""DeleteRuns against a real MLflow server."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import grpc
import pytest
from aiohttp import web
from podyard.training_history.v1 import training_history_service_pb2 as pb

from tests.integration.training_history.conftest import StartService
from tests.integration.training_history.fault_proxy import FaultProxy
from tests.integration.training_history.mlflow_api import DAY_MS, MlflowApi, now_ms
from tests.integration.training_history.running_service import RunningService
from tools.stack.testing import MlflowServer

NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]


async def _runs(service: RunningService, mlflow: MlflowApi, count: int) -> tuple[str, list[str]]:
    experiment = await mlflow.experiment()
    ids = [await mlflow.run(experiment) for _ in range(count)]
    for run in ids:
        await service.until_row(experiment, run)
    return experiment, ids


async def test_deleted_run_is_gone_from_the_very_next_list(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment, (run, kept) = await _runs(service, mlflow, 2)
    answer = await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=[run]))
    assert [(r.run_id, r.deleted, r.HasField("error")) for r in answer.results] == [
        (run, True, False)
    ]
    assert list(await service.rows(experiment)) == [kept]
    assert await mlflow.lifecycle(run) == "deleted"


async def test_each_run_has_its_own_result(service: RunningService, mlflow: MlflowApi) -> None:
    _, (run, already) = await _runs(service, mlflow, 2)
    await mlflow.delete(already)
    answer = await service.stub.DeleteRuns(
        pb.DeleteRunsRequest(run_ids=["missing", run, already, run])
    )
    assert [(r.run_id, r.deleted) for r in answer.results] == [
        ("missing", False),
        (run, True),
        (already, True),
        (run, True),
    ]
    assert answer.results[0].error.code == NOT_FOUND
    assert '"missing" does not exist' in answer.results[0].error.message


async def test_validate_only_changes_nothing(service: RunningService, mlflow: MlflowApi) -> None:
    experiment, (run, already) = await _runs(service, mlflow, 2)
    await mlflow.delete(already)
    answer = await service.stub.DeleteRuns(
        pb.DeleteRunsRequest(run_ids=[run, already, "missing"], validate_only=True)
    )
    assert [(r.deleted, r.error.code) for r in answer.results] == [
        (False, 0),
        (True, 0),
        (False, NOT_FOUND),
    ]
    assert await mlflow.lifecycle(run) == "active"
    assert run in await service.rows(experiment)


async def test_read_begun_before_the_deletion_does_not_bring_the_run_back(
    proxy: FaultProxy, start_service: StartService, mlflow: MlflowApi
) -> None:
    """A full sync's page is held back until the run in it has been deleted through Podyard."""
    service: RunningService = await start_service(proxy.url)
    await service.fresh()
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run)
    held, release = asyncio.Event(), asyncio.Event()
    stale_answer = (await mlflow.post("runs/search", experiment_ids=[experiment]))["runs"]

    async def hold_searches(request: web.Request, body: bytes) -> web.Response | None:
        if request.path.endswith("runs/search") and b"start_time >" in body:
            held.set()
            await release.wait()
            return web.json_response({"runs": stale_answer})
        return None

    proxy.disturb = hold_searches
    await held.wait()
    await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=[run]))
    begun = service.application.now_ms()
    proxy.pass_all()
    release.set()
    while (await service.status()).freshness.confirmed_time.ToMilliseconds() < begun:
        assert run not in await service.rows(experiment)


async def test_run_that_mlflow_no_longer_has_leaves_the_cache(
    service: RunningService, mlflow: MlflowApi, mlflow_server: MlflowServer
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run)
    with closing(sqlite3.connect(mlflow_server.database)) as database, database:
        database.execute("DELETE FROM tags WHERE run_uuid = ?", (run,))
        database.execute("DELETE FROM runs WHERE run_uuid = ?", (run,))
    answer = await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=[run]))
    assert answer.results[0].error.code == NOT_FOUND
    assert run not in await service.rows(experiment)


async def test_tracking_server_down_is_the_answer_when_nothing_was_deleted(
    proxy: FaultProxy, start_service: StartService, mlflow: MlflowApi
) -> None:
    service: RunningService = await start_service(proxy.url)
    await service.fresh()
    experiment, ids = await _runs(service, mlflow, 3)
    proxy.answer_always(503, "restarting")
    with pytest.raises(grpc.aio.AioRpcError, match="HTTP 503") as caught:
        await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=ids))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert set(ids) <= set(await service.rows(experiment))


async def test_tracking_server_that_goes_down_in_the_middle(
    proxy: FaultProxy, start_service: StartService, mlflow: MlflowApi
) -> None:
    service: RunningService = await start_service(proxy.url)
    await service.fresh()
    experiment, ids = await _runs(service, mlflow, 12)
    deletions = 0

    async def fail_after_two(request: web.Request, body: bytes) -> web.Response | None:
        nonlocal deletions
        if request.path.endswith("runs/delete"):
            deletions += 1
            if deletions > 2:
                return web.Response(status=503)
        return None

    proxy.disturb = fail_after_two
    answer = await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=ids))
    done = [r.run_id for r in answer.results if r.deleted]
    failed = [r for r in answer.results if not r.deleted]
    assert len(done) == 2
    assert {r.error.code for r in failed} == {UNAVAILABLE}
    assert [await mlflow.lifecycle(r.run_id) for r in failed] == ["active"] * 10
    assert set(await service.rows(experiment)) == {r.run_id for r in failed}
