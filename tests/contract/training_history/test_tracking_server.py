"""The port TrackingServer: what the domain relies on, with every way to reach a real MLflow."""

from __future__ import annotations

import math
import uuid
from collections.abc import AsyncIterator

import pytest
from botocore.credentials import Credentials

from services.training_history.adapters.authorization import SigV4Authorization, StaticAuthorization
from services.training_history.adapters.http_client import TrackingHttpClient
from services.training_history.adapters.mlflow_tracking_server import MlflowTrackingServer
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.model import Experiment, RunStatus
from services.training_history.domain.ports import (
    Lifecycle,
    RunNotFoundError,
    RunSearch,
    TrackingServer,
    TrackingServerRefusedError,
    TrackingServerUnavailableError,
)
from tests.integration.training_history.mlflow_api import DAY_MS, MlflowApi, now_ms
from tests.integration.training_history.sigv4_proxy import SigV4Proxy
from tools.stack.ports import free_ports
from tools.stack.testing import MlflowServer

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-tracking-server/history"


@pytest.fixture(params=["url", "arn"])
async def server(
    mlflow_server: MlflowServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TrackingServer]:
    if request.param == "url":
        client = TrackingHttpClient(mlflow_server.url, StaticAuthorization(), request_seconds=20)
        yield MlflowTrackingServer(mlflow_server.url, client, Compactor())
        await client.close()
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    known = Credentials("AKIDEXAMPLE", "secret")
    async with SigV4Proxy(
        mlflow_server.url, ARN, "eu-west-1", "sagemaker-mlflow", known
    ) as front_door:
        authorization = SigV4Authorization(ARN, "eu-west-1", "sagemaker-mlflow")
        client = TrackingHttpClient(front_door.url, authorization, request_seconds=20)
        yield MlflowTrackingServer(ARN, client, Compactor())
        await client.close()


@pytest.fixture
async def mlflow(mlflow_server: MlflowServer) -> AsyncIterator[MlflowApi]:
    async with MlflowApi(mlflow_server.url) as api:
        yield api


async def test_experiments_are_the_active_ones(server: TrackingServer, mlflow: MlflowApi) -> None:
    kept, deleted = await mlflow.experiment(), await mlflow.experiment()
    await mlflow.post("experiments/delete", experiment_id=deleted)
    experiments = await server.experiments()
    ids = [experiment.experiment_id for experiment in experiments]
    assert kept in ids
    assert deleted not in ids
    one = await server.experiment(kept)
    assert isinstance(one, Experiment)
    assert one in experiments
    assert await server.experiment(deleted) is None
    assert await server.experiment("987654321") is None


async def test_a_run_comes_back_as_it_was_logged(server: TrackingServer, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    begun = now_ms()
    run_id = await mlflow.run(experiment, "name", start_time=begun, user_id="ana")
    await mlflow.log_metric(run_id, "loss", 0.25)
    await mlflow.log_metric(run_id, "loss", 0.125)
    await mlflow.log_metric(run_id, "broken", "NaN")
    await mlflow.log_metric(run_id, "endless", "-Infinity")
    await mlflow.log_param(run_id, "lr", "1e-5")
    await mlflow.set_tag(run_id, "model", "llama „3“")
    await mlflow.finish(run_id, begun + 1500)
    found = await server.get_run(run_id)
    run = found.run
    assert not found.deleted
    assert (run.run_id, run.experiment_id, run.run_name, run.user) == (
        run_id,
        experiment,
        "name",
        "ana",
    )
    assert (run.status, run.start_ms, run.end_ms) == (RunStatus.FINISHED, begun, begun + 1500)
    assert (run.metric("loss"), run.metric("endless")) == (0.125, -math.inf)
    assert math.isnan(run.metric("broken") or 0)
    assert (run.param("lr"), run.tag("model"), run.tag("mlflow.runName")) == (
        "1e-5",
        "llama „3“",
        "name",
    )
    (page_run,) = (await server.search_runs(RunSearch([experiment]))).runs
    assert page_run == run


async def test_search_filters_orders_and_pages(server: TrackingServer, mlflow: MlflowApi) -> None:
    experiment, other = await mlflow.experiment(), await mlflow.experiment()
    start = now_ms()
    ids = [await mlflow.run(experiment, start_time=start - n * DAY_MS) for n in range(5)]
    elsewhere = await mlflow.run(other)
    await mlflow.finish(ids[1], start)
    await mlflow.delete(ids[4])

    async def search(filter_text: str = "", **fields: object) -> list[str]:
        query = RunSearch([experiment], filter_text, **fields)  # type: ignore[arg-type]
        found: list[str] = []
        token = ""
        while True:
            page = await server.search_runs(query, token)
            found += [run.run_id for run in page.runs]
            token = page.next_page_token
            if not token:
                return found

    assert await search() == [ids[3], ids[2], ids[1], ids[0]]
    assert await search(page_size=1) == [ids[3], ids[2], ids[1], ids[0]]
    assert await search(newest_first=True) == ids[:4]
    assert await search("status = 'RUNNING'") == [ids[3], ids[2], ids[0]]
    assert await search(f"start_time > {start - DAY_MS}") == [ids[0]]
    assert await search(f"end_time > {start - 1}") == [ids[1]]
    assert await search(f"run_id IN ('{ids[2]}', '{ids[4]}', '{elsewhere}', 'x')") == [ids[2]]
    assert await search(lifecycle=Lifecycle.DELETED) == [ids[4]]
    assert (await server.search_runs(RunSearch(["987654321"]))).runs == []


async def test_delete_can_be_repeated_and_knows_missing_runs(
    server: TrackingServer, mlflow: MlflowApi
) -> None:
    run_id = await mlflow.run(await mlflow.experiment())
    await server.delete_run(run_id)
    await server.delete_run(run_id)
    assert (await server.get_run(run_id)).deleted
    missing = uuid.uuid4().hex
    for call in (server.delete_run, server.get_run):
        with pytest.raises(RunNotFoundError):
            await call(missing)


async def test_a_bad_filter_is_refused(server: TrackingServer, mlflow: MlflowApi) -> None:
    with pytest.raises(TrackingServerRefusedError, match="Invalid attribute key"):
        await server.search_runs(RunSearch([await mlflow.experiment()], "colour > 1"))


async def test_probe(server: TrackingServer) -> None:
    await server.probe()
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    client = TrackingHttpClient(url, StaticAuthorization(), request_seconds=1)
    with pytest.raises(TrackingServerUnavailableError, match="cannot be connected to"):
        await MlflowTrackingServer(url, client, Compactor()).probe()
    await client.close()
