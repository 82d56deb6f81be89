"""A tracking server that is down, slow, overloaded, misconfigured, or partly broken."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from podyard.training_history.v1 import training_history_service_pb2 as pb

from services.training_history.adapters.authorization import StaticAuthorization
from services.training_history.domain import synchroniser
from tests.integration.training_history.conftest import StartService
from tests.integration.training_history.fault_proxy import FaultProxy
from tests.integration.training_history.mlflow_api import MlflowApi
from tests.integration.training_history.running_service import RunningService, until
from tools.stack.ports import free_ports
from tools.stack.testing import MlflowServer


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute between attempts is right for servers and long for tests."""
    monkeypatch.setattr(synchroniser, "MAX_PAUSE_SECONDS", 0.5)


async def test_server_stopped_and_started_again(
    start_service: StartService, mlflow_server: MlflowServer, mlflow: MlflowApi
) -> None:
    service: RunningService = await start_service(mlflow_server.url)
    await service.fresh()
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    await service.until_row(experiment, run)
    await asyncio.to_thread(mlflow_server.stop)
    try:
        status = await service.stale("cannot be connected to")
        assert not status.reachable
        confirmed = status.freshness.confirmed_time.ToMilliseconds()
        answer = await service.stub.ListRuns(pb.ListRunsRequest(experiment_ids=[experiment]))
        assert [row.run_id for row in answer.runs] == [run]
        assert answer.freshness.stale
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be connected to") as caught:
            await service.stub.GetRun(pb.GetRunRequest(run_id="not-in-the-cache"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await asyncio.to_thread(mlflow_server.start)
    fresh = await service.fresh()
    assert fresh.reachable
    assert fresh.freshness.confirmed_time.ToMilliseconds() > confirmed


async def test_service_that_starts_before_its_tracking_server(start_service: StartService) -> None:
    port = free_ports(1)[0]
    service: RunningService = await start_service(f"http://127.0.0.1:{port}")
    status = await service.stale("cannot be connected to")
    assert not status.freshness.HasField("confirmed_time")
    answer = await service.stub.ListRuns(pb.ListRunsRequest())
    assert (answer.total_size, answer.freshness.stale) == (0, True)


@pytest.mark.parametrize(
    ("status", "text", "content_type", "reason"),
    [
        (
            200,
            "<html>Sign in</html>",
            "text/html",
            "not MLflow's REST API: HTTP 200 with text/html",
        ),
        (200, "[1, 2]", "application/json", "not MLflow's REST API"),
        (404, "<h1>Not Found</h1>", "text/html", "check the tracking URI and its path"),
        (302, "", "text/html", "not MLflow's REST API: HTTP 302"),
        (401, "", "text/plain", "set MLFLOW_TRACKING_USERNAME"),
        (403, "Invalid Host header - possible DNS rebinding", "text/plain", "--allowed-hosts"),
        (403, '{"message": "no"}', "application/json", "denies access (HTTP 403: no)"),
        (429, "", "text/plain", "overloaded or restarting (HTTP 429)"),
        (503, "<html>busy</html>", "text/html", "overloaded or restarting (HTTP 503)"),
        (500, "<html>oops</html>", "text/html", "failed (HTTP 500)"),
        (
            400,
            '{"error_code": "BAD", "message": "what?"}',
            "application/json",
            "does not understand the request (HTTP 400: what?)",
        ),
    ],
)
async def test_wrong_answers_are_explained_and_got_over(
    start_service: StartService,
    proxy: FaultProxy,
    status: int,
    text: str,
    content_type: str,
    reason: str,
) -> None:
    service: RunningService = await start_service(proxy.url)
    await service.fresh()
    proxy.answer_always(status, text, content_type)
    stale = await service.stale(reason)
    assert stale.reachable == (status not in (429, 503))
    proxy.pass_all()
    await service.fresh()


async def test_mlflow_that_refuses_the_host_name(
    start_service: StartService, proxy: FaultProxy
) -> None:
    """The answer is MLflow's own, to the host name that a service in Kubernetes has."""
    proxy.host = "mlflow.default.svc.cluster.local"
    service: RunningService = await start_service(proxy.url)
    await service.stale("start MLflow with --allowed-hosts")


async def test_proxy_of_the_environment_is_used_and_netrc_is_not(
    start_service: StartService,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The server's name exists nowhere: only the proxy can answer for it."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine mlflow.invalid login foreign password foreign\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_grpc_proxy", "127.0.0.1")  # the test's own client goes straight
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    seen: list[str | None] = []

    async def note(request: web.Request, body: bytes) -> None:
        seen.append(request.headers.get("Authorization"))

    proxy.disturb = note
    service: RunningService = await start_service(
        "http://mlflow.invalid", authorization=StaticAuthorization.bearer("own")
    )
    await service.fresh()
    assert set(seen) == {"Bearer own"}


async def test_one_overloaded_answer_goes_unnoticed(
    start_service: StartService, proxy: FaultProxy
) -> None:
    service: RunningService = await start_service(proxy.url)
    await service.fresh()
    failed = 0

    async def fail_every_other(request: web.Request, body: bytes) -> web.Response | None:
        nonlocal failed
        if proxy.requests % 2:
            failed += 1
            return web.Response(status=429, headers={"Retry-After": "0"})
        return None

    proxy.disturb = fail_every_other
    await service.next_sync()
    assert failed
    assert not (await service.status()).freshness.stale


async def test_server_too_slow(start_service: StartService, proxy: FaultProxy) -> None:
    service: RunningService = await start_service(proxy.url, request_seconds=0.2)
    released = asyncio.Event()

    async def hang(request: web.Request, body: bytes) -> None:
        await released.wait()

    proxy.disturb = hang
    await service.stale("did not answer within 0.2 s")
    released.set()
    proxy.pass_all()


async def test_connection_cut_in_an_answer(start_service: StartService, proxy: FaultProxy) -> None:
    service: RunningService = await start_service(proxy.url)
    await service.fresh()

    async def cut(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"runs": [')
        assert request.transport is not None
        request.transport.abort()
        return response

    proxy.disturb = cut
    await service.stale("broke the connection")
    proxy.pass_all()
    await service.fresh()


async def test_one_unreadable_experiment_is_told_and_the_others_go_on(
    start_service: StartService,
    mlflow_server: MlflowServer,
    mlflow: MlflowApi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A damaged row makes MLflow answer 500 for every search that meets it."""
    monkeypatch.setattr(synchroniser, "RETRY_SECONDS", 0.3)
    service: RunningService = await start_service(mlflow_server.url)
    await service.fresh()
    good, bad = await mlflow.experiment(), await mlflow.experiment()
    kept, damaged = await mlflow.run(bad), await mlflow.run(bad)
    await service.until_row(bad, kept)
    await service.until_row(bad, damaged)
    with closing(sqlite3.connect(mlflow_server.database)) as database:
        with database:
            database.execute("UPDATE runs SET start_time = 'x' WHERE run_uuid = ?", (damaged,))
        status = await until(lambda: _with_errors(service))
        assert "HTTP 500" in status.experiment_errors[bad]
        assert list(status.experiment_errors) == [bad]
        run = await mlflow.run(good)
        await service.until_row(good, run)
        assert set(await service.rows(bad)) == {kept, damaged}
        answers = [
            await service.stub.ListRuns(pb.ListRunsRequest(experiment_ids=[experiment]))
            for experiment in (good, bad)
        ]
        assert [answer.freshness.stale for answer in answers] == [False, True]
        assert f"experiment {bad} cannot be read" in answers[1].freshness.stale_reason
        with database:
            database.execute("UPDATE runs SET start_time = 1 WHERE run_uuid = ?", (damaged,))
    await service.fresh()
    await service.until_row(bad, damaged, lambda row: row.start_time.ToMilliseconds() == 1)


async def _with_errors(service: RunningService) -> pb.GetSyncStatusResponse | None:
    status = await service.status()
    return status if status.experiment_errors else None


async def test_state_folder_that_cannot_be_written(
    start_service: StartService, mlflow_server: MlflowServer, mlflow: MlflowApi, tmp_path: Path
) -> None:
    """A full disk costs the next quick start, not the service."""
    service: RunningService = await start_service(mlflow_server.url)
    await service.fresh()
    connection = service.store._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    for number in range(20):
        await mlflow.set_tag(run, f"t{number}", "x" * 4000)
    await service.until_row(experiment, run, lambda row: len(row.tags) == 20)
    state = service.application.state

    async def failed() -> bool:
        return "full" in state.save_error

    async def saved() -> bool:
        return not state.save_error

    await until(failed)
    await service.fresh()
    connection.execute("PRAGMA max_page_count = 100000000")
    await until(saved)
    stored = connection.execute("SELECT count(*) FROM runs WHERE run_id = ?", (run,))
    assert stored.fetchone() == (1,)
